"""The last step: masks at a quarter of the canvas become bits of the source picture.

mmdetection enlarges four times, crops to the resized picture, resizes to the source and compares.
All of that but the comparison is linear and separable: ``rows @ soft @ columns.T``, where a row of
either matrix has two or three taps. Outside the box of what exceeds the threshold nothing can.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..segmenter import Crop, Placement

# N instances · H W source picture · h w a quarter of the canvas

_BLOCK_PX = 256  # columns enlarged at a time: their taps are few and the result stays in the cache
_CHUNK_BYTES = 256 * 2**20


@dataclass(frozen=True, eq=False)
class Axis:
    """One way: ``matrix`` (source px, quarter px), and the taps ``first..last`` of its rows."""

    matrix: Tensor
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    @classmethod
    def between(cls, quarter: int, stride: int, resized: int, source: int) -> "Axis":
        """A quarter of the canvas, times ``stride``, cut to ``resized``, to ``source`` px."""
        enlarge = bilinear(quarter, stride * quarter)[:resized]
        matrix = enlarge if resized == source else bilinear(resized, source) @ enlarge
        used = matrix.numpy() > 0
        return cls(matrix, used.argmax(1), quarter - 1 - used[:, ::-1].argmax(1))

    def reach(self, low: int, high: int) -> slice:
        """The source px that taps ``low..high`` (inclusive) have a part in."""
        start = int(np.searchsorted(self.last, low, side="left"))
        return slice(start, int(np.searchsorted(self.first, high, side="right")))

    def taps(self, pixels: slice) -> slice:
        """The quarter px that a non-empty run of source px is made from."""
        return slice(int(self.first[pixels.start]), int(self.last[pixels.stop - 1]) + 1)


class Enlargement(NamedTuple):
    """How masks of one canvas become masks of one source picture."""

    rows: Axis
    columns: Axis

    @classmethod
    def of(cls, quarter: tuple[int, int], stride: int, placement: Placement) -> "Enlargement":
        """For soft masks of ``quarter`` (height, width) px, ``stride`` px of the canvas each."""
        resized, source = placement.resized, placement.source
        return cls(
            *(Axis.between(quarter[i], stride, resized[i], source[i]) for i in range(len(quarter)))
        )


def bilinear(size: int, out_size: int) -> Tensor:
    """The matrix (out_size, size) of a bilinear resize, corners not aligned, as torch rounds it."""
    scale = torch.tensor(size / out_size, dtype=torch.float32)
    position = (scale * (torch.arange(out_size) + 0.5) - 0.5).clamp(min=0)
    low = position.long().clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    weight = position - low
    matrix = torch.zeros(out_size, size)
    matrix.scatter_add_(1, low[:, None], (1 - weight)[:, None])
    return matrix.scatter_add_(1, high[:, None], weight[:, None])


def enlarge(soft_Nhw: Tensor, enlargement: Enlargement, threshold: float) -> list[Crop]:
    """Bits of each mask inside its own box, on the host."""
    return [_enlarge_one(soft_hw, enlargement, threshold) for soft_hw in soft_Nhw]


def _enlarge_one(soft_hw: Tensor, enlargement: Enlargement, threshold: float) -> Crop:
    rows, columns = enlargement
    inside_hw = soft_hw.numpy() > threshold
    used_y, used_x = (np.flatnonzero(inside_hw.any(axis)) for axis in (1, 0))
    if not used_y.size:
        return 0, 0, np.zeros((0, 0), np.bool_)
    y, x = rows.reach(used_y[0], used_y[-1]), columns.reach(used_x[0], used_x[-1])
    bits = torch.empty(y.stop - y.start, x.stop - x.start, dtype=torch.bool)
    if not bits.numel():
        return 0, 0, np.zeros((0, 0), np.bool_)
    high, wide = rows.taps(y), columns.taps(x)
    tall = rows.matrix[y, high] @ soft_hw[high, wide]  # not numpy's: its threads fight with torch's
    for start in range(x.start, x.stop, _BLOCK_PX):
        block = slice(start, min(start + _BLOCK_PX, x.stop))
        taps = columns.taps(block)
        part = tall[:, taps.start - wide.start : taps.stop - wide.start]
        enlarged = part @ columns.matrix[block, taps].T
        torch.gt(enlarged, threshold, out=bits[:, block.start - x.start : block.stop - x.start])
    return x.start, y.start, bits.numpy()


def enlarge_packed(
    soft_Nhw: Tensor, rows_Hh: Tensor, columns_Ww: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    """Fixed shapes, where the masks are: bits (N, H, ⌈W/8⌉) uint8, and boxes (N, 4) int32.

    A byte holds eight pixels of a row, the leftmost in its highest bit. Boxes are x0 y0 x1 y1, the
    right and lower edges exclusive, all zero for an empty mask.
    """
    size_bytes = 4 * len(rows_Hh) * len(columns_Ww)
    parts = [
        _pack(rows_Hh @ soft @ columns_Ww.T > threshold)
        for soft in soft_Nhw.split(max(1, _CHUNK_BYTES // (2 * size_bytes)))
    ]
    return torch.cat([bits for bits, _ in parts]), torch.cat([boxes for _, boxes in parts])


def _pack(mask_NHW: Tensor) -> tuple[Tensor, Tensor]:
    (top, bottom), (left, right) = (_ends(mask_NHW.any(dim=axis)) for axis in (2, 1))
    padded = torch.nn.functional.pad(mask_NHW, (0, -mask_NHW.shape[2] % 8))
    eights = padded.unflatten(2, (-1, 8))
    weights = 2 ** torch.arange(7, -1, -1, dtype=torch.uint8, device=mask_NHW.device)
    bits = (eights * weights).sum(dim=3, dtype=torch.uint8)
    return bits, torch.stack((left, top, right, bottom), dim=1).int()


def _ends(used_NL: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the first used place and one past the last; 0, 0 where nothing is used."""
    used = used_NL.to(torch.uint8)  # argmax of bool is missing on some devices
    length = used.shape[1]
    some = used.amax(dim=1)
    return used.argmax(dim=1) * some, (length - used.flip(1).argmax(dim=1)) * some


def unpack(bits_HE: NDArray[np.uint8], box: NDArray[np.int32]) -> Crop:
    """One mask of ``enlarge_packed`` on the host, inside its box."""
    x0, y0, x1, y1 = box.tolist()
    left = x0 // 8
    rows = np.unpackbits(bits_HE[y0:y1, left : -(-x1 // 8)], axis=1)
    return x0, y0, rows[:, x0 - 8 * left : x1 - 8 * left].view(np.bool_)
