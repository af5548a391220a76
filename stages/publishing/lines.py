"""What waits for one subscriber of the delivery socket, and what is under way to it.

Plain counting, without sockets. Numbers run from 0 without gaps; ``acknowledged`` is the first
number that has not been acknowledged, ``following`` the first one that a new connection is sent.
Parts are whole messages but for their first part.
"""

from collections import Counter, deque
from collections.abc import Sequence

from pipeline.wire import FrameKind
from pipeline.wire.delivery import Delivery, End, encode_answer

Parts = Sequence[bytes]


class NewestLine:
    """``credit``: of each stream and kind the newest message waits; the ones before are skipped."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, FrameKind], Parts] = {}
        self._skipped: Counter[tuple[str, FrameKind]] = Counter()
        self._sent = 0
        self._ending = False
        self.acknowledged = 0
        self.following = 0

    def offer(self, stream: str, kind: FrameKind, parts: Parts) -> bool:
        """A message that the subscriber wants; True when it takes the place of an older one."""
        key = (stream, kind)
        is_skipped = key in self._waiting
        self._skipped[key] += is_skipped
        self._waiting[key] = parts  # in the older one's turn: a fast stream does not starve itself
        return is_skipped

    def end(self) -> None:
        """Nothing more will be offered."""
        self._ending = True

    def forget_waiting(self) -> None:
        """Only the end is left to be sent."""
        self._waiting.clear()

    @property
    def kept(self) -> int:
        """Messages that are not sent."""
        return len(self._waiting)

    @property
    def waits(self) -> bool:
        """If there is something to send."""
        return bool(self._waiting) or self._ending

    @property
    def under_way(self) -> int:
        """Messages sent and not acknowledged."""
        return self._sent - self.acknowledged

    def head(self) -> Parts:
        """What is to be sent next, records before pictures. Only while something ``waits``."""
        if not self._waiting:
            return [encode_answer(End(self._sent))]
        key = self._next()
        return [encode_answer(Delivery(self._sent, self._skipped[key])), *self._waiting[key]]

    def sent(self) -> None:
        """The head has been sent."""
        self._sent += 1
        if self._waiting:
            del self._waiting[self._next()]
        else:
            self._ending = False

    def acknowledge(self, number: int) -> bool:
        """All up to ``number`` is dealt with; False when so much was never sent."""
        if number >= self._sent:
            return False
        self.acknowledged = max(self.acknowledged, number + 1)
        return True

    def _next(self) -> tuple[str, FrameKind]:
        return next((key for key in self._waiting if key[1] == "meta"), next(iter(self._waiting)))


class KeptLine:
    """``lossless``: every message is kept until it is acknowledged, over all connections."""

    def __init__(self) -> None:
        self._kept: deque[Parts] = deque()
        self._offered = self._sent = 0
        self._reached = 0  # what was ever sent, on any connection
        self._ended = False
        self.acknowledged = 0

    def offer(self, stream: str, kind: FrameKind, parts: Parts) -> bool:
        """A message that the subscriber wants; it takes the place of none."""
        del stream, kind  # one line for all, in the order of publishing
        self._kept.append(parts)
        self._offered += 1
        return False

    def end(self) -> None:
        """Nothing more will be offered; what comes last says so."""
        self._ended = True

    @property
    def following(self) -> int:
        """What was not acknowledged is sent again, and the end always."""
        return min(self.acknowledged, self._offered)

    def rewind(self) -> None:
        """A new connection: all from ``following`` on is to be sent again."""
        self._sent = self.acknowledged = self.following

    def forget(self) -> int:
        """Keep nothing of what was offered; how many messages that were."""
        given_up = len(self._kept)
        self._kept.clear()
        self._sent = self.acknowledged = self._offered
        return given_up

    @property
    def kept(self) -> int:
        """Messages that are not acknowledged."""
        return len(self._kept)

    @property
    def done(self) -> bool:
        """If the end is acknowledged."""
        return self.acknowledged > self._offered

    @property
    def waits(self) -> bool:
        """If there is something to send."""
        return self._sent < self._offered + self._ended

    @property
    def under_way(self) -> int:
        """Messages sent on this connection and not acknowledged."""
        return self._sent - self.acknowledged

    def head(self) -> Parts:
        """What is to be sent next. Only while something ``waits``."""
        if self._sent == self._offered:
            return [encode_answer(End(self._sent))]
        return [encode_answer(Delivery(self._sent)), *self._kept[self.under_way]]

    def sent(self) -> None:
        """The head has been sent."""
        self._sent += 1
        self._reached = max(self._reached, self._sent)

    def acknowledge(self, number: int) -> bool:
        """All up to ``number`` is dealt with; False when so much was never sent.

        A program that comes back may have more than was sent to it on this connection.
        """
        if number >= self._reached:
            return False
        while self._kept and self.acknowledged <= number:
            self._kept.popleft()
            self.acknowledged += 1
        self.acknowledged = max(self.acknowledged, number + 1)
        self._sent = max(self._sent, self.acknowledged)
        return True
