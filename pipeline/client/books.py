"""All that a subscriber knows of a publisher: accounts, statuses, and whether it has ended."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..frame import Model
from ..wire import Envelope, FrameKind, Status
from ..wire.fields import refused
from ..wire.status import MOST_STREAMS
from .accounts import Account, KindStatistics

GRACE_NS = 1_000_000_000
"""How long messages may still come after the publisher said that a stream has ended: pictures
have another way than records."""
OVER = ("ended", "failed")


@dataclass(frozen=True)
class Statistics:
    """All that a subscriber counted. ``kinds``: by (stream, kind). ``rejected``: messages that
    were none of this protocol. ``restarts``: how often another publisher took over."""

    kinds: Mapping[tuple[str, str], KindStatistics]
    rejected: int
    restarts: int

    def __str__(self) -> str:
        """Where every frame of each stream went, and every picture: a line for each."""
        return "\n".join(
            f"{stream}: {counts.equation()}"
            if kind == "meta"
            else f"{stream}, {kind}: {counts.fate()}"
            for (stream, kind), counts in sorted(self.kinds.items())
        )


class Books:
    """Safe to share: the receiving thread writes, the program reads."""

    def __init__(self, streams: Sequence[str] | None, kinds: Sequence[FrameKind]) -> None:
        self._lock = threading.Lock()
        self._streams = streams
        self._kinds = kinds
        self._accounts: dict[tuple[str, str], Account] = {}
        self._statuses: dict[str, Status] = {}
        self._over_ns: dict[str, int] = {}
        self._met: set[str] = set()
        self._publisher = ""
        self._restarts = self._rejected = 0

    def enter(self, envelope: Envelope, skipped: int = 0, session: int = 0) -> None:
        """A frame's message came, and the publisher says how many he skipped in this session.

        :raises WireError: when its counters are missing, or it is of one stream too many.
        """
        with self._lock:
            self._meet(envelope.stream)
            if envelope.kind == "meta":
                self._note_publisher(envelope.publisher)
            account = self._account(envelope.stream, envelope.kind)
            account.enter(envelope, skipped, session)
            status = self._statuses.get(envelope.stream)
            if envelope.kind == "meta" and status is not None:
                account.orient(envelope.publisher, status)

    def note(self, status: Status, publisher: str, now_ns: int) -> None:
        """A status came.

        :raises WireError: when it is of one stream too many.
        """
        with self._lock:
            self._meet(status.stream)
            self._note_publisher(publisher)
            self._statuses[status.stream] = status
            if account := self._accounts.get((status.stream, "meta")):
                account.orient(publisher, status)
            if status.state in OVER:
                self._over_ns.setdefault(status.stream, now_ns)
            else:
                self._over_ns.pop(status.stream, None)

    def catch_up(self, status: Status, publisher: str) -> None:
        """A status came behind all records that were sent before it: some of them may be lost."""
        with self._lock:
            account = self._accounts.get((status.stream, "meta"))
            if account is not None:
                account.catch_up(publisher, status)
                if status.state in OVER:
                    account.settle(publisher, status.totals)

    def skipped(self, envelope: Envelope) -> None:
        with self._lock:
            self._account(envelope.stream, envelope.kind).skipped += 1

    def delivered(self, envelope: Envelope) -> None:
        with self._lock:
            self._account(envelope.stream, envelope.kind).delivered += 1

    def spoiled(self, envelope: Envelope) -> None:
        with self._lock:
            self._account(envelope.stream, envelope.kind).spoil()

    def rejected(self) -> int:
        """Count a message that is none of this protocol; all of them so far."""
        with self._lock:
            self._rejected += 1
            return self._rejected

    def statuses(self) -> dict[str, Status]:
        """The last status of each stream, from the publisher that is there now."""
        with self._lock:
            return dict(self._statuses)

    def model(self, stream: str, model: Model) -> Model:
        """``model`` with all its class names, once a status has told them."""
        with self._lock:
            status = self._statuses.get(stream)
        known = status.model if status else None
        if known is None or (known.name, known.weights) != (model.name, model.weights):
            return model
        return known

    def statistics(self) -> Statistics:
        with self._lock:
            kinds = {key: account.statistics() for key, account in self._accounts.items()}
            return Statistics(kinds, self._rejected, self._restarts)

    def all_over(self, now_ns: int | None) -> bool:
        """If every wanted stream has ended and its last messages are here, or lost for sure.

        Without ``now_ns``, for who can lose none, no message is held for lost.
        """
        with self._lock:
            if not self._streams and len(self._over_ns) < len(self._statuses):
                return False  # looking through all that each status names takes long
            names = set(self._streams or ()) or self._known()
            if not names or not all(self._is_over(name, now_ns) for name in names):
                return False
            self._end(names)
            return True

    def settle(self, session: int | None) -> None:
        """The publisher has ended, and sends nothing more of what he was asked for. What is missing
        since a message of ``session`` was passed over; other messages, or all, are lost."""
        with self._lock:
            for status in (self._statuses[name] for name in self._over_ns):
                if account := self._accounts.get((status.stream, "meta")):
                    account.catch_up(self._publisher, status, session)
                    account.settle(self._publisher, status.totals)
            self._end(self._over_ns, session)

    def _end(self, names: Iterable[str], session: int | None = None) -> None:
        for name in names:
            for kind, messages in self._statuses[name].messages.items():
                if (name, kind) in self._accounts:
                    self._accounts[name, kind].end(self._publisher, messages, session)

    def _known(self) -> set[str]:
        told = (status.streams for status in self._statuses.values())
        return {name for names in told for name in names} | self._statuses.keys()

    def _is_over(self, stream: str, now_ns: int | None) -> bool:
        if stream not in self._over_ns:
            return False
        if now_ns is not None and now_ns - self._over_ns[stream] >= GRACE_NS:
            return True
        messages = self._statuses[stream].messages
        return all(self._complete(stream, kind, messages.get(kind, 0)) for kind in self._kinds)

    def _complete(self, stream: str, kind: str, messages: int) -> bool:
        account = self._accounts.get((stream, kind))
        if account is None or account.publisher != self._publisher:
            return messages == 0
        return account.next_pseq >= messages

    def _meet(self, stream: str) -> None:
        """Keep books of so many streams, and not of what a stranger invents without end."""
        if stream not in self._met and len(self._met) >= MOST_STREAMS:
            raise refused("header.stream", f"one of up to {MOST_STREAMS} streams", "another")
        self._met.add(stream)

    def _note_publisher(self, publisher: str) -> None:
        if self._publisher and publisher != self._publisher:
            self._restarts += 1
            self._statuses.clear()
            self._over_ns.clear()
        self._publisher = publisher

    def _account(self, stream: str, kind: str) -> Account:
        return self._accounts.setdefault((stream, kind), Account())
