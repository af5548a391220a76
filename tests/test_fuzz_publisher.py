"""Whatever is sent to a publisher, on whichever socket: it goes on, and so do the others."""

import random
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import zmq
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.client import Subscriber
from pipeline.wire.delivery import Pong, Refusal, decode_answer
from pipeline.wire.endpoints import parse_endpoint
from tests.frames import STREAMS
from tests.station import Station, frame
from tests.test_vectors import SAYINGS, part_of

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
"""How a connection of ZMTP 3 begins."""
NO_SHRINK = (Phase.explicit, Phase.generate)
GROWTH_BYTES = 64 * 2**20
REQUESTS = [part_of(vector["part"]) for vector in SAYINGS if vector["from"] == "subscriber"]
ANY_REQUEST = st.binary(max_size=300) | st.sampled_from(REQUESTS)
ANY_SUBSCRIPTION = st.builds(
    lambda verb, prefix: verb + prefix,
    st.sampled_from([b"\x00", b"\x01", b"\x02", b""]),
    st.binary(max_size=300) | STREAMS.map(lambda name: f"v1/{name}/meta/".encode()),
)


@pytest.fixture(scope="module")
def station() -> Iterator[Station]:
    with Station(streams=("gate-2",)) as made:
        yield made


@contextmanager
def connected(endpoint: str, kind: int) -> Iterator["zmq.Socket[bytes]"]:
    with zmq.Context() as context:
        sock: zmq.Socket[bytes] = context.socket(kind)
        sock.linger = 500
        sock.sndtimeo = 1_000
        sock.connect(endpoint)
        with sock:
            yield sock


@contextmanager
def a_good_subscriber(station: Station) -> Iterator[None]:
    """He gets every frame, whatever happens meanwhile."""
    with Subscriber(station.endpoint, ["good"], mode="all", timeout_s=20) as subscriber:
        station.wait_for("meta", "good")
        yield
        station.put(*(frame(i, stream="good", instances=None) for i in range(50)))
        for seq in range(50):
            message = subscriber.take(10)
            assert message is not None
            assert message.frame is not None
            assert message.frame.seq == seq
        assert subscriber.statistics().rejected == 0
    station.wait_for("meta", "good", wanted=False)


@given(st.lists(st.lists(ANY_SUBSCRIPTION, min_size=1, max_size=3), max_size=20))
@settings(max_examples=8, phases=NO_SHRINK)
def test_any_subscriptions(station: Station, messages: list[list[bytes]]) -> None:
    for endpoint in (station.endpoint, station.stage.pictures_endpoint):
        with a_good_subscriber(station), connected(endpoint, zmq.XSUB) as sock:
            for parts in messages:
                sock.send_multipart(parts)


@given(st.lists(st.lists(ANY_REQUEST, min_size=1, max_size=3), max_size=20))
@settings(max_examples=20, phases=NO_SHRINK)
def test_any_requests(station: Station, messages: list[list[bytes]]) -> None:
    endpoint = station.stage.delivery_endpoint
    with a_good_subscriber(station), connected(endpoint, zmq.DEALER) as sock:
        for parts in messages:
            sock.send_multipart(parts)
        assert is_answered(sock)


def is_answered(sock: "zmq.Socket[bytes]") -> bool:
    """If a ping is: not at once where the connection was cut for a request that is too long."""
    for _ in range(20):
        sock.send(b'{"v":1,"kind":"ping"}')
        while sock.poll(500):
            answer = decode_answer(sock.recv_multipart()[0])
            unknown = isinstance(answer, Refusal) and answer.error == "unknown"
            if unknown or isinstance(answer, Pong):
                return True
    return False


@given(st.lists(st.binary(max_size=2_000), max_size=5), st.booleans())
@settings(max_examples=20, phases=NO_SHRINK)
def test_any_bytes_on_a_connection(station: Station, pieces: list[bytes], greets: bool) -> None:
    ends = (station.endpoint, station.stage.pictures_endpoint, station.stage.delivery_endpoint)
    with a_good_subscriber(station):
        for endpoint in ends:
            port = parse_endpoint(endpoint, "test").port
            assert port is not None
            with socket.create_connection(("127.0.0.1", port)) as sock, suppress(OSError):
                for piece in [GREETING if greets else b"", *pieces]:
                    sock.sendall(piece)


def test_a_flood_of_rubbish_leaves_nothing_behind(station: Station) -> None:
    dice = random.Random(3)

    def flood(times: int) -> None:
        for _ in range(times):
            with (
                a_good_subscriber(station),
                connected(station.endpoint, zmq.XSUB) as records,
                connected(station.stage.delivery_endpoint, zmq.DEALER) as delivery,
            ):
                for _ in range(300):
                    with suppress(zmq.Again):
                        records.send(b"\x01" + dice.randbytes(50))
                        delivery.send(dice.choice([dice.randbytes(1_000), *REQUESTS]))
                        while delivery.poll(0):
                            delivery.recv_multipart()

    flood(3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    flood(10)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < GROWTH_BYTES
    deadline = time.monotonic() + 10
    while station.demand.subscribed("anybody", "meta"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
