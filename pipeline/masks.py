"""Instance masks as crops: the bits inside each instance's box, and where the box lies.

Twenty instances at 1080p are 41 MB as dense masks and some hundred KB as crops; the IoU of crops
equals the IoU of full masks. COCO RLE (pycocotools, column-major runs) is the form on the wire.
"""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from .polygons import Polygon, filled, outlines

Bits = NDArray[np.bool_]


class RLE(TypedDict):
    """A COCO run-length mask: ``size`` is [height, width], ``counts`` the compressed runs."""

    size: list[int]
    counts: bytes | str


@dataclass(frozen=True, eq=False)
class Masks:
    """N masks in a picture of ``height`` × ``width`` px. Columns are never mutated.

    ``origins`` (N, 2) int32: x, y of each crop's upper left corner, px.
    ``crops``: N bool arrays (h, w), tight around the mask; an empty mask has shape (0, 0).
    """

    height: int
    width: int
    origins: NDArray[np.int32]
    crops: tuple[Bits, ...]

    def __post_init__(self) -> None:
        if self.origins.shape != (len(self.crops), 2):
            raise ValueError(
                f"origins must have shape ({len(self.crops)}, 2), got {self.origins.shape}"
            )
        for (x, y), crop in zip(self.origins.tolist(), self.crops, strict=True):
            h, w = crop.shape
            if x < 0 or y < 0 or x + w > self.width or y + h > self.height:
                raise ValueError(
                    f"a crop of {w}x{h} px at ({x}, {y}) leaves the {self.width}x{self.height} "
                    "px picture"
                )

    def __len__(self) -> int:
        return len(self.crops)

    def __repr__(self) -> str:
        return f"Masks({len(self)} of {self.width}x{self.height} px)"

    @classmethod
    def from_crops(cls, height: int, width: int, crops: Iterable[tuple[int, int, Bits]]) -> "Masks":
        """Masks from (x, y, bits) windows, each cut down to its tight box."""
        tight = [_tighten(x, y, bits) for x, y, bits in crops]
        origins = np.array([(x, y) for x, y, _ in tight], np.int32).reshape(-1, 2)
        return cls(height, width, origins, tuple(bits for _, _, bits in tight))

    @classmethod
    def from_dense(cls, masks: Bits) -> "Masks":
        """Masks from a dense bool array (N, H, W)."""
        _, height, width = masks.shape
        return cls.from_crops(height, width, ((0, 0, mask) for mask in masks))

    @classmethod
    def from_coco(cls, height: int, width: int, rles: Sequence[RLE]) -> "Masks":
        """Masks from full-frame COCO RLEs, each of ``size`` [height, width].

        :raises ValueError: when an RLE has another size than the picture.
        """
        for rle in rles:
            if list(rle["size"]) != [height, width]:
                raise ValueError(f"an RLE must have size {[height, width]}, got {rle['size']}")
        return cls.from_crops(height, width, ((0, 0, decode(rle)) for rle in rles))

    @classmethod
    def from_polygons(cls, height: int, width: int, shapes: Iterable[Iterable[Polygon]]) -> "Masks":
        """Masks from the polygons of each, as ``polygons`` gives them.

        :raises ValueError: when one leaves the picture or has a slanted edge.
        """
        return cls.from_crops(height, width, ((0, 0, filled(s, height, width)) for s in shapes))

    @classmethod
    def empty(cls, height: int, width: int) -> "Masks":
        """No masks."""
        return cls(height, width, np.zeros((0, 2), np.int32), ())

    def to_coco(self, index: int) -> RLE:
        """One mask as a full-frame COCO RLE, ``counts`` as ASCII bytes.

        From the runs of the columns that it is in: a tenth of the time that all pixels take.
        """
        (x, y), (h, w) = self.origins[index].tolist(), self.crops[index].shape
        strip = np.zeros((self.height, w), np.bool_)
        strip[y : y + h] = self.crops[index]
        changes = _changes(strip) if strip.size else np.zeros(0, np.uint32)
        if changes.size % 2:  # it reaches the strip's last pixel, and ends there
            changes = np.append(changes, np.uint32(strip.size))
        changes += np.uint32(x * self.height)
        whole = self.height * self.width
        return _compressed(changes[changes < whole], self.height, self.width)

    def crop_rle(self, index: int) -> RLE:
        """One crop as a COCO RLE of the crop's own size: what the wire carries."""
        return encode(self.crops[index])

    def dense(self, index: int) -> Bits:
        """One mask at the picture's size, bool (H, W)."""
        mask = np.zeros((self.height, self.width), np.bool_)
        x, y = self.origins[index]
        h, w = self.crops[index].shape
        mask[y : y + h, x : x + w] = self.crops[index]
        return mask

    def to_dense(self) -> Bits:
        """All masks at the picture's size, bool (N, H, W)."""
        masks = np.zeros((len(self), self.height, self.width), np.bool_)
        for mask, (x, y), crop in zip(masks, self.origins.tolist(), self.crops, strict=True):
            mask[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        return masks

    def polygons(self, index: int) -> list[Polygon]:
        """One mask as polygons along the edges of its pixels, holes and all: exact, in px of the
        picture. An empty mask has none."""
        origin = self.origins[index]
        return [
            Polygon(outer + origin, tuple(hole + origin for hole in holes))
            for outer, holes in outlines(self.crops[index])
        ]

    def select(self, indices: Iterable[int]) -> "Masks":
        """The masks at ``indices``, in that order.

        :raises TypeError: for a mask of bools: ``np.flatnonzero`` makes indices of it.
        """
        chosen = [operator.index(i) for i in indices]
        origins = self.origins[chosen] if chosen else np.zeros((0, 2), np.int32)
        return Masks(self.height, self.width, origins, tuple(self.crops[i] for i in chosen))

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of each mask, (N,)."""
        return np.array([np.count_nonzero(crop) for crop in self.crops], np.int64)

    @property
    def boxes(self) -> NDArray[np.float32]:
        """Tight boxes (N, 4): x0 y0 x1 y1 px, the right and lower edges exclusive."""
        sizes = np.array([crop.shape[::-1] for crop in self.crops], np.int32).reshape(-1, 2)
        return np.concatenate([self.origins, self.origins + sizes], axis=1).astype(np.float32)


def pairwise_iou(first: Masks, second: Masks) -> NDArray[np.float32]:
    """IoU of every mask of ``first`` with every mask of ``second``, float32 (N, M).

    Only pairs whose boxes overlap are counted pixel by pixel. Two empty masks have IoU 0.
    """
    iou = np.zeros((len(first), len(second)), np.float32)
    a, b = first.boxes, second.boxes
    overlap = (a[:, None, :2] < b[None, :, 2:]) & (b[None, :, :2] < a[:, None, 2:])
    areas_a, areas_b = first.areas, second.areas
    for i, j in np.argwhere(overlap.all(axis=2)):
        shared = intersection(first, int(i), second, int(j))
        if shared:
            iou[i, j] = shared / (areas_a[i] + areas_b[j] - shared)
    return iou


def intersection(first: Masks, i: int, second: Masks, j: int) -> int:
    """Pixels that mask ``i`` of ``first`` shares with mask ``j`` of ``second``."""
    (ax, ay), (bx, by) = first.origins[i].tolist(), second.origins[j].tolist()
    a, b = first.crops[i], second.crops[j]
    x0, y0 = max(ax, bx), max(ay, by)
    x1 = min(ax + a.shape[1], bx + b.shape[1])
    y1 = min(ay + a.shape[0], by + b.shape[0])
    if x1 <= x0 or y1 <= y0:
        return 0
    window_a = a[y0 - ay : y1 - ay, x0 - ax : x1 - ax]
    window_b = b[y0 - by : y1 - by, x0 - bx : x1 - bx]
    return int(np.count_nonzero(window_a & window_b))


def encode(bits: Bits) -> RLE:
    """A dense bool mask (h, w) as compressed COCO RLE."""
    h, w = bits.shape
    if not bits.size:
        return {"size": [h, w], "counts": b""}
    return _compressed(_changes(bits), h, w)


def decode(rle: RLE) -> Bits:
    """A compressed COCO RLE as a dense bool mask (h, w).

    Not by ``pycocotools``, whose ``decode`` warns under numpy 2 with each call. What comes from a
    socket goes through ``pipeline.wire``, which trusts nothing.

    :raises ValueError: when the runs do not fill ``size``.
    """
    h, w = rle["size"]
    counts = rle["counts"]
    return painted(run_lengths(counts.encode("ascii") if isinstance(counts, str) else counts), h, w)


def painted(runs: NDArray[np.int64], height: int, width: int) -> Bits:
    """Runs that fill ``height`` × ``width`` px, first outside then inside, as a bool mask.

    :raises ValueError: when they do not.
    """
    if ((runs < 0) | (runs > height * width)).any() or runs.sum() != height * width:
        total = sum(runs.tolist())  # not numpy's, which may overflow
        raise ValueError(f"the runs of an RLE must fill {height * width} px, got {total} px")
    inside = np.arange(runs.size) % 2 == 1
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def run_lengths(counts: bytes) -> NDArray[np.int64]:
    """Run lengths, px, from COCO's characters (maskApi.c, rleFrString); nothing is checked.

    A number is groups of five bits, lowest first; a character is 48 + bits, + 32 when another group
    follows; 0x10 of the last one is the sign. Numbers after the third are differences to the run
    before the last.
    """
    groups = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    last = np.flatnonzero((groups & 0x20) == 0)
    if not last.size:
        return last
    first = np.concatenate([[0], last[:-1] + 1])
    sizes = last - first + 1
    shift = 5 * (np.arange(last[-1] + 1) - np.repeat(first, sizes))
    runs: NDArray[np.int64] = np.add.reduceat((groups[: last[-1] + 1] & 0x1F) << shift, first)
    runs -= np.where(groups[last] & 0x10, 1 << (5 * sizes), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def _compressed(changes: NDArray[np.uint32], height: int, width: int) -> RLE:
    """The compressed RLE of a mask that changes at these places, counted down its columns."""
    bounds = np.zeros(changes.size + 2, np.uint32)
    bounds[1:-1] = changes
    bounds[-1] = height * width
    uncompressed = {"size": [height, width], "counts": bounds[1:] - bounds[:-1]}
    rle: RLE = coco.frPyObjects(uncompressed, height, width)
    return rle


def _changes(bits: Bits) -> NDArray[np.uint32]:
    """Where a mask (h, w) that is not empty changes, counted down its columns, in order.

    Pixels are read along the rows, as they lie in memory; only the few places where the mask
    changes are sorted into columns. Transposing the pixels takes longer than all of this.
    """
    h, w = bits.shape
    changed = np.empty((h, w), np.bool_)
    np.not_equal(bits[1:], bits[:-1], out=changed[1:])
    changed[0, 0] = bits[0, 0]
    np.not_equal(bits[0, 1:], bits[-1, :-1], out=changed[0, 1:])
    places = np.flatnonzero(changed).astype(np.uint32)
    rows = places // w
    changes: NDArray[np.uint32] = (places - rows * w) * h + rows
    changes.sort()
    return changes


def _tighten(x: int, y: int, bits: Bits) -> tuple[int, int, Bits]:
    rows = np.flatnonzero(bits.any(axis=1))
    if not rows.size:
        return 0, 0, np.zeros((0, 0), np.bool_)
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(bits[y0:y1].any(axis=0))
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    return x + x0, y + y0, np.ascontiguousarray(bits[y0:y1, x0:x1])
