"""Numbers captured pictures: epoch, seq, presentation time, and which were lost before each."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from pipeline.clock import Clock
from pipeline.frame import ClockName, Frame, Image
from pipeline.ledger import Ledger

JUMP_S = 1.0
"""Time that goes back by more than this is another time."""
LEAP_S = 5.0
"""Time of a live source that runs ahead of arrival by more than this, too: more than a burst."""

Wall = Callable[[float], tuple[int, ClockName] | None]
"""Presentation time in s → UTC in ns and the clock that says so; None when it cannot say."""


class Timeline:
    """The timeline of one stream of pictures. Belongs to one thread.

    An epoch ends when the size of the pictures changes, when timestamps go back by more than
    ``JUMP_S`` and, live, when they run ahead of the clock by more than ``LEAP_S``. Smaller steps
    back are mended: within an epoch ``pts`` always grows. A missing ``pts`` is counted on.

    ``captured_utc_ns`` is what ``wall`` says, otherwise the time of arrival.
    """

    def __init__(
        self,
        stream: str,
        time_base: Fraction,
        clock: Clock,
        *,
        epoch: int = 0,
        live: bool = False,
        wall: Wall = lambda _: None,
    ) -> None:
        self._stream = stream
        self._time_base = time_base
        self._clock = clock
        self._live = live
        self._wall = wall
        self._ledger = Ledger()
        self._lost: Counter[str] = Counter()
        self.epoch = epoch
        self._seq = 0
        self._size: tuple[int, int] | None = None
        self._pts: int | None = None
        self._arrived_ns = 0
        self._lead_s = 0.0

    def frame(self, image: Image, pts: int | None, arrived_ns: int, step: int = 1) -> Frame:
        """The next frame. ``step``: how far a missing ``pts`` lies behind the one before."""
        size = (image.width, image.height)
        pts = self._expected(arrived_ns, step) if pts is None else pts
        if self._size not in (None, size) or self._is_other_time(pts, arrived_ns):
            self._begin()
        self._book_losses(arrived_ns)
        if self._pts is not None:
            pts = max(pts, self._pts + 1)
        lead_s = self._lead(pts, arrived_ns)
        self._lead_s = lead_s if self._pts is None else max(self._lead_s, lead_s)
        self._size, self._pts, self._arrived_ns = size, pts, arrived_ns
        return self._ledger.stamp(self._next(pts, arrived_ns, image))

    def lose(self, reason: str) -> None:
        """Count a captured picture that cannot be delivered, in the epoch of the next that can."""
        self._lost[reason] += 1

    def _book_losses(self, arrived_ns: int) -> None:
        for reason in self._lost.elements():
            self._ledger.drop(self._next(None, arrived_ns, None), reason)
        self._lost.clear()

    def _next(self, pts: int | None, arrived_ns: int, image: Image | None) -> Frame:
        media_s = 0.0 if pts is None else float(pts * self._time_base)
        said = self._wall(media_s) if pts is not None else None
        utc_ns, clock = said or (self._utc(arrived_ns), "arrival")
        seq, self._seq = self._seq, self._seq + 1
        return Frame(
            self._stream,
            self.epoch,
            seq,
            pts,
            self._time_base,
            arrived_ns,
            utc_ns,
            clock,
            image,
        )

    def _begin(self) -> None:
        self.epoch += 1
        self._seq, self._pts = 0, None

    def _utc(self, arrived_ns: int) -> int:
        return self._clock.utc_ns() - (self._clock.now_ns() - arrived_ns)

    def _expected(self, arrived_ns: int, step: int) -> int:
        if self._pts is None:
            return 0
        if not self._live:
            return self._pts + max(step, 1)
        passed_s = Fraction(arrived_ns - self._arrived_ns, 1_000_000_000)
        return self._pts + max(round(passed_s / self._time_base), 1)

    def _lead(self, pts: int, arrived_ns: int) -> float:
        """How far presentation time is ahead of the clock, s, up to a constant."""
        return float(pts * self._time_base) - arrived_ns / 1e9

    def _is_other_time(self, pts: int, arrived_ns: int) -> bool:
        if self._pts is None:
            return False
        step_s = float((pts - self._pts) * self._time_base)
        ahead_s = self._lead(pts, arrived_ns) - self._lead_s
        return step_s < -JUMP_S or (self._live and ahead_s > LEAP_S)
