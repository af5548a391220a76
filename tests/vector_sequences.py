"""Runs of messages, some of which are lost, and the books that a subscriber must have at the end.

A run is a line of letters, one for each thing that happens, so that what is true is known without
any client: ``tests/vectors.py`` writes both.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.wire import Status, Totals, encode_header, encode_status
from tests.station import frame
from tests.vector_cases import Vector, part

REASONS = {"q": "queue_full", "s": "stale", "c": "corrupt"}
LETTERS = """
r  a frame is published and its record received
l  a frame is published and its record lost
q  a frame is dropped: queue_full    s  stale    c  corrupt
e  a new epoch begins
S  a status is received
F  the final status is received: the stream has ended
R  the publisher dies, and another one begins
b  the clock steps back by an hour
t  the program takes one message
x  something that is none of the protocol arrives
y  a frame is published, and its record arrives damaged    z  damaged inside
"""
RUNS = {
    "nothing lost": "rrrr",
    "drops of the pipeline": "rqqrsrcqr",
    "drops before the first message do not count": "qqsrqr",
    "losses": "rllrlr",
    "losses and drops, mixed": "rlqlsrqlqrl",
    "a late joiner": "lqlqlrrlr",
    "a late joiner in a later epoch": "rqeqlqrqr".replace("r", "l", 1),
    "a new epoch": "rqrerqr",
    "a new epoch begins with drops": "rreqqrr",
    "losses at the end of an epoch": "rrlleqrr",
    "losses at the end and at the beginning of an epoch": "rrqllelqlrr",
    "an epoch of which nothing arrives": "rrelqlerr",
    "an epoch in which nothing is published": "rreqqerr",
    "a status tells of losses": "rrllS",
    "a status tells of losses once": "rrlqlSrlSrr",
    "a status tells of losses in a new epoch": "rrlelqlSr",
    "a status before the first record": "Slrr",
    "losses at the end of all": "rrlqllF",
    "drops at the end of all": "rrqsqF",
    "losses and drops at the end of all": "rqrlqslqqF",
    "drops at the end of an epoch are told at the end of all": "rqqerrqerF",
    "the end, for a late joiner of the first epoch": "qlqlrqerqF",
    "the end, for a late joiner of a later epoch, after a status": "lqqeqrSqrlqeqrqF",
    "the end, for a late joiner of a later epoch, after a status of the next": "lqeqrqrerqSqrqqF",
    "the end, for a late joiner of a later epoch, after a status before": "lqqelSqrqlqeqrqF",
    "a publisher restarts": "rqrlRqrrlr",
    "a publisher restarts twice, once unseen": "rrRllRrqr",
    "a publisher restarts, and ends": "rqrRllqrlqF",
    "the clock steps back": "rqrbrqrblr",
    "rubbish between": "rxrxxr",
    "a damaged record is lost": "ryrqyr",
    "a record that is damaged inside is lost": "rzrqzrS",
    "the newest of each: two are skipped": "Lrrrtrt",
    "the newest of each: nothing is skipped": "Lrtrt",
    "the newest of each: skipped, lost and dropped": "LrrlqrtqqllrrqrStr",
}
HOUR_NS = 3_600 * 10**9


@dataclass
class Publisher:
    """One run of a publisher: what it has said so far."""

    name: str
    epoch: int = 0
    seq: int = 0
    pseq: int = 0
    statuses: int = 0
    utc_ns: int = 1_700_000_000_000_000_000
    dropped: Counter[str] = field(default_factory=Counter)
    told: dict[str, int] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    last: tuple[int | None, int | None] = (None, None)

    def publish(self) -> Vector:
        """The header of the next record."""
        self.utc_ns += 40_000_000
        sent = frame(self.seq, epoch=self.epoch, dropped=dict(self.dropped), instances=None)
        sent = replace(sent, captured_utc_ns=self.utc_ns, ended=())
        header: Vector = json.loads(encode_header(sent, publisher=self.name, pseq=self.pseq))
        self.told, self.last = dict(self.dropped), (self.epoch, self.seq)
        self.seq, self.pseq = self.seq + 1, self.pseq + 1
        return header

    def drop(self, reason: str) -> None:
        self.seq += 1
        self.dropped[reason] += 1
        self.totals[reason] += 1

    def begin(self) -> None:
        """A new epoch."""
        self.epoch, self.seq = self.epoch + 1, 0
        self.dropped = Counter()

    def status(self, *, final: bool) -> Vector:
        """How it stands at the last record, or finally: also what was dropped behind that."""
        behind = self.dropped - Counter(self.told) if self.last[0] == self.epoch else self.dropped
        totals = self.totals if final else self.totals - behind
        said = Status(
            "gate-2",
            "ended" if final else "running",
            self.utc_ns,
            *self.last,
            dropped=self.told,
            totals=Totals(self.pseq + totals.total(), self.pseq, dict(totals)),
            messages={"meta": self.pseq},
            streams=("gate-2",),
        )
        self.statuses += 1
        header: Vector = json.loads(encode_status(said, publisher=self.name, pseq=self.statuses)[1])
        return header


class Truth:
    """What a subscriber can know at each moment, kept by him who knows everything.

    Fates wait until something that arrives tells of them: a record or status of the same epoch
    tells of all before it. Drops of an epoch of which nothing later arrived only the final status
    tells.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(received=0, lost=0, captured=0)
        self.dropped: Counter[str] = Counter()
        self._begun = False
        self._untold: list[str] = []  # since the last record or status
        self._hidden: list[str] = []  # drops of epochs that are over

    def happens(self, fate: str) -> None:
        if self._begun:
            self._untold.append(fate)

    def epoch(self) -> None:
        """Of the drops nobody tells who comes later; of lost records their number does."""
        self._hidden += [fate for fate in self._untold if fate != "lost"]
        self._untold = [fate for fate in self._untold if fate == "lost"]

    def told(self) -> None:
        """A record or a status tells of what was before it."""
        for fate in self._untold:
            self._count(fate)
        self._untold.clear()

    def told_by_status(self) -> None:
        """It tells of all up to the last record, not of drops behind that."""
        behind = len(self._untold)
        while behind and self._untold[behind - 1] != "lost":
            behind -= 1
        later = self._untold[behind:]
        del self._untold[behind:]
        self.told()
        self._untold = later

    def receives(self) -> None:
        self.told()
        self._begun = True
        self._count("received")

    def ends(self) -> None:
        self.told()
        self._untold, self._hidden = self._hidden, []
        self.told()

    def dies(self) -> None:
        """What nobody has told of is never known."""
        self._begun = False
        self._untold, self._hidden = [], []

    def _count(self, fate: str) -> None:
        if fate in ("received", "lost"):
            self.counts[fate] += 1
        else:
            self.dropped[fate] += 1
        self.counts["captured"] += 1


