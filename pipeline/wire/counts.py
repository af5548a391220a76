"""COCO's compressed run lengths from a stranger, checked before anything of their size is made.

The format is in ``pipeline.masks.run_lengths``, which reads them once they are known to be sound.
"""

import numpy as np

from ..masks import Bits, painted, run_lengths
from .fields import refused

MAX_GROUPS = 6
"""Thirty bits are more than a run can need in a picture that this protocol allows."""


def decode_counts(counts: str, height: int, width: int, where: str) -> Bits:
    """A compressed RLE of ``height`` × ``width`` px as a bool mask (height, width).

    :raises WireError: unless the runs are well formed and fill the mask exactly. Nothing of the
        mask's size is allocated before that is known.
    """
    _check_characters(counts, where)
    runs = run_lengths(counts.encode("ascii"))
    total = int(runs.sum())
    if total != height * width or (runs.size and int(runs.min()) < 0):
        raise refused(
            where,
            f"runs of 0 or more px that fill {width}x{height} px",
            f"{runs.size} runs of {total} px in all",
        )
    return painted(runs, height, width)


def _check_characters(counts: str, where: str) -> None:
    """Refuse what does not spell whole numbers of up to ``MAX_GROUPS`` groups."""
    if not counts.isascii():
        raise refused(where, "ASCII characters", "others")
    bits = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if bits.size == 0:
        return
    if int(bits.min()) < 0 or int(bits.max()) > 63:
        raise refused(where, "characters from '0' to 'o'", "others")
    last = np.flatnonzero((bits & 0x20) == 0)
    if last.size == 0 or int(last[-1]) != bits.size - 1:
        raise refused(where, "complete numbers", "one that is cut off")
    if int(np.diff(last, prepend=-1).max()) > MAX_GROUPS:
        raise refused(where, "numbers of up to 30 bits", "a longer one")
