"""Time is passed in, never asked for: a real clock and one that tests move by hand."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic and wall-clock time, and interruptible waiting. Safe to share between threads."""

    def now_ns(self) -> int:
        """Monotonic time, ns; only differences mean something."""
        ...

    def utc_ns(self) -> int:
        """Wall-clock time since the Unix epoch, ns."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until ``event`` is set or the time is over; say if it is set."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        return time.time_ns()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)


class ManualClock:
    """A clock that stands still until ``advance``; waiting on it advances it and never sleeps."""

    def __init__(self, utc_ns: int = 1_700_000_000_000_000_000) -> None:
        self._lock = threading.Lock()
        self._elapsed_ns = 0
        self._utc_ns = utc_ns

    def now_ns(self) -> int:
        with self._lock:
            return self._elapsed_ns

    def utc_ns(self) -> int:
        with self._lock:
            return self._utc_ns + self._elapsed_ns

    def advance(self, seconds: float) -> None:
        """Move time forward.

        :raises ValueError: when it would go back.
        """
        if seconds < 0:
            raise ValueError(f"time only moves forward, got {seconds} s")
        with self._lock:
            self._elapsed_ns += round(seconds * 1e9)

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.advance(max(timeout_s, 0.0))
        return event.is_set()
