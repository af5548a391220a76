"""What a subscriber got and what not, and whose fault it was: one account a stream and kind."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..wire import Envelope


@dataclass(frozen=True)
class KindStatistics:
    """Messages of one stream and kind, since the subscriber began.

    ``received`` = ``delivered`` + ``skipped`` + ``waiting``: given to the program, thrown away
    because the program was slower, and neither yet. ``lost``: published but never received.
    ``dropped``: frames that the pipeline did not publish, by reason. ``captured``: frames that the
    source took from the first received one to the last. For the kind ``meta``, which has a message
    for every published frame: captured = received + lost + Σ dropped. (Where a publisher dies, or
    messages are lost just at a change of epoch, what only they would have told is missing.)
    """

    received: int = 0
    delivered: int = 0
    skipped: int = 0
    lost: int = 0
    captured: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Received and still to be delivered."""
        return self.received - self.delivered - self.skipped


class Account:
    """The books of one stream and kind. Not thread-safe."""

    def __init__(self) -> None:
        self.publisher = ""
        self.next_pseq = 0
        self.delivered = self.skipped = 0
        self._received = self._lost = self._captured = 0
        self._dropped: Counter[str] = Counter()
        self._run: tuple[str, int] | None = None  # publisher and epoch
        self._seq = 0
        self._told: Counter[str] = Counter()  # drops of this epoch that are in the books

    def enter(self, envelope: Envelope) -> None:
        """A message came.

        :raises WireError: when its counters are missing; the books are as before then.
        """
        fields = envelope.fields
        epoch, seq = fields.integer("epoch"), fields.integer("seq")
        dropped = Counter(fields.counts("dropped"))
        if envelope.publisher == self.publisher:
            self._lost += max(0, envelope.pseq - self.next_pseq)
        self._advance((envelope.publisher, epoch), seq, dropped)
        self.publisher, self.next_pseq = envelope.publisher, envelope.pseq + 1
        self._received += 1

    def end(self, publisher: str, messages: int) -> None:
        """The publisher has ended after so many messages: what did not come is lost."""
        if publisher == self.publisher and messages > self.next_pseq:
            self._lost += messages - self.next_pseq
            self._captured += messages - self.next_pseq
            self.next_pseq = messages

    def statistics(self) -> KindStatistics:
        return KindStatistics(
            received=self._received,
            delivered=self.delivered,
            skipped=self.skipped,
            lost=self._lost,
            captured=self._captured,
            dropped=dict(self._dropped),
        )

    def _advance(self, run: tuple[str, int], seq: int, dropped: Counter[str]) -> None:
        """What was captured and dropped since the last message; at the start, from this one on."""
        if self._run is None or self._run[0] != run[0]:
            self._told, self._seq = dropped, seq - 1
        elif self._run != run:
            self._told, self._seq = Counter(), -1
        self._captured += max(0, seq - self._seq)
        self._dropped += dropped - self._told
        self._run, self._seq, self._told = run, seq, dropped
