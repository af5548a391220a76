"""Things cut out of one picture and put into another."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .sample import Picture

Matrix = NDArray[np.float64]
"""2 x 3, from cut-out pixels to canvas pixels (centres of pixels at whole numbers)."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """``bgr`` (h, w, 3) uint8, ``alpha`` (h, w) uint8 (255 = the thing), ``label``: its class."""

    bgr: Picture
    alpha: NDArray[np.uint8]
    label: int

    @property
    def area(self) -> float:
        """What the thing covers, px²."""
        return float(self.alpha.sum(dtype=np.int64)) / 255


def placing(
    cutout: Cutout,
    centre: tuple[float, float],
    scale: tuple[float, float],
    angle_rad: float = 0.0,
) -> Matrix:
    """The matrix that scales (x, y; negative flips), turns, and centres a cut-out, px."""
    h, w = cutout.alpha.shape
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    linear = np.array([[cos, -sin], [sin, cos]]) * np.array(scale)
    offset = np.array(centre) - linear @ ((w - 1) / 2, (h - 1) / 2)
    return np.column_stack([linear, offset])


def stamp(
    canvas: Picture,
    cutout: Cutout,
    matrix: Matrix,
    finish: Callable[[Picture], Picture] | None = None,
    shadow: float = 0.0,
) -> tuple[int, int, NDArray[np.bool_]]:
    """Draw a cut-out onto ``canvas`` in place; returns x, y and the bits that show it.

    A pixel belongs to the thing when at least half of its colour does. The bits are (0, 0) when
    all lies outside. ``shadow``: darkness (0 to 1) of a soft shadow; it is not part of the thing.
    """
    cutout, matrix = _shrink(cutout, matrix)
    x0, y0, x1, y1 = _window(cutout, matrix, canvas)
    if x1 <= x0 or y1 <= y0:
        return 0, 0, np.zeros((0, 0), np.bool_)
    shifted = matrix - np.array([[0, 0, x0], [0, 0, y0]])
    size = (x1 - x0, y1 - y0)
    alpha = np.asarray(cv2.warpAffine(cutout.alpha, shifted, size), np.uint8)
    if shadow:
        _cast(canvas, (x0, y0), alpha, shadow)
    bgr = cv2.warpAffine(cutout.bgr, shifted, size, borderMode=cv2.BORDER_REPLICATE)
    colours = np.asarray(bgr, np.uint8)
    window = canvas[y0:y1, x0:x1]
    weight = alpha.astype(np.float32) / 255
    window[:] = cv2.blendLinear(finish(colours) if finish else colours, window, weight, 1 - weight)
    return x0, y0, alpha >= 128


def _shrink(cutout: Cutout, matrix: Matrix) -> tuple[Cutout, Matrix]:
    """Halve what would be drawn at less than half its size, so that no pixel is skipped."""
    while np.abs(np.linalg.det(matrix[:, :2])) < 0.25 and min(cutout.alpha.shape) > 8:
        h, w = cutout.alpha.shape
        half = (w // 2, h // 2)
        cutout = Cutout(
            np.asarray(cv2.resize(cutout.bgr, half, interpolation=cv2.INTER_AREA), np.uint8),
            np.asarray(cv2.resize(cutout.alpha, half, interpolation=cv2.INTER_AREA), np.uint8),
            cutout.label,
        )
        factors = np.array([w / half[0], h / half[1]])
        offset = matrix[:, 2] + matrix[:, :2] @ ((factors - 1) / 2)
        matrix = np.column_stack([matrix[:, :2] * factors, offset])
    return cutout, matrix


def _window(cutout: Cutout, matrix: Matrix, canvas: Picture) -> tuple[int, int, int, int]:
    h, w = cutout.alpha.shape
    corners = np.array([[-1, w, w, -1], [-1, -1, h, h], [1, 1, 1, 1]], np.float64)
    points = matrix @ corners
    low = np.maximum(np.floor(points.min(axis=1)).astype(int), 0)
    high = np.minimum(np.ceil(points.max(axis=1)).astype(int) + 1, canvas.shape[1::-1])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _cast(canvas: Picture, at: tuple[int, int], alpha: NDArray[np.uint8], darkness: float) -> None:
    """Darken ``canvas`` below and to the right of the thing, softly."""
    reach = max(2, round(0.05 * min(alpha.shape)))
    around = np.pad(alpha, reach)
    soft = np.asarray(cv2.stackBlur(around, (2 * reach + 1, 2 * reach + 1)), np.float32)
    window = canvas[at[1] : at[1] + soft.shape[0], at[0] : at[0] + soft.shape[1]]
    kept = 1 - soft[: window.shape[0], : window.shape[1]] * (darkness / 255)
    window[:] = cv2.multiply(window, cv2.merge([kept, kept, kept]), dtype=cv2.CV_8U)
