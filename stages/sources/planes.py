"""A decoder's picture as an Image: upright, 8 bits, its colours declared.

4:2:0 stays as the decoder's own planes, without a copy. Other subsampled YUV and deeper 4:2:0
become 8 bit 4:2:0; RGB, grey, palettes, 4:4:4 and alpha become BGR (alpha is left out).
"""

from collections.abc import Callable
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline.frame import Image, Matrix

Plane = NDArray[np.uint8]
Turn = Callable[[Plane], Plane]

PLANAR_420 = ("yuv420p", "yuvj420p")
MATRICES: dict[int, Matrix] = {
    1: "bt709",
    4: "bt601",  # FCC: within a step of BT.601
    5: "bt601",
    6: "bt601",
    7: "bt709",  # SMPTE 240M: the nearest
    9: "bt2020",
    10: "bt2020",
}
"""AVColorSpace (ITU-T H.273, table 4) → the matrix; what is missing here is unspecified."""
SWSCALE = {"bt601": Colorspace.ITU601, "bt709": Colorspace.ITU709, "bt2020": Colorspace.BT2020}
LIMITED, FULL = 1, 2
"""AVColorRange."""
HD_HEIGHT_PX = 720
"""From here on, a picture that does not say its matrix has that of high definition."""


class Unpacker:
    """Turns frames into Images. Belongs to one thread: it keeps swscale's state."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._orientations: dict[int, tuple[Turn | None, bool]] = {}

    def __call__(self, frame: av.VideoFrame, sample_aspect: Fraction | None) -> Image:
        """``frame`` as an Image; 4:2:0 planes are views into the decoder's buffer."""
        turn, swaps = self._orientation(frame)
        matrix = _matrix(frame)
        full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
        aspect = sample_aspect or Fraction(1)
        if _stays_planar(frame, turned=turn is not None):
            planes = _planes_420(self._as_420(frame, matrix, full))
            pixel_format = "yuv420p"
        else:
            planes = (_packed(self._as_bgr(frame, matrix, full)),)
            pixel_format = "bgr24"
        if turn is not None:
            planes = tuple(np.ascontiguousarray(turn(plane)) for plane in planes)
        height, width = planes[0].shape[:2]
        return Image(
            "yuv420p" if pixel_format == "yuv420p" else "bgr24",
            planes,
            width,
            height,
            matrix,
            full,
            1 / aspect if swaps else aspect,
        )

    def _orientation(self, frame: av.VideoFrame) -> tuple[Turn | None, bool]:
        # Once for each angle and not for each frame: reading the matrix ties a knot of references
        # (PyAV 18), and a frame in a knot keeps its megabytes until the garbage collector comes.
        known = self._orientations.get(frame.rotation)
        if known is None:
            known = self._orientations[frame.rotation] = orientation(frame)
        return known

    def _as_420(self, frame: av.VideoFrame, matrix: Matrix, full: bool) -> av.VideoFrame:
        if frame.format.name in PLANAR_420:
            return frame
        colour_range = FULL if full else LIMITED
        return self._convert(frame, "yuv420p", matrix, colour_range, colour_range)

    def _as_bgr(self, frame: av.VideoFrame, matrix: Matrix, full: bool) -> av.VideoFrame:
        grey = len(frame.format.components) == 1  # which swscale takes as full range by itself
        source = FULL if full or frame.format.is_rgb or grey else LIMITED
        return self._convert(frame, "bgr24", matrix, source, FULL)

    def _convert(
        self, frame: av.VideoFrame, pixel_format: str, matrix: Matrix, source: int, target: int
    ) -> av.VideoFrame:
        return self._reformatter.reformat(
            frame,
            format=pixel_format,
            src_colorspace=SWSCALE[matrix],
            dst_colorspace=SWSCALE[matrix],
            src_color_range=source,
            dst_color_range=target,
            interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
            threads=1,
        )


def orientation(frame: av.VideoFrame) -> tuple[Turn | None, bool]:
    """How the display matrix wants an array turned (None: not at all), and if it swaps the axes.

    Quarter turns and mirrorings; another angle counts as the one without slanting.
    """
    side_data = cast(SideDataContainer, frame.side_data)
    found = next((item for item in side_data if item.type == SideDataType.DISPLAYMATRIX), None)
    if found is None:
        return None, False
    # (x, y) is shown at (a x + c y, b x + d y), in fixed point (av_display_rotation_set).
    a, b, _, c, d = np.frombuffer(memoryview(found), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        rows, columns = (-1 if d < 0 else 1), (-1 if a < 0 else 1)
        upright = rows == columns == 1
        return (None if upright else lambda plane: plane[::rows, ::columns]), False
    rows, columns = (-1 if b < 0 else 1), (-1 if c < 0 else 1)
    return lambda plane: plane.swapaxes(0, 1)[::rows, ::columns], True


def _matrix(frame: av.VideoFrame) -> Matrix:
    assumed: Matrix = "bt709" if frame.height >= HD_HEIGHT_PX else "bt601"
    return MATRICES.get(frame.colorspace, assumed)


def _stays_planar(frame: av.VideoFrame, *, turned: bool) -> bool:
    """Whether the picture keeps (or gets) planes with chroma of half size."""
    shape = frame.format
    if shape.is_rgb or shape.has_palette or len(shape.components) != 3:
        return False
    subsampled = shape.chroma_width(2) == 1 or shape.chroma_height(2) == 1
    # Turning moves the half chroma pixel of an odd side to the other end, where it is not meant.
    return subsampled and not (turned and (frame.width % 2 or frame.height % 2))


def _planes_420(frame: av.VideoFrame) -> tuple[Plane, ...]:
    half = ((frame.height + 1) // 2, (frame.width + 1) // 2)
    shapes = ((frame.height, frame.width), half, half)
    return tuple(
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, :width]
        for plane, (height, width) in zip(frame.planes, shapes, strict=True)
    )


def _packed(frame: av.VideoFrame) -> Plane:
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height, : frame.width * 3].reshape(frame.height, frame.width, 3)
