"""What a run did: the report at its end, the snapshot on its way, and the failures it survived."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from .clock import Clock, SystemClock
from .errors import StreamError
from .tally import Quantiles, StreamCounts

FAILURES_KEPT = 100
REPEAT_NS = 60_000_000_000

log = logging.getLogger("maskstream.report")


@dataclass(frozen=True)
class Progress:
    """A run at one moment, all streams together."""

    captured: int
    published: int
    dropped: int
    rate_hz: float
    """Published frames a second over the last seconds."""
    age_p50_s: float
    """How old a frame is when it is published, the median of the latest."""
    wall_s: float
    """Since the start."""


@dataclass(frozen=True)
class Report:
    """A run that is over. captured = published + Σ dropped holds for every stream."""

    streams: Mapping[str, StreamCounts]
    stages: Mapping[str, Quantiles]
    """How long each stage held a frame, in the order of flow."""
    ages: Quantiles
    """How old frames were when they were published."""
    errors: tuple[StreamError, ...]
    """What went wrong, the gravest first; empty when all was well or somebody asked to stop."""
    stuck: tuple[str, ...]
    """Sources and stages that had not ended when the run gave up on them."""
    wall_s: float

    @property
    def exit_code(self) -> int:
        """0, or that of the gravest error."""
        return self.errors[0].exit_code if self.errors else 0


@dataclass
class _Failure:
    error: StreamError
    told_ns: int
    untold: int = 0


class Failures:
    """Failures that do not end a run: told to the log, kept for its end. Any thread may report.

    A message that comes again is logged once a minute, with how often it came. Memory is bounded:
    beyond ``FAILURES_KEPT`` different messages, failures are told apart by their class only.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._known: dict[str, _Failure] = {}

    def report(self, error: StreamError) -> None:
        """Note a failure; other streams go on, the exit code will not be 0."""
        now_ns = self._clock.now_ns()
        with self._lock:
            key = str(error)
            if key not in self._known and len(self._known) >= FAILURES_KEPT:
                key = type(error).__name__
            failure = self._known.setdefault(key, _Failure(error, now_ns - REPEAT_NS))
            failure.untold += 1
            if now_ns - failure.told_ns < REPEAT_NS:
                return
            times, failure.untold, failure.told_ns = failure.untold, 0, now_ns
        log.error("%s%s", error, f" ({times} times)" if times > 1 else "")

    def errors(self) -> tuple[StreamError, ...]:
        """The different failures so far, the oldest first."""
        with self._lock:
            return tuple(failure.error for failure in self._known.values())
