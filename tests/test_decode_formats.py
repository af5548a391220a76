"""stages.decode: whatever the format, the same upright picture in its right colours."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from threading import Event

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.clock import SystemClock
from pipeline.frame import Frame, Image
from pipeline.picture import to_bgr
from stages.decode import Decode, DecodeSettings
from stages.sources.address import parse_sources
from tests.media import write_video

SHARED = Path(__file__).parents[1].parent / "shared" / "media" / "videos"


def decode(path: Path, **settings: object) -> list[Frame]:
    (spec,) = parse_sources([str(path)])
    chosen = DecodeSettings.model_validate(settings)
    return list(Decode(spec, chosen, clock=SystemClock()).run(Event()))


def shared(name: str) -> list[Frame]:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs the shared media (videos/{name})")
    return decode(path)


def image_of(frame: Frame) -> Image:
    assert frame.image is not None
    return frame.image


def corners(height: int, width: int) -> NDArray[np.uint8]:
    """Blue, green, red and white quarters: any wrong turn, mirror or colour shows."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[: height // 2, : width // 2] = (200, 60, 40)
    picture[: height // 2, width // 2 :] = (40, 180, 60)
    picture[height // 2 :, : width // 2] = (50, 40, 210)
    return picture


def still(height: int, width: int, count: int = 3) -> Iterator[NDArray[np.uint8]]:
    for _ in range(count):
        yield corners(height, width)


def assert_close(image: Image, wanted: NDArray[np.uint8], tolerance: int = 12) -> None:
    """The same colours, edges between them left out."""
    bgr = to_bgr(image)
    assert bgr.shape == wanted.shape
    height, width = wanted.shape[:2]
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            difference = np.abs(bgr[y, x].astype(int) - wanted[y, x].astype(int))
            assert difference.max() <= tolerance, (x, y, bgr[y, x], wanted[y, x])


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "kept"),
    [
        ("a.mp4", "libx264", "yuv420p", "yuv420p"),
        ("a.mkv", "libx264", "yuv422p", "yuv420p"),
        ("a.mp4", "libx264", "yuv444p", "bgr24"),
        ("a.mp4", "libx264", "yuv420p10le", "yuv420p"),
        ("a.mp4", "libx264", "yuv422p10le", "yuv420p"),
        ("a.mp4", "libx264", "nv12", "yuv420p"),
        ("a.avi", "mpeg4", "yuv420p", "yuv420p"),
        ("a.mkv", "mjpeg", "yuvj420p", "yuv420p"),
        ("a.mkv", "mjpeg", "yuvj422p", "yuv420p"),
        ("a.mkv", "mjpeg", "yuvj444p", "bgr24"),
        ("a.mkv", "ffv1", "bgr0", "bgr24"),
        ("a.mkv", "ffv1", "bgra", "bgr24"),
        ("a.mkv", "ffv1", "yuva420p", "bgr24"),
        ("a.mkv", "ffv1", "yuv420p16le", "yuv420p"),
        ("a.mkv", "ffv1", "gbrp10le", "bgr24"),
        ("a.mov", "png", "rgb24", "bgr24"),
        ("a.mov", "qtrle", "argb", "bgr24"),
        ("a.webm", "libvpx-vp9", "yuv420p", "yuv420p"),
        ("a.ts", "mpeg2video", "yuv420p", "yuv420p"),
        ("a.flv", "flv1", "yuv420p", "yuv420p"),
        ("a.y4m", "wrapped_avframe", "yuv420p", "yuv420p"),
    ],
)
def test_pixel_formats_and_containers(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, kept: str
) -> None:
    path = write_video(
        tmp_path / name, still(48, 64, 12), width=64, height=48, codec=codec, pix_fmt=pix_fmt
    )
    frames = decode(path)
    assert [frame.seq for frame in frames] == list(range(12))
    image = image_of(frames[0])
    assert image.format == kept
    assert_close(image, corners(48, 64))


def test_grey_pictures_keep_their_brightness(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], 3, axis=2)
    picture = np.broadcast_to(ramp, (16, 64, 3)).copy()
    path = write_video(
        tmp_path / "grey.mkv", [picture], width=64, height=16, codec="ffv1", pix_fmt="gray"
    )
    bgr = to_bgr(image_of(decode(path)[0]))
    assert np.abs(bgr.astype(int) - picture.astype(int)).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (3, 5), (17, 33), (47, 64)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv444p", "bgr0"])
