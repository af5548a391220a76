"""The sequences of ``tests/data/wire``, sent over real sockets: the books come out as they must."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from pipeline.client import Subscriber
from pipeline.wire import Status, encode_status, topic
from tests import vectors
from tests.station import Puppet
from tests.vector_cases import Vector

SEQUENCES = vectors.read("sequences.jsonl")


@pytest.fixture
def puppet() -> Iterator[Puppet]:
    made = Puppet("sockets")
    yield made
    made.outlet.close(0)


class Player:
    """Sends the events of a sequence and waits until the subscriber has them."""

    def __init__(self, puppet: Puppet, subscriber: Subscriber) -> None:
        self._puppet = puppet
        self._subscriber = subscriber
        self._publisher = ""
        self._settled = 0

    def play(self, event: Vector) -> None:
        if "take" in event:
            self.settle()
            for _ in range(event["take"]):
                assert self._subscriber.take(5) is not None
        elif "parts" in event:
            self._puppet.send("meta", [base64.b64decode(part) for part in event["parts"]])
        else:
            header = event["header"]
            self._publisher = header["publisher"]
            parts = [topic(header["stream"], header["kind"]), json.dumps(header).encode()]
            self._puppet.send("meta", parts)

    def settle(self) -> None:
        """A status of another stream comes behind everything that was sent."""
        self._settled += 1
        status = Status("last", "running", self._settled)
        self._puppet.send("status", encode_status(status, publisher=self._publisher, pseq=0))
        deadline = time.monotonic() + 10
        while (seen := self._subscriber.statuses().get("last")) != status:
            assert time.monotonic() < deadline, seen
            time.sleep(0.002)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_the_books_are_right(puppet: Puppet, sequence: Vector) -> None:
    mode = sequence["mode"]
    with Subscriber(puppet.endpoint, mode=mode, until_end=False, timeout_s=10) as subscriber:
        puppet.wait("meta")
        player = Player(puppet, subscriber)
        for event in sequence["events"]:
            player.play(event)
        player.settle()
        while subscriber.take(0) is not None:
            pass
        books = subscriber.statistics()
    counts = books.kinds["gate-2", "meta"]
    found = {**vars(counts), "rejected": books.rejected, "restarts": books.restarts}
    assert {name: found[name] for name in sequence["expect"]} == sequence["expect"]
    assert counts.captured == counts.received + counts.lost + sum(counts.dropped.values())


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_the_truth_adds_up(sequence: Vector) -> None:
    expect = sequence["expect"]
    assert expect["captured"] == (
        expect["received"] + expect["lost"] + sum(expect["dropped"].values())
    )
    assert expect["received"] == expect["delivered"] + expect["skipped"]
