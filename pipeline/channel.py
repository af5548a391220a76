"""A bounded hand-over between two threads: an overflow policy, and an account of every frame.

A producer puts into a ``Channel``; its one consumer takes through a ``pipeline.inbox.FairInbox``.
End of stream is closing the channel: what waits in it is still delivered.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .errors import ChannelClosed
from .frame import Frame
from .ledger import Ledger

Overflow = Literal["block", "drop-oldest", "drop-newest"]
"""What a full channel does: make the producer wait, or lose a frame and count it.

A live source cannot wait: "drop-oldest" keeps what is fresh. A file can: "block" loses nothing.
"""

DropHook = Callable[[Frame, str], None]
"""Told of each lost frame and the reason. Runs under the channel's lock: it must not call back."""


@dataclass(frozen=True)
class ChannelStatistics:
    """One moment of a channel; accepted = delivered + dropped + waiting, always."""

    accepted: int
    """Frames that ``put`` took, those that it dropped at once included."""
    delivered: int
    """Frames that the consumer has taken."""
    dropped: int
    """Frames that the policy or ``abandon`` gave up."""
    waiting: int
    """Frames that are in the channel now."""
    capacity: int
    """Frames that can wait at most."""


class Channel:
    """A queue of at most ``capacity`` frames. Every method may be called from any thread.

    A delivered frame carries, by reason, the drops that came before it in its epoch. "drop-newest"
    loses at the tail: what waits is older than the loss, so a frame is stamped when it is put.
    The others lose at the head: what waits is newer, so a frame is stamped when it is delivered.
    """

    def __init__(
        self,
        name: str,
        capacity: int,
        overflow: Overflow = "block",
        *,
        on_drop: DropHook | None = None,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"the capacity of channel {name} must be ≥ 1, got {capacity}")
        self.name = name
        self._capacity = capacity
        self._overflow = overflow
        self._on_drop = on_drop
        self._ledger = Ledger()
        self._waiting: deque[Frame] = deque()
        self._accepted = self._delivered = self._dropped = 0
        self._closed = False
        self._reason = "shutdown"
        lock = threading.Lock()
        self.share(lock, threading.Condition(lock))

    def share(self, lock: threading.Lock, filled: threading.Condition) -> None:
        """Use an inbox's lock, and its signal that something came. Only before the first use."""
        self._lock, self._filled = lock, filled
        self._freed = threading.Condition(lock)

    @property
    def closed(self) -> bool:
        """Nothing can be put any more."""
        return self._closed

    @property
    def reason(self) -> str:
        """Why a frame that can no longer be put is lost: "shutdown", or what ``abandon`` said."""
        return self._reason

    def put(self, frame: Frame, timeout_s: float | None = None) -> None:
        """Hand ``frame`` over; with "block", wait while the channel is full.

        :raises ChannelClosed: when it is closed, also while waiting; the frame stays the caller's.
        :raises TimeoutError: when there was no room for ``timeout_s``; likewise.
        """
        with self._lock:
            if self._overflow == "block":
                room = self._freed.wait_for(lambda: self._closed or self._has_room(), timeout_s)
                if not room:
                    raise TimeoutError(f"channel {self.name} had no room for {timeout_s} s")
            if self._closed:
                raise ChannelClosed(self.name)
            self._accepted += 1
            self._admit(frame)
            self._filled.notify()

    def close(self) -> None:
        """Accept nothing more and wake everybody; what waits is still delivered. Idempotent."""
        with self._lock:
            self._close()

    def abandon(self, reason: str) -> None:
        """Close, and give up what waits, counted under ``reason``."""
        with self._lock:
            if not self._closed:
                self._reason = reason
            self._close()
            while self._waiting:
                self._lose(self._waiting.popleft(), reason)

    def statistics(self) -> ChannelStatistics:
        """The counts of this moment."""
        with self._lock:
            return ChannelStatistics(
                accepted=self._accepted,
                delivered=self._delivered,
                dropped=self._dropped,
                waiting=len(self._waiting),
                capacity=self._capacity,
            )

    # The rest is for the inbox, which holds the lock that it shares.

    def head(self) -> Frame | None:
        """The frame that is next; None when none waits. The lock must be held."""
        return self._waiting[0] if self._waiting else None

    def deliver(self) -> Frame:
        """Take the next frame out. The lock must be held."""
        frame = self._waiting.popleft()
        self._delivered += 1
        self._freed.notify()
        return frame if self._overflow == "drop-newest" else self._ledger.stamp(frame)

    def _has_room(self) -> bool:
        return len(self._waiting) < self._capacity

    def _admit(self, frame: Frame) -> None:
        if self._overflow == "drop-newest":
            if not self._has_room():
                self._lose(frame, "queue_full")
                return
            frame = self._ledger.stamp(frame)
        elif not self._has_room():
            self._lose(self._waiting.popleft(), "queue_full")
        self._waiting.append(frame)

    def _lose(self, frame: Frame, reason: str) -> None:
        self._dropped += 1
        self._ledger.drop(frame, reason)
        if self._on_drop:
            self._on_drop(frame, reason)

    def _close(self) -> None:
        self._closed = True
        self._freed.notify_all()
        self._filled.notify_all()
