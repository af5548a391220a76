"""Masks as COCO files write them: polygons, or run lengths."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from pipeline.masks import Bits, decode, painted

FARTHEST_PX = 1e5
"""No picture is so large. pycocotools walks along every edge, and crashes at what is no number."""


def decode_segmentation(
    segmentation: list[list[float]] | dict[str, Any], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Polygons or an RLE as a dense mask (H, W) of 0 and 1.

    :raises ValueError: for an RLE of another size, broken runs, or a polygon of too few points.
    :raises KeyError: for an RLE without ``size`` or ``counts``.
    """
    if isinstance(segmentation, dict):
        if tuple(segmentation["size"]) != size:
            raise ValueError(f"an RLE of size {segmentation['size']}")
        return _from_runs(segmentation["counts"], size).view(np.uint8)
    if not segmentation:
        return np.zeros(size, np.uint8)
    if any(len(polygon) < 6 or len(polygon) % 2 for polygon in segmentation):
        raise ValueError("a polygon that is not three or more points x, y")
    if not all(abs(side) < FARTHEST_PX for polygon in segmentation for side in polygon):
        raise ValueError("a polygon with a point that is no number, or far outside")
    merged = rle.merge(rle.frPyObjects(segmentation, *size))
    return np.ascontiguousarray(rle.decode(merged))


def _from_runs(counts: object, size: tuple[int, int]) -> Bits:
    """Not by ``pycocotools``: of runs that do not fill the picture it makes up the rest."""
    if isinstance(counts, str | bytes):
        return decode({"size": [*size], "counts": counts})
    runs = np.array(counts)
    if runs.ndim != 1 or runs.dtype.kind != "i":
        raise ValueError("runs that are not whole numbers")
    return painted(runs, *size)
