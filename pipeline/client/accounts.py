"""What a subscriber got and what not, and whose fault it was: one account a stream and kind."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..wire import Envelope, Status, Totals
from ..wire.fields import MOST_NAMES

OTHERS = "others"
"""What reasons are counted as for which there is no room."""


@dataclass(frozen=True)
class KindStatistics:
    """Messages of one stream and kind, since the subscriber began.

    ``received`` = ``delivered`` + ``skipped`` + ``waiting``: given to the program, thrown away
    because the program was slower, and neither yet. ``passed_over``: kept back by the publisher,
    because there was no room here (mode ``credit``). ``lost``: published but never received.
    ``dropped``: frames that the pipeline did not publish, by reason. ``captured``: frames that the
    source took from the first received one to the last. For the kind ``meta``, which has a message
    for every published frame, at any time: captured = received + Σ dropped + passed over + lost.
    What only lost messages would have told comes with the next message or status; what a publisher
    lost or dropped between its last message and its death nobody tells.
    """

    received: int = 0
    delivered: int = 0
    skipped: int = 0
    lost: int = 0
    captured: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    passed_over: int = 0

    @property
    def waiting(self) -> int:
        """Received and still to be delivered."""
        return self.received - self.delivered - self.skipped

    def equation(self) -> str:
        """Where every captured frame went, in one line; it adds up for the kind ``meta``.

        What was received and then skipped, here, counts as skipped, like what was passed over.
        """
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.dropped.items()))
        dropped = f"{sum(self.dropped.values())} dropped by the pipeline"
        shown = f"{dropped} ({reasons})" if reasons else dropped
        return f"{self.captured} captured = {self.fate()} + {shown}"

    def fate(self) -> str:
        """What became of the messages that were published."""
        taken, skipped = self.received - self.skipped, self.skipped + self.passed_over
        return f"{taken} received + {skipped} skipped + {self.lost} lost on the wire"


class Account:
    """The books of one stream and kind. Not thread-safe."""

    def __init__(self) -> None:
        self.publisher = ""
        self.next_pseq = 0
        self.delivered = self.skipped = 0
        self._received = self._passed_over = self._lost = self._captured = 0
        self._dropped: Counter[str] = Counter()
        self._epoch = 0
        self._seq = 0
        self._told: Counter[str] = Counter()  # drops of this epoch that are in the books
        self._session = self._skipped = 0  # of the last message, where it was asked for
        # Drops of this publisher before one of its epochs, once known; and in the books since.
        self._earlier: Counter[str] | None = None
        self._since = 0
        self._of_run: Counter[str] = Counter()

    def enter(self, envelope: Envelope, skipped: int = 0, session: int = 0) -> None:
        """A message came, and the publisher says how many he ``skipped`` in this ``session``.

        :raises WireError: when its counters are missing; the books are as before then.
        """
        fields = envelope.fields
        epoch, seq = fields.integer("epoch"), fields.integer("seq")
        dropped = Counter(fields.counts("dropped"))
        if envelope.publisher != self.publisher:
            self._begin(envelope.publisher, epoch, seq, dropped)
            self._captured += 1
        else:
            before = self._skipped if session == self._session else 0
            gap = self._miss(envelope.pseq, max(0, skipped - before))
            self._advance(epoch, seq, dropped, gap)
        self.next_pseq = envelope.pseq + 1
        self._received += 1
        self._session, self._skipped = session, skipped

    def spoil(self) -> None:
        """A message that was entered turns out to be damaged inside: it counts as lost."""
        self._received -= 1
        self._lost += 1

    def catch_up(self, publisher: str, status: Status, session: int | None = None) -> None:
        """A status came in its turn: of the records before it, what is not here is lost, but what
        is missing since a message of ``session`` was passed over.

        Only for records, and where a status overtakes none of them.
        """
        if publisher != self.publisher or status.epoch is None or status.seq is None:
            return
        missing = self._miss_up_to(status.messages.get("meta", 0), session)
        if missing > 0:
            self._advance(status.epoch, status.seq, Counter(status.dropped), missing - 1)
            self.next_pseq += missing

    def orient(self, publisher: str, status: Status) -> None:
        """A status came, perhaps before its turn, and tells what was dropped before its epoch.

        The first one of the first message's epoch, or a later one, will do.
        """
        if publisher != self.publisher or self._earlier is not None:
            return
        if status.epoch is None or status.epoch < self._epoch:
            return
        self._earlier = Counter(status.totals.dropped) - Counter(status.dropped)
        self._since = status.epoch
        # What is counted of epochs before is in earlier.
        self._of_run = Counter(self._told) if status.epoch == self._epoch else Counter()

    def settle(self, publisher: str, totals: Totals) -> None:
        """The exact totals at the end: drops behind the last message of an epoch or of all."""
        if publisher == self.publisher and self._earlier is not None:
            behind = Counter(totals.dropped) - self._earlier - self._of_run
            self._drop(behind)
            self._captured += behind.total()

    def end(self, publisher: str, messages: int, session: int | None = None) -> None:
        """The publisher has ended after so many messages: what did not come is lost, but what is
        missing since a message of ``session`` was passed over."""
        if publisher == self.publisher and messages > self.next_pseq:
            self._captured += self._miss_up_to(messages, session)
            self.next_pseq = messages

    def statistics(self) -> KindStatistics:
        return KindStatistics(
            received=self._received,
            delivered=self.delivered,
            skipped=self.skipped,
            lost=self._lost,
            captured=self._captured,
            dropped=dict(self._dropped),
            passed_over=self._passed_over,
        )

    def _miss_up_to(self, pseq: int, session: int | None) -> int:
        return self._miss(pseq, pseq if session == self._session else 0)

    def _miss(self, pseq: int, passed_over: int) -> int:
        """The messages before this one did not come; how many."""
        gap = max(0, pseq - self.next_pseq)
        self._passed_over += min(gap, passed_over)
        self._lost += max(0, gap - passed_over)
        return gap

    def _begin(self, publisher: str, epoch: int, seq: int, dropped: Counter[str]) -> None:
        """The first message of a publisher: the books go on from it."""
        self.publisher = publisher
        self._epoch, self._seq, self._told = epoch, seq, dropped
        self._earlier = Counter() if epoch == 0 else None
        self._since, self._of_run = epoch, Counter(dropped)

    def _advance(self, epoch: int, seq: int, dropped: Counter[str], gap: int) -> None:
        """What was captured and dropped since the last message, ``gap`` messages being lost.

        Of an epoch's first messages seq - Σ dropped are before this one; other lost ones belong to
        epochs before it.
        """
        if epoch != self._epoch:
            self._captured += max(0, gap - max(0, seq - dropped.total()))
            self._told, self._epoch, self._seq = Counter(), epoch, -1
        self._captured += max(0, seq - self._seq)
        self._drop(dropped - self._told)
        self._seq, self._told = seq, dropped

    def _drop(self, dropped: Counter[str]) -> None:
        _add(self._dropped, dropped)
        if self._epoch >= self._since:
            _add(self._of_run, dropped)


def _add(books: Counter[str], dropped: Counter[str]) -> None:
    """Who invents reasons without end shall not fill the memory with them."""
    for reason, count in dropped.items():
        has_room = reason in books or len(books) < MOST_NAMES
        books[reason if has_room else OTHERS] += count