def sequences() -> Iterator[Vector]:
    for name, letters in RUNS.items():
        yield _sequence(name, letters)


def _sequence(name: str, letters: str) -> Vector:
    mode = "latest" if letters.startswith("L") else "all"
    play = _Play(mode)
    for letter in letters.removeprefix("L"):
        play.happens(letter)
    truth = play.truth
    skipped = play.skipped
    return {
        "name": name,
        "about": letters.removeprefix("L"),
        "mode": mode,
        "events": play.events,
        "expect": {
            **truth.counts,
            "dropped": dict(sorted(truth.dropped.items())),
            "delivered": truth.counts["received"] - skipped,
            "skipped": skipped,
            "rejected": play.rejected,
            "restarts": play.restarts,
        },
    }


class _Play:
    """The letters, one after the other."""

    def __init__(self, mode: str) -> None:
        self.truth = Truth()
        self.events: list[Vector] = []
        self.skipped = self.rejected = self.restarts = 0
        self._publisher = Publisher("run-0")
        self._runs = 0
        self._heard = ""  # the publisher that was heard last
        self._waiting = 0
        self._room = 1 if mode == "latest" else 1_000

    def happens(self, letter: str) -> None:
        if letter in REASONS:
            self._publisher.drop(REASONS[letter])
            self.truth.happens(REASONS[letter])
        else:
            actions: dict[str, Any] = {
                "r": self._receive, "l": self._lose, "e": self._epoch, "S": self._status,
                "F": self._end, "R": self._restart, "b": self._step_back, "t": self._take,
                "x": self._rubbish, "y": lambda: self._damage("pseq"),
                "z": lambda: self._damage("instances"),
            }  # fmt: skip
            actions[letter]()

    def _receive(self) -> None:
        self._arrives(self._publisher.publish())
        self.truth.receives()
        self.skipped += self._waiting == self._room
        self._waiting = min(self._waiting + 1, self._room)

    def _lose(self) -> None:
        self._publisher.publish()
        self.truth.happens("lost")

    def _epoch(self) -> None:
        self._publisher.begin()
        self.truth.epoch()

    def _status(self) -> None:
        self._arrives(self._publisher.status(final=False))
        self.truth.told_by_status()

    def _end(self) -> None:
        self._arrives(self._publisher.status(final=True))
        self.truth.ends()

    def _arrives(self, header: Vector) -> None:
        self.events.append({"header": header})
        self.restarts += self._heard not in ("", self._publisher.name)
        self._heard = self._publisher.name

    def _restart(self) -> None:
        self._runs += 1
        self._publisher = Publisher(f"run-{self._runs}")
        self.truth.dies()

    def _step_back(self) -> None:
        self._publisher.utc_ns -= HOUR_NS

    def _take(self) -> None:
        self.events.append({"take": 1})
        self._waiting -= 1

    def _rubbish(self) -> None:
        self.events.append({"parts": [part(b"v1/gate-2/meta/"), part(b"\xffrubbish")]})
        self.rejected += 1

    def _damage(self, field: str) -> None:
        text = json.dumps(self._publisher.publish() | {field: "?"})
        self.events.append({"parts": [part(b"v1/gate-2/meta/"), part(text.encode())]})
        self.truth.happens("lost")
        self.rejected += 1
