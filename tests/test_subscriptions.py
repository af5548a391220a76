"""What one subscriber takes back, or never asked for, is nothing to the others."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.client import Subscriber
from pipeline.demand import Demand
from pipeline.wire.endpoints import parse_endpoint
from stages.publishing.subscriptions import Subscriptions
from tests.station import Station, frame

PREFIX = b"v1/gate-2/meta/"
MARK = b"\x01v1/marker/meta/"
"""Whatever was said before it has been heard when this is wanted."""
NULL = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


@contextmanager
def subscribing_by_hand(endpoint: str) -> Iterator[socket.socket]:
    """A connection of ZMTP that is ready, without libzmq, which would hold back much."""
    port = parse_endpoint(endpoint, "test").port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=10) as sock:
        sock.sendall(NULL)
        greeting = b""
        while len(greeting) < 64:
            greeting += sock.recv(64 - len(greeting))
        ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 4) + b"XSUB"
        sock.sendall(b"\x04" + bytes([len(ready)]) + ready)
        yield sock


def part(said: bytes, *, more: bool = False) -> bytes:
    return bytes([more, len(said)]) + said


@pytest.mark.parametrize(
    "said",
    [
        part(b"\x00" + PREFIX) * 3,
        part(b"\x01" + PREFIX) + part(b"\x02", more=True) + part(b"\x00" + PREFIX),
        part(b"\x01" + PREFIX) + part(b"\x00" + PREFIX) * 2,
        part(b"\x02", more=True),
    ],
    ids=["never_asked", "within_a_message", "twice", "half_a_message"],
)
def test_a_stranger_ends_nobody_elses_subscription(said: bytes) -> None:
    with (
        Station() as station,
        Subscriber(station.endpoint, mode="all", streams=["gate-2"], timeout_s=20) as good,
    ):
        station.wait_for("meta")
        with subscribing_by_hand(station.endpoint) as rude:
            rude.sendall(said + part(MARK))
            station.wait_for("meta", "marker")
            station.put(*(frame(i) for i in range(5)))
            got = [good.take(10) for _ in range(5)]
            assert [each and each.frame and each.frame.seq for each in got] == list(range(5))
        good.close()
        station.wait_for("meta", wanted=False)


def test_who_takes_back_is_believed_when_nobody_else_is_here() -> None:
    demand = Demand()
    subscriptions = Subscriptions(demand, ["meta"])
    for descriptor in (3, 4, 5):
        subscriptions.add(PREFIX, descriptor)
    subscriptions.take_back(PREFIX, 9)
    subscriptions.take_back(PREFIX, 3)
    subscriptions.review({4, 5})
    assert demand.wants("gate-2", "meta")
    subscriptions.review({5})  # the other hung up, of which nothing is told
    assert demand.wants("gate-2", "meta")
    subscriptions.take_back(PREFIX, 5)
    assert not demand.wants("gate-2", "meta")
    subscriptions.take_back(PREFIX, 5)
    subscriptions.end(PREFIX)
    subscriptions.review(set())
    assert not demand.wants("gate-2", "meta")


def test_who_hung_up_unheard_holds_nothing_for_long() -> None:
    with (
        Station() as station,
        subscribing_by_hand(station.endpoint) as stays,
    ):
        stays.sendall(part(b"\x01" + PREFIX))
        station.wait_for("meta")
        with subscribing_by_hand(station.endpoint) as leaves:
            leaves.sendall(part(b"\x01" + PREFIX) + part(MARK))
            station.wait_for("meta", "marker")
        stays.sendall(part(b"\x00" + PREFIX))
        station.wait_for("meta", wanted=False)
