"""stages.decode: how a source behaves: order, times, epochs, stopping, pictures and scenes."""

import gc
import subprocess
import sys
import threading
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.clock import ManualClock, SystemClock
from pipeline.frame import Frame, Image
from pipeline.picture import to_bgr
from pipeline.stage import Source
from stages.decode import Decode, DecodeSettings, http_options, rtsp_options, webcam_options
from stages.sources.address import parse_sources
from stages.sources.capture import Capture
from stages.sources.container import Opening, opened
from stages.sources.timeline import Timeline
from tests.media import moving_square, write_video
from tests.opening import source


def decode(address: object, **settings: object) -> list[Frame]:
    return list(source(str(address), **settings).run(threading.Event()))


def test_a_file_from_its_first_picture_to_its_last(tmp_path: Path) -> None:
    path = write_video(tmp_path / "Walk One.mp4", 10)
    clip = source(str(path))
    assert isinstance(clip, Source)
    assert (clip.stream, clip.live) == ("walk-one", False)
    frames = list(clip.run(threading.Event()))
    assert [(frame.stream, frame.epoch, frame.seq) for frame in frames] == [
        ("walk-one", 0, seq) for seq in range(10)
    ]
    assert [frame.media_time_s for frame in frames] == pytest.approx([i / 25 for i in range(10)])
    assert all(frame.dropped == {} for frame in frames)
    arrivals = [frame.captured_ns for frame in frames]
    assert arrivals == sorted(arrivals)


def test_a_file_may_be_decoded_twice(tmp_path: Path) -> None:
    clip = source(str(write_video(tmp_path / "a.mp4", 3)))
    assert len(list(clip.run(threading.Event()))) == len(list(clip.run(threading.Event()))) == 3


def test_several_threads_decode_the_same(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 30)
    one, four = decode(path), decode(path, threads=4)
    for a, b in zip(one, four, strict=True):
        assert a.pts == b.pts
        assert a.image is not None
        assert b.image is not None
        assert np.array_equal(to_bgr(a.image), to_bgr(b.image))


def test_planes_are_the_decoders_own_and_stay_valid(tmp_path: Path) -> None:
    frames = decode(write_video(tmp_path / "a.mkv", 30, codec="ffv1"))
    for index, frame in enumerate(frames):  # all held at once, after the container was closed
        assert frame.image is not None
        assert all(not plane.flags.owndata for plane in frame.image.planes)
        difference = to_bgr(frame.image).astype(int) - moving_square(index).astype(int)
        assert np.median(np.abs(difference)) <= 2


def frames_alive() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_frames_are_freed_without_the_garbage_collector(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 60, rotation=90)
    gc.collect()
    before = frames_alive()
    gc.disable()
    try:
        for _ in source(str(path)).run(threading.Event()):
            pass
        after = frames_alive()
    finally:
        gc.enable()
    assert after - before <= 2  # what other tests left does not count


def test_the_number_of_pictures_can_be_limited(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 10)
    assert [frame.seq for frame in decode(path, max_frames=4)] == [0, 1, 2, 3]
    assert len(decode("synthetic:crossing?size=32x32", max_frames=2)) == 2


def test_stop_ends_a_file(tmp_path: Path) -> None:
    stop = threading.Event()
    frames = source(str(write_video(tmp_path / "a.mp4", 50))).run(stop)
    next(frames)
    stop.set()
    assert len(list(frames)) == 0


