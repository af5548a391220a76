"""Which instance belongs to which track: warped masks, enlarged boxes, rounds of assignment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.masks import Bits, Masks

from .motion import Array

Pairs = list[tuple[int, int]]
"""Indices of a track and of the instance that it is."""


@dataclass(frozen=True, eq=False)
class Round:
    """One assignment: which tracks (T,) and instances (D,) may take part, unless taken before.

    ``likeness`` (T, D): what the pairs together maximise. No pair is below ``least`` (above 0).
    """

    likeness: NDArray[np.floating]
    tracks: Bits
    instances: Bits
    least: float


def assign(rounds: Sequence[Round]) -> Pairs:
    """The pairs of all rounds; who found a partner in an earlier one keeps it."""
    pairs: Pairs = []
    for each in rounds:
        free_tracks, free_instances = each.tracks.copy(), each.instances.copy()
        for track, instance in pairs:
            free_tracks[track] = free_instances[instance] = False
        rows, columns = np.flatnonzero(free_tracks), np.flatnonzero(free_instances)
        likeness = each.likeness[np.ix_(rows, columns)]
        pairs += [(int(rows[i]), int(columns[j])) for i, j in _hungarian(likeness, each.least)]
    return pairs


def _hungarian(likeness: NDArray[np.floating], least: float) -> Pairs:
    gated = np.where(likeness >= least, likeness, 0.0)
    if not gated.any():
        return []
    # A second to load, and nobody who only reads the settings needs it; see TrackStage
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    rows, columns = linear_sum_assignment(gated, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j) for i, j in pairs if gated[i, j] > 0.0]


def enlarged_iou(first: NDArray[np.floating], second: NDArray[np.floating], margin: float) -> Array:
    """IoU (N, M) of boxes x0 y0 x1 y1 that each grew by ``margin`` of their size on every side."""
    a, b = _enlarged(first, margin), _enlarged(second, margin)
    corner0 = np.maximum(a[:, None, :2], b[None, :, :2])
    corner1 = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(corner1 - corner0, 0.0, None).prod(axis=2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None, :] - shared
    iou: Array = shared / np.maximum(union, 1e-9)
    return iou


def _enlarged(boxes: NDArray[np.floating], margin: float) -> Array:
    corner0, corner1 = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    grown = margin * (corner1 - corner0)
    return np.concatenate([corner0 - grown, corner1 + grown], axis=1)


def warped(crops: Sequence[Bits], boxes: Array, height: int, width: int) -> Masks:
    """Each crop stretched over its box (x0 y0 x1 y1 px), cut at the picture's border."""
    corners = np.rint(boxes).astype(np.int64)
    inside = np.clip(corners, 0, [width, height, width, height])
    moved = [
        _stretched(crop, corner, window)
        for crop, corner, window in zip(crops, corners.tolist(), inside.tolist(), strict=True)
    ]
    return Masks(height, width, inside[:, :2].astype(np.int32), tuple(moved))


def _stretched(crop: Bits, corner: list[int], window: list[int]) -> Bits:
    """``crop``, stretched over ``corner``, at the pixels of ``window``: nearest neighbours."""
    (left, top, right, bottom), (x0, y0, x1, y1) = corner, window
    if x1 <= x0 or y1 <= y0 or not crop.size:
        return np.zeros((0, 0), np.bool_)
    rows = _nearest(y0 - top, y1 - top, bottom - top, crop.shape[0])
    columns = _nearest(x0 - left, x1 - left, right - left, crop.shape[1])
    return crop[rows][:, columns]


def _nearest(start: int, stop: int, length: int, source: int) -> slice | NDArray[np.intp]:
    """Where pixels ``start`` to ``stop`` of a line come from when ``source`` became ``length``."""
    if length == source:
        return slice(start, stop)
    return (2 * np.arange(start, stop) + 1) * source // (2 * length)