def test_odd_sizes(tmp_path: Path, size: tuple[int, int], pix_fmt: str) -> None:
    height, width = size
    picture = np.full((height, width, 3), (60, 120, 180), np.uint8)
    path = write_video(
        tmp_path / "odd.nut",
        [picture],
        width=width,
        height=height,
        codec="rawvideo",
        pix_fmt=pix_fmt,
    )
    (frame,) = decode(path)
    bgr = to_bgr(image_of(frame))
    assert bgr.shape == (height, width, 3)
    assert np.abs(bgr.astype(int) - (60, 120, 180)).max() <= 4


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("size", [(48, 64), (47, 65)])
def test_rotation_is_applied(tmp_path: Path, rotation: int, size: tuple[int, int]) -> None:
    height, width = size
    path = write_video(
        tmp_path / "turned.mov",
        still(height, width),
        width=width,
        height=height,
        codec="mpeg4",
        rotation=rotation,
    )
    wanted = np.rot90(corners(height, width), rotation // 90)  # both turn counter-clockwise
    image = image_of(decode(path)[0])
    assert (image.height, image.width) == wanted.shape[:2]
    assert_close(image, np.ascontiguousarray(wanted))
    assert all(plane.strides[-1] == 1 for plane in image.planes if plane.ndim == 2)


def test_mirroring_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "mirrored.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        frame = av.VideoFrame.from_ndarray(corners(48, 64), format="bgr24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert_close(image_of(decode(path)[0]), corners(48, 64)[:, ::-1])


def test_a_pixel_that_is_not_square_says_so(tmp_path: Path) -> None:
    path = tmp_path / "wide.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(corners(48, 64), format="bgr24")))
        container.mux(stream.encode(None))
    assert image_of(decode(path)[0]).sample_aspect == Fraction(4, 3)


@pytest.mark.parametrize(
    ("height", "matrix"), [(576, "bt601"), (718, "bt601"), (720, "bt709"), (1080, "bt709")]
)
def test_who_does_not_say_a_matrix_has_the_usual_one(
    tmp_path: Path, height: int, matrix: str
) -> None:
    picture = np.zeros((height, 16, 3), np.uint8)
    path = write_video(tmp_path / "a.mkv", [picture], width=16, height=height, codec="mpeg4")
    assert image_of(decode(path)[0]).matrix == matrix


@pytest.mark.parametrize(
    ("colorspace", "matrix"),
    [("bt709", "bt709"), ("smpte170m", "bt601"), ("bt470bg", "bt601"), ("bt2020nc", "bt2020")],
)
@pytest.mark.parametrize(("range_", "full"), [("tv", False), ("pc", True)])
def test_matrix_and_range_are_those_of_the_stream(
    tmp_path: Path, colorspace: str, matrix: str, range_: str, full: bool
) -> None:
    path = write_video(
        tmp_path / "a.mp4",
        still(48, 64),
        options={"colorspace": colorspace, "color_range": range_},
    )
    image = image_of(decode(path)[0])
    assert (image.matrix, image.full_range) == (matrix, full)


def test_uneven_timestamps_are_kept(tmp_path: Path) -> None:
    pts = [0, 1, 5, 6, 20, 21, 40, 41, 90, 91]
    frames = decode(write_video(tmp_path / "uneven.mp4", 10, pts=pts))
    assert [round((frame.media_time_s or 0) * 25) for frame in frames] == pts


def test_an_elementary_stream_without_timestamps_gets_even_ones(tmp_path: Path) -> None:
    frames = decode(write_video(tmp_path / "raw.h264", 8))
    times = [frame.media_time_s for frame in frames]
    assert times == pytest.approx([index / 25 for index in range(8)])


def test_shared_clip_of_a_telephone_is_upright() -> None:
    frames = shared("decord/video_90.mov")
    capture = cv2.VideoCapture(str(SHARED / "decord" / "video_90.mov"))  # turns by itself
    for frame in frames:
        _, wanted = capture.read()
        assert to_bgr(image_of(frame)).shape == wanted.shape == (568, 320, 3)
        difference = to_bgr(image_of(frame)).astype(int) - wanted.astype(int)
        assert np.abs(difference).mean() < 2
    capture.release()


@pytest.mark.parametrize(
    ("name", "frames", "size"),
    [
        ("torchcodec/av1_video.mkv", 125, (640, 360)),
        ("torchcodec/h264_10bits.mp4", 30, (200, 200)),
        ("torchcodec/nasa_13013.mp4", 390, (480, 270)),  # the larger of two videos
        ("moviepy/bitmap.mp4", 5, (1, 1)),
        ("moviepy/no_duration.webm", 74, (1280, 720)),
        ("exoplayer/sample.flv", 30, (1080, 720)),
        ("mmaction2/demo_demo_skeleton.mp4", 72, (1920, 1080)),
        ("streamio-ffmpeg/awesome_movie.mov", 123, (640, 480)),
    ],
)
def test_shared_clips(name: str, frames: int, size: tuple[int, int]) -> None:
    decoded = shared(name)
    assert [frame.seq for frame in decoded] == list(range(frames))
    assert {frame.epoch for frame in decoded} == {0}
    assert {(image_of(frame).width, image_of(frame).height) for frame in decoded} == {size}
    times = [frame.media_time_s or 0.0 for frame in decoded]
    assert times == sorted(set(times))
