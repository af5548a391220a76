"""A capture in a thread of its own that cannot take its consumer down with it.

FFmpeg may be stuck where no timeout reaches: looking up a host name, or reading a session that is
kept alive and sends no picture. A thread cannot be killed, but it can be left behind: it ends when
FFmpeg lets it go. It also takes packets off the network at their own pace, whoever is slow.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from pipeline.channel import Channel, Overflow
from pipeline.clock import Clock
from pipeline.errors import ChannelClosed, SourceUnavailable
from pipeline.frame import Frame
from pipeline.inbox import FairInbox

from .untold import Tell, Untold

POLL_S = 0.1
"""How often a consumer that waits looks at ``stop`` and at the time."""
FAREWELL_S = 1.0
"""How long to wait for a thread that was told to end."""

Beat = Callable[[], None]
CaptureFrames = Callable[[Beat], Generator[Frame, None, None]]
"""Opens a source and yields its frames; calls its argument whenever it hears from the source."""


@dataclass(frozen=True)
class Watch:
    """How long a source may be silent, s, before and after its first sign of life, and how many
    frames may wait (live ones are dropped when there are more)."""

    open_timeout_s: float
    stall_timeout_s: float
    capacity: int
    overflow: Overflow


class Watched:
    """One run of a capture. ``frames`` belongs to one thread, the capture runs in another."""

    def __init__(
        self,
        stream: str,
        where: str,
        capture: CaptureFrames,
        clock: Clock,
        watch: Watch,
        untold: Tell = lambda _reason, _count: None,
    ) -> None:
        """``untold`` hears of dropped frames that no later frame of their epoch can carry."""
        self._where = where
        self._capture = capture
        self._clock = clock
        self._watch = watch
        self._untold = Untold(untold)
        self._channel = Channel(
            f"capture of {stream}", watch.capacity, watch.overflow, on_drop=self._untold.lost
        )
        self._inbox = FairInbox([self._channel])
        self._beat_ns: int | None = None
        self._error: BaseException | None = None
        self._stuck = False
        self._thread = threading.Thread(
            target=self._run, name=f"maskstream-capture-{stream}", daemon=True
        )

    @property
    def is_left_behind(self) -> bool:
        """The capture fell silent, was given up, and has not ended by itself yet."""
        return self._stuck and self._thread.is_alive()

    def frames(self, stop: threading.Event) -> Generator[Frame, None, None]:
        """What the capture yields, until it ends, fails, falls silent, or ``stop``.

        :raises SourceUnavailable: when it was silent for too long.
        :raises SourceError: what the capture raised.
        """
        self._thread.start()
        try:
            yield from self._watch_over(stop)
        finally:
            self._untold.end()
            self._channel.abandon("shutdown")
            self._thread.join(0 if self._stuck else FAREWELL_S)
        if self._error and not stop.is_set():
            raise self._error

    def _watch_over(self, stop: threading.Event) -> Iterator[Frame]:
        waiting_since_ns = self._clock.now_ns()
        while not stop.is_set():
            taken = self._inbox.take(timeout_s=POLL_S)
            if taken is None:
                return
            if not taken:
                self._check(waiting_since_ns)
            for frame in taken:
                self._untold.passed(frame)
                yield self._inbox.release(frame)[0]
                waiting_since_ns = self._clock.now_ns()

    def _check(self, waiting_since_ns: int) -> None:
        beat_ns = self._beat_ns
        quiet_ns = self._clock.now_ns() - max(waiting_since_ns, beat_ns or 0)
        limit_s = self._watch.open_timeout_s if beat_ns is None else self._watch.stall_timeout_s
        if quiet_ns >= limit_s * 1e9:
            self._stuck = True
            raise SourceUnavailable(
                where=self._where,
                wanted="an answer with a video" if beat_ns is None else "the next picture",
                got=f"nothing for {limit_s:g} s",
                remedy="Check the address, that it is switched on, and the network",
            )

    def _run(self) -> None:
        try:
            with closing(self._capture(self._beat)) as frames:
                for frame in frames:
                    self._channel.put(frame)
        except ChannelClosed:
            pass  # left behind, or told to stop
        except BaseException as error:  # raised again where the frames are taken
            self._error = error
        finally:
            self._channel.close()

    def _beat(self) -> None:
        self._beat_ns = self._clock.now_ns()
