"""A locked door: who has the key gets in, and nobody else; whoever loses it is out."""

import time
from pathlib import Path

import pytest
import zmq

from pipeline.client import Subscriber
from pipeline.demand import Demand
from pipeline.errors import AccessError, EndpointError
from pipeline.keys import Keys, lock_client, read_keys, read_public
from stages.publish import PublishSettings, PublishStage
from tests.locked import House
from tests.program import run
from tests.proxy import BadLine
from tests.station import ANY_PORT, Station, frame


def seqs(subscriber: Subscriber, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        message = subscriber.take(10)
        assert message is not None
        assert message.frame is not None
        found.append(message.frame.seq)
    return found


def test_who_is_on_the_list_gets_records_and_pictures(tmp_path: Path) -> None:
    house = House(tmp_path)
    ann = house.guest("ann")
    with Station(house.settings()) as station:
        station.put(frame(0))
        with house.subscriber(station.endpoint, ann, kinds=("meta", "annotated")) as subscriber:
            station.wait_for("meta")
            station.wait_for("annotated")
            station.put(frame(1))
            station.end()
            assert sorted(m.kind for m in subscriber.messages()) == ["annotated", "meta"]
            assert subscriber.statuses()["gate-2"].security == "curve"


@pytest.mark.parametrize("mode", ["credit", "lossless"])
def test_who_is_on_the_list_is_delivered_to(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path)
    ann, name = house.guest("ann"), "ann" if mode == "lossless" else ""
    with (
        Station(house.settings(lossless=("ann",) if name else ())) as station,
        house.subscriber(station.endpoint, ann, mode=mode, name=name) as subscriber,
    ):
        station.wait_for("meta")
        station.put(frame(0))
        assert seqs(subscriber, 1) == [0]
        subscriber.ack()
        station.end()
        assert list(subscriber) == []


def refused(subscriber: Subscriber) -> str:
    """What one who is not let in is told, and that he is told soon."""
    began = time.monotonic()
    with subscriber, pytest.raises(AccessError) as caught:
        list(subscriber.messages())
    assert time.monotonic() - began < 8
    assert caught.value.exit_code == 7
    return str(caught.value)


@pytest.mark.parametrize("mode", ["latest", "credit"])
def test_who_may_not_in_is_told_why(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path)
    ann, stranger, other = house.guest("ann"), house.pair("stranger"), house.pair("other")
    with Station(house.settings()) as station:
        open_one = Subscriber(station.endpoint, mode=mode, timeout_s=10)  # type: ignore[arg-type]
        assert "one that asks for keys" in refused(open_one)
        not_listed = house.subscriber(station.endpoint, stranger, mode=mode)
        assert "our key is not on its list" in refused(not_listed)
        wrong_server = house.subscriber(
            station.endpoint, ann, mode=mode, server_key=other.with_suffix(".pub")
        )
        assert "the server key is another's" in refused(wrong_server)
        assert not station.demand.subscribed("gate-2", "meta")


def test_keys_for_a_publisher_without_are_a_mistake(tmp_path: Path) -> None:
    house = House(tmp_path)
    with Station() as station:
        assert "one that has no keys" in refused(
            house.subscriber(station.endpoint, house.pair("ann"))
        )


def test_who_is_put_on_the_list_gets_in_and_nobody_is_cut(tmp_path: Path) -> None:
    house = House(tmp_path)
    ann = house.guest("ann")
    with Station(house.settings()) as station, house.subscriber(station.endpoint, ann) as first:
        station.wait_for("meta")
        bob = house.guest("bob")
        time.sleep(0.6)
        with house.subscriber(station.endpoint, bob) as second:
            while "gate-2" not in second.statuses():
                station.put(frame(len(station.passed)))
                time.sleep(0.05)
        station.end()
        list(first)
        assert first.statistics().kinds["gate-2", "meta"].lost == 0


def publish_until_cut(station: Station, subscriber: Subscriber) -> None:
    while True:
        station.put(frame(len(station.passed)))
        subscriber.take(0.05)


def test_who_is_taken_off_the_list_is_cut_and_the_others_come_back(tmp_path: Path) -> None:
    house = House(tmp_path)
    ann, bob = house.guest("ann"), house.guest("bob")
    with (
        Station(house.settings()) as station,
        house.subscriber(station.endpoint, ann) as stays,
        house.subscriber(station.endpoint, bob) as goes,
    ):
        station.wait_for("meta")
        station.put(frame(0))
        assert (seqs(stays, 1), seqs(goes, 1)) == ([0], [0])
        house.forget("bob")
        began = time.monotonic()
        with pytest.raises(AccessError, match="our key is not on its list"):
            publish_until_cut(station, goes)
        assert time.monotonic() - began < 5
        station.wait_for("meta")  # the one who stays is back
        published = len(station.passed)
        station.put(frame(published))
        station.end()
        list(stays)
        counts = stays.statistics().kinds["gate-2", "meta"]
        assert counts.received + counts.lost == published + 1
        late = house.subscriber(station.endpoint, bob)
        late.close()


def test_a_door_whose_key_is_withdrawn_opens_again_on_a_path_too(tmp_path: Path) -> None:
    house = House(tmp_path)
    ann, bob = house.guest("ann"), house.guest("bob")
    with (
        Station(house.settings(f"ipc://{tmp_path}/door")) as station,
        house.subscriber(station.endpoint, ann) as stays,
        house.subscriber(station.endpoint, bob) as goes,
    ):
        station.wait_for("meta")
        house.forget("bob")
        with pytest.raises(AccessError, match="our key is not on its list"):
            goes.take(10)
        station.wait_for("meta")
        station.put(frame(0))
        assert seqs(stays, 1) == [0]


def test_a_publisher_that_is_gone_behind_a_tunnel_is_waited_for(tmp_path: Path) -> None:
    """The tunnel takes connections and ends them, as one would whose server key is another's."""
    house = House(tmp_path)
    ann = house.guest("ann")
    with Station(house.settings()) as station:
        port = int(station.endpoint.rpartition(":")[2])
        with BadLine(port) as line, house.subscriber(line.endpoint, ann) as subscriber:
            station.wait_for("meta")
            station.put(frame(0))
            assert seqs(subscriber, 1) == [0]
            line.refusing = True
            line.cut()
            station.wait_for("meta", wanted=False)
            time.sleep(1.5)  # some attempts
            line.refusing = False
            station.wait_for("meta")
            station.put(frame(1))
            assert seqs(subscriber, 1) == [1]


def raw(context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> "zmq.Socket[bytes]":
    sock: zmq.Socket[bytes] = context.socket(zmq.SUB)
    sock.linger = 0
    sock.subscribe(b"")
    sock.connect(endpoint)
    return sock


def test_a_flood_of_wrong_handshakes_costs_the_good_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    ann, server = house.guest("ann"), read_public(house.server_key)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    wrong: list[zmq.Socket[bytes]] = []
    with (
        Station(house.settings()) as station,
        house.subscriber(station.endpoint, ann) as subscriber,
    ):
        station.wait_for("meta")
        for i in range(200):
            public, secret = (half.decode() for half in zmq.curve_keypair())
            wrong.append(context.socket(zmq.SUB))
            lock_client(wrong[-1], Keys(public, secret), server if i % 2 else public)
            wrong[-1].connect(station.endpoint)
            time.sleep(0.002)
            if i % 4:
                wrong.pop().close(0)
            station.put(frame(i))
        for sock in wrong:
            sock.close(0)
        context.term()
        station.end()
        assert seqs(subscriber, 200) == list(range(200))
        assert subscriber.statistics().kinds["gate-2", "meta"].lost == 0


def test_nothing_readable_is_on_the_wire(tmp_path: Path) -> None:
    """A client that asks for no encryption gets neither topics nor records."""
    house = House(tmp_path)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with Station(house.settings(), streams=("gate-2",)) as station:
        for endpoint in (station.endpoint, station.stage.pictures_endpoint):
            sock = raw(context, endpoint)
            assert sock.poll(1000) == 0
            sock.close()
    context.term()


def test_beyond_loopback_only_with_keys_or_when_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path)
    wide = "tcp://0.0.0.0:*"
    with pytest.raises(EndpointError, match="Lock it with --keys and --allow"):
        PublishStage(PublishSettings(endpoint=wide), demand=Demand())
    PublishStage(house.settings(wide), demand=Demand()).close()
    assert caplog.text == ""
    with Station(PublishSettings(endpoint=wide, insecure=True), streams=("gate-2",)) as station:
        assert "insecure: tcp://0.0.0.0:" in caplog.text
        local = station.endpoint.replace("0.0.0.0", "127.0.0.1")
        with Subscriber(local, timeout_s=10) as subscriber:
            while "gate-2" not in subscriber.statuses():
                time.sleep(0.01)
            assert subscriber.statuses()["gate-2"].security == "insecure"
    # Keys make it safe, also where it would not have to be.
    PublishStage(house.settings(wide, insecure=True), demand=Demand()).close()
    assert caplog.text.count("insecure: ") == 1


def test_half_a_lock_is_none(tmp_path: Path) -> None:
    house = House(tmp_path)
    keys = str(house.server_key.with_suffix(".key"))
    for changes in ({"keys": keys}, {"allowed": str(house.allowed)}):
        settings = PublishSettings.model_validate({"endpoint": ANY_PORT, **changes})
        with pytest.raises(AccessError, match="one without the other"):
            PublishStage(settings, demand=Demand())
    with pytest.raises(AccessError, match="one without the other"):
        Subscriber("tcp://127.0.0.1:9", keys=keys)
    with pytest.raises(AccessError, match="one without the other"):
        Subscriber("tcp://127.0.0.1:9", server_key=house.server_key)


def test_the_program_says_it_in_one_line(tmp_path: Path) -> None:
    house = House(tmp_path)
    stranger, secret = house.pair("stranger"), read_keys(tmp_path / "server.key").secret
    with Station(house.settings()) as station:
        keys = ("--keys", stranger, "--server-key", house.server_key)
        for arguments in ((), keys):
            seen = run("watch", station.endpoint, *arguments, cwd=tmp_path)
            assert seen.returncode == 7
            assert seen.stdout == ""
            assert len(seen.stderr.splitlines()) == 1
            assert seen.stderr.startswith("error: subscriber to tcp://127.0.0.1:")
            assert secret not in seen.stderr
