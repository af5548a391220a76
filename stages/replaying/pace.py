"""When each recorded frame's turn is: in its own time, faster, or when somebody asks for it."""

import os
import threading
from contextlib import suppress

from pipeline.clock import Clock
from pipeline.frame import Frame

POLL_S = 0.1
"""How soon the end of the run is noticed while nobody presses a key."""
FIRST_STEP_S = 0.04
"""The distance of two frames when nothing tells it."""


class Pace:
    """Turns of the frames of one recording. One thread.

    Within an epoch frames come as far apart as their presentation times say; where an epoch begins
    or a time is missing, as far apart as they were captured. ``speed``: 2 is twice as fast, inf as
    fast as possible.
    """

    def __init__(self, speed: float, clock: Clock) -> None:
        self._speed = speed
        self._clock = clock
        self._began_ns = clock.now_ns()
        self._time_s = 0.0
        self._step_s = FIRST_STEP_S
        self._last: Frame | None = None

    def wait(self, frame: Frame, stop: threading.Event) -> bool:
        """Wait for the turn of ``frame``, the next one; False when ``stop`` is set."""
        self._time_s += self._since_last_s(frame)
        self._last = frame
        due_ns = self._began_ns + round(self._time_s / self._speed * 1e9)
        early_s = (due_ns - self._clock.now_ns()) / 1e9
        return not (self._clock.wait(stop, early_s) if early_s > 0 else stop.is_set())

    def begin_again(self) -> None:
        """The recording starts anew: its first frame comes one more step after its last."""
        if self._last is not None:
            self._time_s += self._step_s
        self._last = None

    def _since_last_s(self, frame: Frame) -> float:
        last = self._last
        if last is None:
            return 0.0
        now_s, then_s = frame.media_time_s, last.media_time_s
        if frame.epoch == last.epoch and now_s is not None and then_s is not None:
            self._step_s = max(now_s - then_s, 0.0)
            return self._step_s
        return max((frame.captured_utc_ns - last.captured_utc_ns) / 1e9, 0.0)


class Steps:
    """Presses of Enter on a terminal, or lines of a pipe: each asks for the next frame.

    A thread of its own reads; any number of streams wait, and each press gives one frame to each.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._pressed = 0
        self._is_over = False
        self._thread = threading.Thread(target=self._read, name="maskstream-keys", daemon=True)

    def start(self) -> None:
        """Begin to read. Call once."""
        self._thread.start()

    def wait(self, number: int, stop: threading.Event) -> bool:
        """Wait for press ``number`` (from 1); False at the end of the input or when ``stop`` is."""
        with self._changed:
            while self._pressed < number and not self._is_over and not stop.is_set():
                self._changed.wait(POLL_S)
            return self._pressed >= number and not stop.is_set()

    def _read(self) -> None:
        with suppress(OSError):  # it is closed, or its terminal is gone: that is its end
            # Not through sys.stdin: a thread that waits in it keeps the program from ending.
            while keys := os.read(self._descriptor, 4096):
                with self._changed:
                    self._pressed += keys.count(b"\n")
                    self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