def test_the_time_that_a_file_was_made_is_its_clock(tmp_path: Path) -> None:
    path = tmp_path / "dated.mp4"
    made = datetime(2024, 5, 17, 12, 30, tzinfo=UTC)
    with av.open(str(path), "w") as container:
        container.metadata["creation_time"] = made.isoformat()
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(moving_square(index), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = decode(path)
    assert {frame.clock for frame in frames} == {"media"}
    passed_s = [frame.captured_utc_ns / 1e9 - made.timestamp() for frame in frames]
    assert passed_s == pytest.approx([0, 0.1, 0.2], abs=1e-3)


def test_a_new_size_is_a_new_epoch(tmp_path: Path) -> None:
    path = tmp_path / "grows.ts"
    parts = [write_video(tmp_path / f"{width}.ts", 3, width=width) for width in (64, 96)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = decode(path)
    shown = [(frame.epoch, frame.seq, frame.image.width) for frame in frames if frame.image]
    assert shown == [(0, 0, 64), (0, 1, 64), (0, 2, 64), (1, 0, 96), (1, 1, 96), (1, 2, 96)]


def test_pictures_of_a_folder_in_natural_order(tmp_path: Path) -> None:
    for index in (2, 10, 1):
        cv2.imwrite(str(tmp_path / f"shot{index}.png"), np.full((8, 8, 3), index, np.uint8))
    frames = decode(tmp_path, picture_rate_hz=5)
    assert [int(to_bgr(f.image)[0, 0, 0]) for f in frames if f.image] == [1, 2, 10]
    assert [frame.media_time_s for frame in frames] == pytest.approx([0, 0.2, 0.4])


def test_pictures_of_different_sizes_are_epochs(tmp_path: Path) -> None:
    for index, width in enumerate((8, 8, 12)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((8, width, 3), np.uint8))
    assert [(frame.epoch, frame.seq) for frame in decode(tmp_path)] == [(0, 0), (0, 1), (1, 0)]


def test_one_picture_is_a_stream_of_one(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "cat.png"), moving_square(0))
    (frame,) = decode(tmp_path / "cat.png")
    assert frame.image is not None
    assert np.array_equal(to_bgr(frame.image), moving_square(0))


def test_a_scene_is_rendered_the_same_each_time() -> None:
    address = "synthetic:crossing?size=64x48&fps=5&seed=3"
    first, second = decode(address, max_frames=3), decode(address, max_frames=3)
    assert [frame.media_time_s for frame in first] == pytest.approx([0, 0.2, 0.4])
    for one, other in zip(first, second, strict=True):
        assert one.image is not None
        assert other.image is not None
        assert np.array_equal(to_bgr(one.image), to_bgr(other.image))


def test_a_live_scene_keeps_its_time() -> None:
    clock = ManualClock()
    (spec,) = parse_sources(["synthetic:crossing?size=32x32&fps=10&live=1"])
    scene = Decode(spec, DecodeSettings(max_frames=5), clock=clock)
    assert scene.live
    times_s = [frame.captured_ns / 1e9 for frame in scene.run(threading.Event())]
    assert times_s == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def most_delayed(path: Path, *, live: bool) -> int:
    """By how many packets the pictures lie behind what was read, at most, with four threads."""
    opening = Opening("test", f"file:{path}", live=live, threads=4, options={})
    packets: list[None] = []
    behind = []
    with opened(opening) as container:
        capture = Capture(
            container, "test", SystemClock(), beat=lambda: packets.append(None)
        ).frames()
        for come, _ in zip(range(1, 21), capture, strict=False):
            behind.append(len(packets) - come)
    return max(behind)


def test_a_live_picture_is_not_held_back_by_decoder_threads(tmp_path: Path) -> None:
    no_b_frames = {"bf": "0", "tune": "zerolatency"}
    path = write_video(tmp_path / "a.mp4", 30, options=no_b_frames)
    assert most_delayed(path, live=True) == 0
    assert most_delayed(path, live=False) > 0


def timeline(*, live: bool = False, clock: ManualClock | None = None) -> Timeline:
    return Timeline("cam", Fraction(1, 100), clock or ManualClock(), live=live)


IMAGE = Image.from_bgr(np.zeros((2, 2, 3), np.uint8))


def numbers(frames: list[Frame]) -> list[tuple[int, int, int | None]]:
    return [(frame.epoch, frame.seq, frame.pts) for frame in frames]


def test_time_that_goes_back_far_is_another_epoch() -> None:
    line = timeline()
    frames = [line.frame(IMAGE, pts, 0) for pts in (0, 500, 1000, 10, 20)]
    assert numbers(frames) == [(0, 0, 0), (0, 1, 500), (0, 2, 1000), (1, 0, 10), (1, 1, 20)]


def test_time_that_stumbles_is_mended() -> None:
    line = timeline()
    frames = [line.frame(IMAGE, pts, 0) for pts in (0, 10, 10, 5, 20)]
    assert numbers(frames) == [(0, 0, 0), (0, 1, 10), (0, 2, 11), (0, 3, 12), (0, 4, 20)]


def test_missing_timestamps_are_counted_on() -> None:
    line = timeline()
    frames = [line.frame(IMAGE, pts, 0, step=4) for pts in (None, None, 50, None)]
    assert [frame.pts for frame in frames] == [0, 4, 50, 54]


def test_missing_timestamps_of_a_camera_are_those_of_arrival() -> None:
    line = timeline(live=True)
    arrivals_ns = (0, 40_000_000, 120_000_000)
    frames = [line.frame(IMAGE, None, arrived_ns) for arrived_ns in arrivals_ns]
    assert [frame.pts for frame in frames] == [0, 4, 12]


def test_a_cameras_time_that_runs_ahead_is_another_epoch_and_a_burst_is_not() -> None:
    line = timeline(live=True)
    second = 1_000_000_000
    stalled = [(0, 0), (4, 5 * second), (500, 5 * second), (504, 5 * second)]
    jumped = [(9000, 5 * second), (9004, 5 * second)]
    frames = [line.frame(IMAGE, pts, arrived_ns) for pts, arrived_ns in stalled + jumped]
    assert [frame.epoch for frame in frames] == [0, 0, 0, 0, 1, 1]


def test_a_slideshow_may_stand_still_for_hours() -> None:
    line = timeline()
    frames = [line.frame(IMAGE, pts, 0) for pts in (0, 1_000_000, 2_000_000)]
    assert {frame.epoch for frame in frames} == {0}


def test_what_is_lost_is_on_the_next_picture() -> None:
    line = timeline()
    first = line.frame(IMAGE, 0, 0)
    line.lose("corrupt")
    line.lose("corrupt")
    after = line.frame(IMAGE, 30, 0)
    assert (first.seq, dict(first.dropped)) == (0, {})
    assert (after.seq, dict(after.dropped)) == (3, {"corrupt": 2})


def test_what_is_lost_before_another_size_is_not_forgotten() -> None:
    line = timeline()
    line.frame(IMAGE, 0, 0)
    line.lose("corrupt")
    wider = Image.from_bgr(np.zeros((IMAGE.height, IMAGE.width + 2, 3), np.uint8))
    after = line.frame(wider, 30, 0)
    assert (after.epoch, after.seq, dict(after.dropped)) == (1, 1, {"corrupt": 1})


def test_arrival_is_told_in_utc() -> None:
    clock = ManualClock(utc_ns=5_000_000_000)
    clock.advance(2)
    frame = timeline(clock=clock).frame(IMAGE, 0, arrived_ns=1_500_000_000)
    assert (frame.captured_utc_ns, frame.clock) == (6_500_000_000, "arrival")


def test_rtsp_options_are_those_of_this_ffmpeg() -> None:
    options = rtsp_options(DecodeSettings(stall_timeout_s=4))
    assert options["timeout"] == "5000000"  # µs; our own watch comes a second earlier
    assert options["rtsp_transport"] == "tcp"
    assert options["allowed_media_types"] == "video"
    assert "buffer_size" not in options
    udp = rtsp_options(DecodeSettings(rtsp_transport="udp", arrival_timestamps=True))
    assert (udp["buffer_size"], udp["max_delay"]) == ("4000000", "200000")
    assert udp["use_wallclock_as_timestamps"] == "1"
    assert http_options(DecodeSettings(stall_timeout_s=4))["rw_timeout"] == "5000000"
    webcam = webcam_options(DecodeSettings(webcam_size="640x480", webcam_rate_hz=15))
    assert webcam == {"video_size": "640x480", "framerate": "15.0"}
    assert webcam_options(DecodeSettings()) == {}


def test_decode_needs_no_torch() -> None:
    check = "import sys, stages.decode; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0
