"""COCO's compressed run lengths from a stranger, checked before anything of their size is made.

``counts`` are runs of pixels down the columns, alternately outside and inside the mask, beginning
outside. From the fourth run on, the difference to the run before the last is written. A number is
groups of five bits, lowest first; each is one character: 48 + bits + 32 if another follows; bit
0x10 of the last group is the sign. (The format is pycocotools'; so is its meaning of ``size``.)
"""

import numpy as np
from numpy.typing import NDArray

from .fields import refused

MAX_GROUPS = 6
"""Thirty bits are more than a run can need in a picture that this protocol allows."""

Bits = NDArray[np.bool_]


def decode_counts(counts: str, height: int, width: int, where: str) -> Bits:
    """A compressed RLE of ``height`` × ``width`` px as a bool mask (height, width).

    :raises WireError: unless the runs are well formed and fill the mask exactly. Nothing of the
        mask's size is allocated before that is known.
    """
    runs = _runs(_numbers(counts, where))
    total = int(runs.sum())
    if total != height * width or (runs.size and int(runs.min()) < 0):
        raise refused(
            where,
            f"runs of 0 or more px that fill {width}x{height} px",
            f"{runs.size} runs of {total} px in all",
        )
    inside = np.zeros(runs.size, np.bool_)
    inside[1::2] = True
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def _numbers(counts: str, where: str) -> NDArray[np.int64]:
    """The signed numbers that the characters spell, (N,)."""
    if not counts.isascii():
        raise refused(where, "ASCII characters", "others")
    bits = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if bits.size == 0:
        return bits
    if int(bits.min()) < 0 or int(bits.max()) > 63:
        raise refused(where, "characters from '0' to 'o'", "others")
    last = np.flatnonzero((bits & 0x20) == 0)
    if last.size == 0 or int(last[-1]) != bits.size - 1:
        raise refused(where, "complete numbers", "one that is cut off")
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if int(lengths.max()) > MAX_GROUPS:
        raise refused(where, "numbers of up to 30 bits", "a longer one")
    place = 5 * (np.arange(bits.size) - np.repeat(first, lengths))
    numbers: NDArray[np.int64] = np.add.reduceat((bits & 0x1F) << place, first)
    negative = (bits[last] & 0x10) != 0
    return numbers - np.where(negative, np.int64(1) << (5 * lengths), 0)


def _runs(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Run lengths from what is written: differences after the third are added up."""
    runs = numbers.copy()
    runs[1::2] = np.cumsum(numbers[1::2])
    runs[2::2] = np.cumsum(numbers[2::2])
    return runs
