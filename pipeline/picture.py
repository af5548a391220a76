"""A picture as BGR, whatever form it came in; made once, however many stages ask for it.

The conversion is the definition (ITU-T H.273) in one fixed-point matrix: at most 0.7 of a step
from the exact value for every matrix, range and size. Chroma is repeated, not interpolated, as
swscale does by default; swscale's fast path is up to 3 steps off and blurs chroma at odd sizes.
"""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import Truncated
from .frame import Image, Matrix

Picture = NDArray[np.uint8]

LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""Weights of red and blue in luma (ITU-R BT.601, BT.709, BT.2020); green has the rest."""

MEMO = "_bgr"
"""Where the result is kept: in the Image's own ``__dict__``, so that it dies with it."""


def to_bgr(image: Image) -> Picture:
    """``image`` as BGR (H, W, 3) uint8, not to be written to: all who ask get the same array.

    Any thread may ask; two that ask at the same moment may both do the work.

    :raises Truncated: when encoded bytes are not a whole picture of the size they claim.
    """
    known = vars(image).get(MEMO)
    if known is None:
        known = vars(image)[MEMO] = _convert(image)
    return cast(Picture, known)


def yuv_to_bgr_matrix(matrix: Matrix, full_range: bool) -> NDArray[np.float32]:
    """The affine map (3, 4) from Y, U, V (0…255 each) to B, G, R (0…255 each)."""
    red, blue = LUMA_WEIGHTS[matrix]
    green = 1 - red - blue
    luma, chroma = (1.0, 1.0) if full_range else (255 / 219, 255 / 224)
    black = 0 if full_range else 16
    linear = np.array(
        [
            [luma, 2 * (1 - blue) * chroma, 0],
            [
                luma,
                -2 * (1 - blue) * blue / green * chroma,
                -2 * (1 - red) * red / green * chroma,
            ],
            [luma, 0, 2 * (1 - red) * chroma],
        ]
    )
    offset = -linear @ np.array([black, 128, 128])
    return np.column_stack([linear, offset]).astype(np.float32)


def _convert(image: Image) -> Picture:
    if image.format == "bgr24":
        return image.planes[0]
    if image.format == "jpeg":
        return _decode(image)
    luma, *chroma = image.planes
    repeated = [_repeat(plane)[: image.height, : image.width] for plane in chroma]
    yuv = cv2.merge((luma, *repeated))
    matrix = yuv_to_bgr_matrix(image.matrix, image.full_range)
    return cast(Picture, cv2.transform(yuv, matrix))


def _repeat(plane: Picture) -> Picture:
    height, width = plane.shape
    size = (2 * width, 2 * height)
    return cast(Picture, cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST))


def _decode(image: Image) -> Picture:
    encoded = image.planes[0]
    # Orientation tags are ignored: the masks belong to the picture as it was encoded.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    decoded = cv2.imdecode(encoded, flags) if encoded.size else None
    if decoded is None or decoded.shape[:2] != (image.height, image.width):
        raise Truncated(
            where="picture",
            wanted=f"JPEG bytes of {image.width}x{image.height} px",
            got="bytes that are no picture" if decoded is None else f"{decoded.shape[1::-1]} px",
            remedy="The sender's picture is damaged; skip it",
        )
    return cast(Picture, decoded)
