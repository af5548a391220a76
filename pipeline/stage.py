"""The contracts of a source, a stage and what feeds it.

A stage is a generator over frames. It takes from its inbox, yields what goes on, and cleans up in
``finally``; the code after its loop is the flush. It knows no threads: the supervisor drives it.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

from .frame import Frame
from .ledger import Ledger


class Inbox(Protocol):
    """Where a stage takes frames from. One consumer thread."""

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        """Up to ``limit`` frames, at most one of each stream; [] when none came in time.

        ``timeout_s`` None waits for ever, 0 not at all. None means the end: nothing will come.
        """
        ...

    def drop(self, frame: Frame, reason: str) -> None:
        """Give up a frame that was taken; it is counted under ``reason``."""
        ...

    def at_end(self) -> bool:
        """If nothing will come any more."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Every frame until the end, one by one."""
        ...


@runtime_checkable
class Stage(Protocol):
    """A step: takes frames, yields frames. A sink yields on what it has written out."""

    name: str

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Consume ``inbox`` until its end. Each frame taken is yielded once or dropped by name."""
        ...


@runtime_checkable
class Source(Protocol):
    """A producer of frames. ``live``: it cannot wait, what is not taken in time is lost."""

    stream: str
    live: bool

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        """Yield captured frames until the end or until ``stop`` is set.

        :raises SourceError: when the source fails for good; frames yielded before stay valid.
        """
        ...


class ListInbox:
    """A list as an inbox: how a stage is tested, and run, without threads."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = iter(frames)
        self._next: Frame | None = None
        self.ledger = Ledger()

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        del timeout_s  # a list never makes anyone wait
        taken: dict[str, Frame] = {}
        while len(taken) < limit and (frame := self._peek()) and frame.stream not in taken:
            taken[frame.stream] = self.ledger.stamp(frame)
            self._next = None
        return list(taken.values()) or None

    def drop(self, frame: Frame, reason: str) -> None:
        self.ledger.drop(frame, reason)

    def at_end(self) -> bool:
        return self._peek() is None

    def __iter__(self) -> Iterator[Frame]:
        while frames := self.take():
            yield from frames

    def _peek(self) -> Frame | None:
        self._next = self._next or next(self._frames, None)
        return self._next
