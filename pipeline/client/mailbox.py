"""Between the receiving thread and the program that iterates: what waits, and what gives way."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..wire import DeliveryMode, Envelope

Mode = Literal["latest", "all"]


@dataclass(frozen=True)
class Letter:
    """A received message whose envelope was opened and whose contents were not.

    Of those that were asked for: ``number`` in its ``session``, and how many of its stream and kind
    the publisher has ``skipped`` there.
    """

    envelope: Envelope
    parts: Sequence[bytes]
    number: int | None = None
    skipped: int = 0
    session: int = 0


class Mailbox:
    """Messages for one reader.

    ``latest``: one place per stream and kind, a newer message takes that of an older. ``all`` and
    ``credit``: up to ``capacity`` messages in their order, then the oldest gives way, which in
    ``credit`` is one from before the last hello. ``lossless``: no more come than were asked for.
    """

    def __init__(self, mode: Mode | DeliveryMode, capacity: int) -> None:
        self._filled = threading.Condition()
        self._mode = mode
        self._capacity = capacity
        self._latest: dict[tuple[str, str], Letter] = {}
        self._queue: deque[Letter] = deque()
        self._over: BaseException | bool = False
        self._tell: Callable[[], None] | None = None

    def notify(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called, by who puts, with every message and at the end."""
        self._tell = tell

    def put(self, letter: Letter) -> Letter | None:
        """Leave a message; what had to give way comes back."""
        older = self._put(letter)
        if self._tell is not None:
            self._tell()
        return older

    def _put(self, letter: Letter) -> Letter | None:
        with self._filled:
            self._filled.notify()
            if self._mode == "latest":
                return self._replace(letter)
            self._queue.append(letter)
            is_full = self._mode in ("all", "credit") and len(self._queue) > self._capacity
            return self._queue.popleft() if is_full else None

    def take(self, timeout_s: float | None) -> Letter | None:
        """The message that waits longest; None when none came in time or at the end.

        :raises BaseException: what the receiving thread ended with, once all is taken.
        """
        with self._filled:
            self._filled.wait_for(lambda: self._waiting or self._over, timeout_s)
            if self._queue:
                return self._queue.popleft()
            if self._latest:
                return self._latest.pop(next(iter(self._latest)))
            if isinstance(self._over, BaseException):
                raise self._over
            return None

    def finish(self, error: BaseException | None = None) -> None:
        """Nothing more will be put."""
        with self._filled:
            self._over = self._over or error or True
            self._filled.notify_all()
        if self._tell is not None:
            self._tell()

    @property
    def finished(self) -> bool:
        """If nothing will come and nothing waits, not even an error."""
        with self._filled:
            return self._over is True and not self._waiting

    @property
    def _waiting(self) -> bool:
        return bool(self._queue or self._latest)

    def _replace(self, letter: Letter) -> Letter | None:
        key = (letter.envelope.stream, letter.envelope.kind)
        older = self._latest.get(key)
        self._latest[key] = letter  # in the older one's turn: a fast stream does not starve itself
        return older
