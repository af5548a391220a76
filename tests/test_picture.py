"""pipeline.picture: the right colours, to the pixel, for every matrix, range and size."""

from dataclasses import replace
from typing import cast

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from pipeline.errors import Truncated
from pipeline.frame import Image, Matrix
from pipeline.picture import to_bgr

MATRICES: tuple[Matrix, ...] = ("bt601", "bt709", "bt2020")
SIZES = [(48, 64), (1, 1), (1, 2), (2, 1), (3, 5), (47, 65)]
SWSCALE = {"bt601": 5, "bt709": 1, "bt2020": 9}


def uniform(y: int, u: int, v: int, matrix: Matrix, full_range: bool = False) -> Image:
    """A picture of one colour, 3x3 px."""
    luma = np.full((3, 3), y, np.uint8)
    chroma = (np.full((2, 2), u, np.uint8), np.full((2, 2), v, np.uint8))
    return Image("yuv420p", (luma, *chroma), 3, 3, matrix, full_range)


def noise(height: int, width: int, matrix: Matrix, full_range: bool) -> Image:
    """A picture of random planes: every colour, also those outside of RGB."""
    generator = np.random.default_rng(height * 1000 + width)
    half = ((height + 1) // 2, (width + 1) // 2)
    planes = tuple(
        generator.integers(0, 256, shape).astype(np.uint8)
        for shape in ((height, width), half, half)
    )
    return Image("yuv420p", planes, width, height, matrix, full_range)


def by_definition(image: Image) -> NDArray[np.float64]:
    """BGR as ITU-T H.273 defines it, in floating point, clipped to 0…255."""
    red, blue = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}[
        image.matrix
    ]
    rows = np.arange(image.height)[:, None]
    columns = np.arange(image.width)[None, :]
    y = image.planes[0].astype(float)
    u, v = (plane[rows // 2, columns // 2] - 128.0 for plane in image.planes[1:])
    if not image.full_range:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    r = y + 2 * (1 - red) * v
    b = y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    bgr: NDArray[np.float64] = np.clip(np.stack([b, g, r], axis=-1), 0, 255)
    return bgr


@pytest.mark.parametrize(
    ("yuv", "matrix", "full_range", "bgr"),
    [
        ((16, 128, 128), "bt601", False, (0, 0, 0)),
        ((235, 128, 128), "bt709", False, (255, 255, 255)),
        ((126, 128, 128), "bt2020", False, (128, 128, 128)),
        ((0, 128, 128), "bt601", True, (0, 0, 0)),
        ((255, 128, 128), "bt709", True, (255, 255, 255)),
        ((81, 90, 240), "bt601", False, (0, 0, 254)),  # pure red, as BT.601 codes it
        ((63, 102, 240), "bt709", False, (1, 0, 255)),  # pure red, as BT.709 codes it
        ((76, 85, 255), "bt601", True, (0, 0, 254)),  # pure red in a JPEG
        ((145, 54, 34), "bt601", False, (1, 255, 0)),  # pure green
        ((32, 240, 118), "bt709", False, (255, 0, 1)),  # pure blue
    ],
)
def test_known_colours(
    yuv: tuple[int, int, int], matrix: Matrix, full_range: bool, bgr: tuple[int, int, int]
) -> None:
    pixels = to_bgr(uniform(*yuv, matrix, full_range)).reshape(-1, 3)
    assert (pixels == pixels[0]).all()
    assert np.abs(pixels[0].astype(int) - bgr).max() <= 1


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("size", SIZES)
def test_is_the_definition_within_a_step(
    size: tuple[int, int], matrix: Matrix, full_range: bool
) -> None:
    image = noise(*size, matrix, full_range)
    bgr = to_bgr(image)
    assert bgr.shape == (*size, 3)
    assert bgr.dtype == np.uint8
    assert np.abs(bgr - by_definition(image)).max() < 0.7


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_agrees_with_swscale_to_its_precision(matrix: Matrix, full_range: bool) -> None:
    image = noise(48, 64, matrix, full_range)
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, values in zip(frame.planes, image.planes, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[:, : values.shape[1]] = values
    theirs = frame.to_ndarray(
        format="bgr24",
        src_colorspace=SWSCALE[matrix],
        src_color_range=2 if full_range else 1,
        dst_color_range=2,
        interpolation=Interpolation.POINT,
    )
    assert np.abs(to_bgr(image).astype(int) - theirs.astype(int)).max() <= 3


def test_bgr_goes_through_untouched() -> None:
    bgr = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert to_bgr(Image.from_bgr(bgr)) is bgr


def test_padded_rows_of_a_decoder_are_not_seen() -> None:
    image = noise(6, 10, "bt601", False)
    padded = tuple(np.pad(plane, ((0, 0), (0, 7)), constant_values=255) for plane in image.planes)
    widths = (10, 5, 5)
    views = tuple(plane[:, :width] for plane, width in zip(padded, widths, strict=True))
    assert np.array_equal(to_bgr(replace(image, planes=views)), to_bgr(image))


def test_the_work_is_done_once_for_an_image() -> None:
    image = noise(4, 4, "bt601", False)
    assert to_bgr(image) is to_bgr(image)


def jpeg(height: int = 16, width: int = 24) -> NDArray[np.uint8]:
    picture = np.full((height, width, 3), (200, 100, 50), np.uint8)
    return cast(NDArray[np.uint8], cv2.imencode(".jpg", picture)[1])


def test_jpeg_bytes_become_bgr() -> None:
    bgr = to_bgr(Image("jpeg", (jpeg(),), 24, 16))
    assert bgr.shape == (16, 24, 3)
    assert np.abs(bgr.astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize(
    ("bytes_", "got"),
    [
        (np.zeros(0, np.uint8), "no picture"),
        (np.arange(99, dtype=np.uint8), "no picture"),
        (jpeg(8, 8), r"\(8, 8\) px"),
    ],
)
def test_damaged_jpeg_is_an_error_of_the_wire(bytes_: NDArray[np.uint8], got: str) -> None:
    with pytest.raises(Truncated, match=got):
        to_bgr(Image("jpeg", (bytes_,), 24, 16))
