"""Losses that no frame tells: those behind the last frame of an epoch that got through."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from pipeline.frame import Frame

Tell = Callable[[str, int], None]
"""Told a reason and how many frames were lost for it."""


class Untold:
    """Watches a hand-over whose frames say what was lost before them in their epoch.

    When an epoch is over, what was lost behind its last frame goes to ``tell``. Any thread.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._lost: dict[int, Counter[str]] = {}  # by epoch, up to the last frame that was lost
        self._told: tuple[int, Mapping[str, int]] = (-1, {})
        self._over = False

    def lost(self, frame: Frame, reason: str) -> None:
        """A frame was lost; a ``pipeline.channel.DropHook``."""
        with self._lock:
            if not self._over:
                known = self._lost.get(frame.epoch, Counter())
                self._lost[frame.epoch] = Counter(frame.dropped) + Counter(
                    {reason: known[reason] + 1}
                )

    def passed(self, frame: Frame) -> None:
        """A frame got through, and with it what it carries; the epochs before its own are over."""
        with self._lock:
            self._settle([epoch for epoch in self._lost if epoch < frame.epoch])
            self._told = frame.epoch, frame.dropped

    def end(self) -> None:
        """No frame gets through any more; what is lost from now on does not count."""
        with self._lock:
            self._settle(list(self._lost))
            self._over = True

    def _settle(self, epochs: list[int]) -> None:
        for epoch in epochs:
            told = self._told[1] if epoch == self._told[0] else {}
            for reason, count in (self._lost.pop(epoch) - Counter(told)).items():
                self._tell(reason, count)
