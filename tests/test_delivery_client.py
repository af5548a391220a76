"""The subscriber of the delivery socket before a publisher that says what it likes."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from pipeline.client import Subscriber
from pipeline.client.progress import Progress
from pipeline.errors import EndpointError, WireError
from pipeline.wire import Position, Welcome, encode, encode_status, encode_welcome
from pipeline.wire.delivery import MOST_CREDIT, Greeting
from pipeline.wire.status import Status
from tests.station import ANY_PORT, frame

WAIT_MS = 10_000


class FalsePublisher:
    """The two sockets that such a subscriber needs, in the hands of the test."""

    def __init__(self, delivery: str | None = None) -> None:
        self._context = zmq.Context()
        self.router: zmq.Socket[bytes] = self._context.socket(zmq.ROUTER)
        self.router.rcvtimeo = WAIT_MS
        self.router.bind(ANY_PORT)
        self._records: zmq.Socket[bytes] = self._context.socket(zmq.XPUB)
        at = self.router.getsockopt_string(zmq.LAST_ENDPOINT) if delivery is None else delivery
        self._records.set(zmq.XPUB_WELCOME_MSG, encode_welcome(Welcome("false", "", at)))
        self._records.bind(ANY_PORT)
        self.endpoint = self._records.getsockopt_string(zmq.LAST_ENDPOINT)
        self.route = b""

    def greet(self) -> None:
        """Let the socket of the records send its welcome to who has come."""
        assert self._records.poll(WAIT_MS)
        self._records.recv()

    def hear(self, kind: str = "") -> dict[str, Any]:
        """The next request, or the next of that kind."""
        while True:
            self.route, part = self.router.recv_multipart()
            request: dict[str, Any] = json.loads(part)
            if kind in ("", request["kind"]):
                return request

    def say(self, *parts: bytes, **fields: object) -> None:
        first = json.dumps({"v": 1, **fields}).encode()
        self.router.send_multipart([self.route, first, *parts])

    def message(self, number: int, seq: int, skipped: int = 0) -> None:
        parts = encode(frame(seq), publisher="false", pseq=seq, kind="meta")
        self.say(*parts, kind="message", number=number, skipped=skipped)

    def close(self) -> None:
        self._context.destroy(0)


@pytest.fixture
def publisher() -> Iterator[FalsePublisher]:
    made = FalsePublisher()
    yield made
    made.close()


def test_the_whole_talk(publisher: FalsePublisher) -> None:
    with Subscriber(publisher.endpoint, ["gate-2"], mode="credit", credit=2) as subscriber:
        publisher.greet()
        assert publisher.hear("hello") == {
            "v": 1, "kind": "hello", "mode": "credit", "streams": ["gate-2"], "kinds": ["meta"],
            "credit": 2,
        }  # fmt: skip
        publisher.say(kind="welcome", publisher="false", next=0)
        publisher.message(0, 5)
        publisher.message(1, 9, skipped=3)
        first, second = subscriber.take(10), subscriber.take(10)
        assert first is not None
        assert second is not None
        assert (first.pseq, second.pseq, subscriber.position) == (5, 9, Position("false", 1))
        assert publisher.hear("ack")["number"] == 0
        counts = subscriber.statistics().kinds["gate-2", "meta"]
        assert (counts.captured, counts.received, counts.passed_over) == (5, 2, 3)
        publisher.hear("ping")
        publisher.say(kind="error", error="unknown", text="who are you?")
        publisher.hear("hello")
        publisher.say(kind="welcome", publisher="false", next=0)
        publisher.message(0, 12, skipped=1)  # two were lost with the line
        third = subscriber.take(10)
        assert third is not None
        publisher.say(*ended(14), kind="message")
        publisher.say(kind="end", number=1)
        assert subscriber.take(10) is None
        while publisher.hear("ack")["number"] != 1:  # the last message's may come by itself
            pass
        assert subscriber.ended
    counts = subscriber.statistics().kinds["gate-2", "meta"]
    assert (counts.captured, counts.received, counts.passed_over, counts.lost) == (9, 3, 5, 1)


def ended(messages: int) -> list[bytes]:
    status = Status("gate-2", "ended", 1, 0, messages - 1, messages={"meta": messages})
    return encode_status(status, publisher="false", pseq=0)


def test_rubbish_is_counted_and_what_follows_is_taken(publisher: FalsePublisher) -> None:
    with Subscriber(publisher.endpoint, mode="credit", credit=2) as subscriber:
        publisher.greet()
        publisher.hear("hello")
        publisher.say(kind="welcome", publisher="false", next=0)
        damaged = encode(frame(0), publisher="false", pseq=0, kind="meta")[:1]
        publisher.say(*damaged, kind="message", number=0, skipped=0)
        assert publisher.hear("ack")["number"] == 0  # nobody will take it
        publisher.say(kind="dance")
        publisher.say(kind="message", number=-1, skipped=0)
        publisher.message(5, 5)  # some before it did not come
        publisher.say(kind="end", number=9)
        publisher.router.send_multipart([publisher.route, b"\xff", b"", b""])
        publisher.say(kind="welcome", publisher=7, next=0)
        publisher.say(kind="error", error="malformed", text="\x1b[2J")
        publisher.message(1, 1)
        message = subscriber.take(10)
        assert message is not None
        assert message.pseq == 1
        assert subscriber.statistics().rejected == 7


def test_no_more_is_kept_than_was_asked_for() -> None:
    progress = Progress("credit", None)
    progress.greet(Greeting("false", 0))
    for number in range(MOST_CREDIT + 1):
        assert progress.receive(number)
    with pytest.raises(WireError, match="up to 64"):
        progress.receive(MOST_CREDIT + 1)


def test_numbers_that_were_given_up_are_passed_over() -> None:
    progress = Progress("lossless", Position("false", 3))
    assert progress.position() == ("false", 3)
    progress.greet(Greeting("false", 4))
    assert progress.receive(4)
    progress.greet(Greeting("false", 1000))
    assert not progress.receive(999)
    assert progress.receive(1000)
    assert progress.position() == ("false", 999)
    progress.greet(Greeting("another", 0))
    assert progress.receive(0)


def test_a_publisher_that_does_not_deliver_is_named() -> None:
    old = FalsePublisher(delivery="")
    try:
        with Subscriber(old.endpoint, mode="credit") as subscriber:
            old.greet()
            with pytest.raises(EndpointError, match="a publisher that delivers on request"):
                list(subscriber)
    finally:
        old.close()


def test_a_publisher_that_says_nothing_is_asked_on_another_connection(
    publisher: FalsePublisher,
) -> None:
    with Subscriber(publisher.endpoint, mode="credit"):
        publisher.greet()
        publisher.hear("hello")
        first, begun = publisher.route, time.monotonic()
        publisher.router.rcvtimeo = 15_000
        while publisher.hear("hello") and publisher.route == first:
            pass
        assert 5 < time.monotonic() - begun < 10
