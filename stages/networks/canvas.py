"""Pictures resized to what a network takes, and laid onto one canvas."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from .segmenter import Batch, Placement


def resized_size(
    height: int, width: int, *, long_px: int, short_px: int, aspect: float = 1.0
) -> tuple[int, int]:
    """(height, width) px of the largest picture within both bounds, rounded as mmdetection does.

    ``aspect``: width ÷ height of a pixel as shown; the result has square pixels.
    """
    shown = width * aspect
    factor = min(long_px / max(height, shown), short_px / min(height, shown))
    return max(1, int(height * factor + 0.5)), max(1, int(shown * factor + 0.5))


def lay_out(
    pictures: Sequence[NDArray[np.uint8]],
    aspects: Sequence[float] | None = None,
    *,
    long_px: int,
    short_px: int,
    divisor: int,
) -> Batch:
    """Resize BGR pictures (H, W, 3) keeping their shape, and pad them to one canvas with zeros.

    Every picture lies in the upper left corner; the canvas' sides are multiples of ``divisor``.

    :raises ValueError: for an array that is no BGR picture of at least one pixel.
    """
    sizes = []
    for picture, aspect in zip(pictures, aspects or [1.0] * len(pictures), strict=True):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"a picture must be uint8 (H, W, 3), got {picture.dtype} {picture.shape}"
            )
        if 0 in picture.shape:
            raise ValueError(f"a picture must have pixels, got {picture.shape}")
        height, width = picture.shape[:2]
        sizes.append(resized_size(height, width, long_px=long_px, short_px=short_px, aspect=aspect))
    canvas = np.zeros((len(pictures), *_canvas_size(sizes, divisor), 3), np.uint8)
    for target, picture, (height, width) in zip(canvas, pictures, sizes, strict=True):
        target[:height, :width] = cv2.resize(
            picture, (width, height), interpolation=cv2.INTER_LINEAR
        )
    placements = tuple(
        Placement(source=(picture.shape[0], picture.shape[1]), resized=size)
        for picture, size in zip(pictures, sizes, strict=True)
    )
    return Batch(torch.from_numpy(canvas), placements)


def _canvas_size(sizes: Sequence[tuple[int, int]], divisor: int) -> tuple[int, int]:
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    return -(-height // divisor) * divisor, -(-width // divisor) * divisor
