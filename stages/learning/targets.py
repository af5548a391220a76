"""What each cell of SOLOv2's grids shall predict for a picture, in numpy.

The rules are those of mmdetection 3.3 (SOLOv2's head), which differ in places from the paper. An
object belongs to every level whose range holds the square root of its box's area, and there to the
cells around its centre of mass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.networks.solov2.spec import Spec

# N objects · S grid side · K positive cells, one entry for each object painted there · H W canvas


@dataclass(frozen=True, eq=False)
class LevelTargets:
    """One level of one picture."""

    labels: NDArray[np.int64]
    """(S, S) class of each cell; the number of classes means background."""
    cells: NDArray[np.int64]
    """(K,) index into the flattened grid. A cell of two objects is here twice."""
    objects: NDArray[np.int64]
    """(K,) whose mask that cell shall predict: index into ``PictureTargets.masks``."""
    ignored: NDArray[np.bool_]
    """(S, S) background cells whose class must not be learnt: nobody knows what is there."""


@dataclass(frozen=True, eq=False)
class PictureTargets:
    """All levels of one picture, the finest first, and the masks that they refer to."""

    levels: tuple[LevelTargets, ...]
    masks: NDArray[np.uint8]
    """(N, H ÷ 4, W ÷ 4), 0 or 1."""
    unlabelled: tuple[int, ...] = ()
    """Classes that nobody looked for here: where there is none of them, that is not learnt."""


def picture_targets(
    masks: NDArray[np.uint8],
    classes: NDArray[np.int64],
    spec: Spec,
    boxes: NDArray[np.float32] | None = None,
    ignore: NDArray[np.bool_] | None = None,
    unlabelled: tuple[int, ...] = (),
) -> PictureTargets:
    """Targets of one picture on its padded canvas.

    ``masks`` (N, H, W) 0 or 1 · ``classes`` (N,) · ``boxes`` (N, 4) x0 y0 x1 y1 px, those of the
    masks unless given · ``ignore`` (H, W) where unlabelled objects are · ``unlabelled`` classes.
    """
    canvas = masks.shape[1:]
    boxes = mask_boxes(masks) if boxes is None else boxes
    centres = [_centre(mask) for mask in masks]
    levels = []
    for grid, bounds in zip(spec.grids, _ranges_px(spec, canvas), strict=True):
        level = _Level(grid, canvas, len(spec.classes), spec.center_region)
        for index in _of_level(boxes, bounds):
            if (centre := centres[index]) is not None:
                level.paint(index, int(classes[index]), centre, boxes[index])
        levels.append(level.targets(ignore))
    return PictureTargets(tuple(levels), _quarter(masks, spec.mask_stride), unlabelled)


def mask_boxes(masks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Tight boxes (N, 4) of masks (N, H, W), x0 y0 x1 y1 px, ends exclusive; zero if empty."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        x, y, width, height = cv2.boundingRect(np.ascontiguousarray(mask))
        box[:] = x, y, x + width, y + height
    return boxes


class _Level:
    """A grid being painted."""

    def __init__(self, grid: int, canvas: tuple[int, ...], background: int, share: float) -> None:
        self._grid, self._canvas, self._share = grid, canvas, share
        self._background = background
        self._labels = np.full((grid, grid), background, np.int64)
        self._cells: list[int] = []
        self._objects: list[int] = []

    def paint(
        self, index: int, label: int, centre: tuple[float, float], box: NDArray[np.float32]
    ) -> None:
        """Give object ``index`` the cells around its centre (y, x); the last class stays."""
        reach_y, reach_x = (box[3] - box[1]) / 2 * self._share, (box[2] - box[0]) / 2 * self._share
        rows = self._span(centre[0], reach_y, self._canvas[0])
        columns = self._span(centre[1], reach_x, self._canvas[1])
        for row in rows:
            for column in columns:
                self._labels[row, column] = label
                self._cells.append(row * self._grid + column)
                self._objects.append(index)

    def _span(self, centre: float, reach: float, size: int) -> range:
        """Cells within ``reach`` of the centre, at most one beyond the centre's own cell."""
        middle = self._cell(centre, size)
        first = max(self._cell(centre - reach, size), 0, middle - 1)
        last = min(self._cell(centre + reach, size), self._grid - 1, middle + 1)
        return range(first, last + 1)

    def _cell(self, position: float, size: int) -> int:
        return int((position / size) / (1 / self._grid))

    def targets(self, ignore: NDArray[np.bool_] | None) -> LevelTargets:
        ignored = np.zeros_like(self._labels, bool)
        if ignore is not None:
            steps = (np.arange(self._grid) + 0.5) / self._grid
            rows, columns = ((steps * size).astype(np.intp) for size in self._canvas)
            ignored = ignore[np.ix_(rows, columns)] & (self._labels == self._background)
        cells, objects = np.array(self._cells, np.int64), np.array(self._objects, np.int64)
        return LevelTargets(self._labels, cells, objects, ignored)


def _ranges_px(spec: Spec, canvas: tuple[int, ...]) -> list[tuple[float, float]]:
    unit = float(np.sqrt(canvas[0] * canvas[1])) if spec.relative_ranges else 1.0
    return [(low * unit, high * unit) for low, high in spec.scale_ranges]


def _of_level(boxes: NDArray[np.float32], bounds_px: tuple[float, float]) -> Iterator[int]:
    sides = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    for index in np.flatnonzero((sides >= bounds_px[0]) & (sides <= bounds_px[1])):
        yield int(index)


def _centre(mask: NDArray[np.uint8]) -> tuple[float, float] | None:
    """Centre of mass (y, x) in pixel indices; None if the mask is empty."""
    rows, columns = mask.sum(1, dtype=np.int64), mask.sum(0, dtype=np.int64)
    area = int(rows.sum())
    if area == 0:
        return None
    y = float(rows @ np.arange(len(rows))) / area
    return y, float(columns @ np.arange(len(columns))) / area


def _quarter(masks: NDArray[np.uint8], stride: int) -> NDArray[np.uint8]:
    """Masks at the size of the mask features."""
    height, width = masks.shape[1:]
    small = np.zeros((len(masks), height // stride, width // stride), np.uint8)
    for target, mask in zip(small, masks, strict=True):
        target[:] = shrink(mask, stride)
    return small


def shrink(mask: NDArray[np.uint8], stride: int) -> NDArray[np.uint8]:
    """A mask (H, W) ``stride`` times smaller, as OpenCV resizes bytes: still 0 or 1."""
    size = int(mask.shape[1] / stride + 0.5), int(mask.shape[0] / stride + 0.5)
    small = cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8)
