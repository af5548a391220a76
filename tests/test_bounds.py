"""What comes in over the sockets of a publisher is bounded, and whoever goes beyond is cut."""

import resource
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import zmq

from pipeline.client import Subscriber
from pipeline.demand import Demand
from pipeline.keys import read_keys
from stages.publishing.allowed import AllowList
from stages.publishing.connections import Connections, Measure
from stages.publishing.outlet import Lock, Outlet
from tests.locked import House
from tests.station import ANY_PORT, Station, frame

NS = 1_000_000_000
RATE = Measure(rate=64_000)


@contextmanager
def accepted(listening: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the peer's, and ours."""
    with socket.create_connection(listening.getsockname()) as peer:
        ours, _ = listening.accept()
        with ours:
            peer.settimeout(5)
            yield peer, ours


def is_cut(peer: socket.socket) -> bool:
    peer.setblocking(False)
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False


def test_one_connection_too_many_is_cut() -> None:
    connections = Connections(most=1)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with accepted(listening) as (peer, ours), accepted(listening) as (late_peer, late):
            connections.came(ours.fileno(), at, 0, RATE)
            connections.came(late.fileno(), at, 0, RATE)
            assert (is_cut(peer), is_cut(late_peer)) == (False, True)
            assert (len(connections), connections.cut) == (1, 1)


def test_who_sends_more_than_a_subscriber_has_to_say_is_cut() -> None:
    connections = Connections()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with accepted(listening) as (peer, ours):
            connections.came(ours.fileno(), at, 0, RATE)
            for second in range(40):  # 60 KB a second is not much
                peer.sendall(bytes(60_000))
                assert len(ours.recv(60_000, socket.MSG_WAITALL)) == 60_000
                connections.look(second * NS)
            assert not is_cut(peer)
            peer.setblocking(True)
            peer.sendall(bytes(60_000) * 10)
            while len(connections):
                ours.recv(1 << 20)
                connections.look(40 * NS)
            assert is_cut(peer)
            assert connections.cut == 1


def test_who_is_sent_much_may_say_much() -> None:
    connections = Connections()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with accepted(listening) as (peer, ours):
            connections.came(ours.fileno(), at, 0, Measure(rate=0, share=0.5))
            for _ in range(20):
                ours.sendall(bytes(50_000))
                assert len(peer.recv(50_000, socket.MSG_WAITALL)) == 50_000
                peer.sendall(bytes(20_000))
                assert len(ours.recv(20_000, socket.MSG_WAITALL)) == 20_000
                connections.look(0)
            assert len(connections) == 1
            for _ in range(20):
                if len(connections):
                    peer.sendall(bytes(20_000))
                    assert len(ours.recv(20_000, socket.MSG_WAITALL)) == 20_000
                    connections.look(0)
            assert connections.cut == 1


def test_one_who_sends_little_is_not_looked_at_all_the_time() -> None:
    connections = Connections()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with accepted(listening) as (peer, ours):
            connections.came(ours.fileno(), at, 0, Measure(rate=1_000, rest_s=1.0))
            assert connections.heed(0) is None
            peer.sendall(bytes(100))
            assert select.select([connections], [], [], 5)[0]
            assert connections.heed(0) == 1.0
            peer.sendall(bytes(100))
            assert not select.select([connections], [], [], 0.05)[0]
            assert connections.heed(NS // 2) == 0.5
            assert connections.heed(NS) == 1.0
            connections.went(ours.fileno())
            assert connections.heed(2 * NS) is None
    connections.close()


def test_a_descriptor_that_is_another_file_by_now_is_let_alone() -> None:
    connections = Connections(most=0)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        accepted(listening) as (peer, ours),
        open("/dev/null", "rb") as file,
    ):
        connections.came(ours.fileno(), "tcp://127.0.0.1:1", 0, RATE)
        connections.came(file.fileno(), "tcp://127.0.0.1:1", 0, RATE)
        connections.came(9_999, "tcp://127.0.0.1:1", 0, RATE)
        connections.look(0)
        assert len(connections) == 0
        assert not is_cut(peer)
        assert file.read() == b""


def test_nobody_is_forgotten_while_no_file_can_be_opened() -> None:
    connections = Connections()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with accepted(listening) as (peer, ours):
            connections.came(ours.fileno(), at, 0, Measure(rate=0))
            peer.sendall(bytes(200_000))
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
            try:
                connections.look(0)
                connections.heed(0)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            assert len(connections) == 1
            while len(connections):
                ours.recv(1 << 20)
                connections.look(0)
            assert connections.cut == 1
    connections.close()


@contextmanager
def xsub(endpoint: str) -> "Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]":
    """A subscriber that says what it likes, and what becomes of its connection."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sock: zmq.Socket[bytes] = context.socket(zmq.XSUB)
    sock.sndhwm = 0
    sock.monitor("inproc://fate", zmq.EVENT_DISCONNECTED)
    fate: zmq.Socket[bytes] = context.socket(zmq.PAIR)
    fate.connect("inproc://fate")
    sock.connect(endpoint)
    yield sock, fate
    sock.close(0)
    fate.close(0)
    context.term()


@pytest.mark.parametrize(("count", "length"), [(5_100, 4), (700, 200)])
def test_who_subscribes_to_too_much_is_cut_and_the_good_lose_nothing(
    count: int, length: int
) -> None:
    with (
        Station() as station,
        Subscriber(station.endpoint, mode="all", waiting=1000, timeout_s=20) as good,
        xsub(station.endpoint) as (greedy, fate),
    ):
        station.wait_for("meta")
        for i in range(count):
            greedy.send(b"\x01" + b"%d" % i + b"x" * length)
        for i in range(50):
            station.put(frame(i))
            time.sleep(0.01)
        assert fate.poll(15_000)
        station.end()
        assert [each.seq for each in good] == list(range(50))
        assert good.statistics().kinds["gate-2", "meta"].lost == 0


def test_a_subscriber_may_ask_for_a_thousand_streams() -> None:
    with Station() as station, xsub(station.endpoint) as (many, fate):
        for i in range(1000):
            many.send(b"\x01v1/camera-%d/meta/" % i)
        station.wait_for("meta", "camera-999")
        assert fate.poll(300) == 0


@pytest.mark.parametrize("mode", ["all", "credit"])
@pytest.mark.parametrize("streams", [None, ["gate-2"]])
def test_who_subscribes_to_very_much_keeps_nobody_out(
    mode: Literal["all", "credit"], streams: list[str] | None
) -> None:
    """As much as one may; who comes later wants what could not be noted any more."""
    with Station() as station:
        with xsub(station.endpoint) as (greedy, fate):
            for i in range(4_500):
                greedy.send(b"\x01v1/%d/" % i)
            station.wait_for("meta", "2000")
            with Subscriber(station.endpoint, streams, mode=mode, timeout_s=20) as good:
                for i in range(100):
                    station.put(frame(i))
                    if good.take(0.1) is not None:
                        break
                assert good.statistics().kinds["gate-2", "meta"].received > 0
            assert fate.poll(0) == 0
        station.wait_for("meta", wanted=False)


class Unreadable(AllowList):
    def look(self) -> frozenset[str]:
        raise RuntimeError("nobody thought of that")


def test_whatever_ends_the_door_ends_the_stage(tmp_path: Path) -> None:
    """Or no key would be asked for again, and none withdrawn, and nobody would know."""
    house = House(tmp_path)
    lock = Lock(read_keys(tmp_path / "server.key"), Unreadable(house.allowed))
    outlet = Outlet(
        ANY_PORT,
        "",
        publisher="me",
        demand=Demand(),
        insecure=False,
        waiting=(1000, 4),
        lock=lock,
    )
    with pytest.raises(RuntimeError, match="nobody thought of that"):
        listen_for_ever(outlet)
    outlet.close(linger_s=0)


def listen_for_ever(outlet: Outlet) -> None:
    while True:
        outlet.listen()
        time.sleep(0.05)


def test_a_message_without_end_is_cut() -> None:
    """libzmq keeps the parts of a message until the last one is here, however many come."""
    with (
        Station() as station,
        Subscriber(station.endpoint, mode="all", timeout_s=20) as good,
    ):
        station.wait_for("meta")
        host, port = station.endpoint.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as rude:
            null = b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
            rude.sendall(b"\xff" + bytes(8) + b"\x7f" + null)
            greeting = b""
            while len(greeting) < 64:
                greeting += rude.recv(64)
            ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 3) + b"SUB"
            rude.sendall(b"\x04" + bytes([len(ready)]) + ready)
            part = b"\x01\xc8" + bytes(200)  # more to come, 200 bytes
            with pytest.raises(OSError, match=r"pipe|reset"):
                pour(rude, part * 1000)
        station.put(frame(0))
        station.end()
        assert [each.seq for each in good] == [0]


def pour(rude: socket.socket, parts: bytes) -> None:
    for _ in range(100):
        rude.sendall(parts)
        time.sleep(0.05)
