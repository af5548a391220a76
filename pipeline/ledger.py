"""What one hand-over lost, so that every frame that gets through can say so.

A drop is counted where it happens; the next frame of that stream carries the sum onward. Because a
hand-over keeps the order, the count on a frame is exact: captured = delivered + Σ dropped.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from .frame import Frame

EPOCHS_KEPT = 4
"""Frames of an older epoch can still be under way when a newer one begins; none are this old."""


class Ledger:
    """Drops by stream, epoch and reason. Not thread-safe: it belongs to one lock or thread."""

    def __init__(self) -> None:
        self._lost: dict[str, dict[int, Counter[str]]] = {}

    def drop(self, frame: Frame, reason: str) -> None:
        """Count ``frame`` as lost."""
        epochs = self._lost.setdefault(frame.stream, {})
        epochs.setdefault(frame.epoch, Counter())[reason] += 1
        while len(epochs) > EPOCHS_KEPT:
            del epochs[min(epochs)]

    def lost(self, stream: str, epoch: int) -> Mapping[str, int]:
        """The drops of one epoch so far, by reason."""
        return self._lost.get(stream, {}).get(epoch, Counter())

    def stamp(self, frame: Frame) -> Frame:
        """``frame`` with the drops so far added to those that it already carries."""
        lost = self.lost(frame.stream, frame.epoch)
        if not lost:
            return frame
        return replace(frame, dropped=dict(Counter(frame.dropped) + Counter(lost)))
