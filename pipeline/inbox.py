"""Where a stage takes its frames from: a fair merge of channels that answers for what was taken.

Every frame taken is released (the stage yielded it on) or dropped with a reason. Both are settled
in the order of taking, so that what leaves the stage carries exactly the losses before it, also
when a stage holds several frames of a stream at once and loses one in the middle.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .channel import Channel, DropHook
from .clock import SystemClock
from .frame import Frame
from .ledger import Ledger


@dataclass
class _Held:
    frame: Frame  # as it came, without this inbox's own drops
    since_ns: int
    lost_to: str | None = None


class FairInbox:
    """Many channels as one inbox, for one consumer thread; implements ``pipeline.stage.Inbox``.

    It must be made before the first ``put`` into its channels: they share one lock from then on.
    ``at_end``, ``fail`` and ``abandon`` may be called from any thread.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        now_ns: Callable[[], int] | None = None,
        on_drop: DropHook | None = None,
    ) -> None:
        self._channels = tuple(channels)
        self._now_ns = now_ns or SystemClock().now_ns
        self._on_drop = on_drop
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        for channel in self._channels:
            channel.share(self._lock, self._filled)
        self._turn = 0
        self._held: dict[str, deque[_Held]] = {}
        self._ledger = Ledger()

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        """Up to ``limit`` frames, at most one of each stream; [] when none came in time.

        Channels take turns. ``timeout_s`` None waits for ever, 0 not at all. None means the end:
        every channel is closed and empty.
        """
        with self._lock:
            self._filled.wait_for(lambda: self._any_waiting() or self._at_end(), timeout_s)
            frames = self._collect(limit)
            return None if not frames and self._at_end() else frames

    def drop(self, frame: Frame, reason: str) -> None:
        """Give up a frame that was taken; it is counted under ``reason``.

        :raises ValueError: when the frame is not held: never taken, yielded or dropped already.
        """
        with self._lock:
            held = self._find(frame)
            self._lose(held, reason)
            self._settle(frame.stream)

    def release(self, frame: Frame) -> tuple[Frame, int]:
        """Let go a frame that the stage yields: the frame with exact losses, and ns it was held.

        :raises ValueError: when it is not the oldest frame held of its stream.
        """
        with self._lock:
            line = self._held.get(frame.stream)
            if not line or not _same(line[0].frame, frame):
                raise ValueError(f"{frame!r} was yielded out of turn: {self._next_up(frame)}")
            held = line.popleft()
            dropped = self._ledger.stamp(held.frame).dropped
            self._settle(frame.stream)
            held_ns = self._now_ns() - held.since_ns
        return (replace(frame, dropped=dropped) if dropped else frame), held_ns

    def __iter__(self) -> Iterator[Frame]:
        """Every frame until the end, one by one."""
        while (frames := self.take()) is not None:
            yield from frames

    def at_end(self) -> bool:
        """Nothing will come any more."""
        with self._lock:
            return self._at_end()

    def fail(self, reason: str) -> list[Frame]:
        """Give up all that is held, because the stage died; the frames that were lost, in order."""
        with self._lock:
            return self._lose_all(reason)

    def abandon(self, reason: str) -> None:
        """Give up what is held and what waits, and close the channels: the consumer is gone."""
        with self._lock:
            self._lose_all(reason)
        for channel in self._channels:
            channel.abandon(reason)

    def _any_waiting(self) -> bool:
        return any(channel.head() for channel in self._channels)

    def _at_end(self) -> bool:
        return all(channel.closed and not channel.head() for channel in self._channels)

    def _collect(self, limit: int) -> list[Frame]:
        """One round over the channels, beginning after the one that gave the last frame."""
        taken: dict[str, Frame] = {}
        first, count = self._turn, len(self._channels)
        for turn in range(first, first + count):
            channel = self._channels[turn % count]
            while len(taken) < limit and (head := channel.head()) and head.stream not in taken:
                taken[head.stream] = self._hold(channel.deliver())
                self._turn = (turn + 1) % count
        return list(taken.values())

    def _hold(self, frame: Frame) -> Frame:
        held = _Held(frame, self._now_ns())
        self._held.setdefault(frame.stream, deque()).append(held)
        return self._ledger.stamp(frame)

    def _find(self, frame: Frame) -> _Held:
        for held in self._held.get(frame.stream, ()):
            if held.lost_to is None and _same(held.frame, frame):
                return held
        raise ValueError(f"{frame!r} was dropped but is not held: {self._next_up(frame)}")

    def _lose(self, held: _Held, reason: str) -> None:
        held.lost_to = reason
        if self._on_drop:
            self._on_drop(held.frame, reason)

    def _lose_all(self, reason: str) -> list[Frame]:
        lost = [held for line in self._held.values() for held in line if held.lost_to is None]
        for held in lost:
            self._lose(held, reason)
        for stream in self._held:
            self._settle(stream)
        return [held.frame for held in lost]

    def _settle(self, stream: str) -> None:
        """Book the losses that have nothing undecided before them."""
        line = self._held[stream]
        while line and (reason := line[0].lost_to) is not None:
            self._ledger.drop(line.popleft().frame, reason)

    def _next_up(self, frame: Frame) -> str:
        line = self._held.get(frame.stream)
        return f"the oldest held is seq {line[0].frame.seq}" if line else "none is held"


def _same(one: Frame, other: Frame) -> bool:
    return (one.epoch, one.seq) == (other.epoch, other.seq)
