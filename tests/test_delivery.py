"""Delivery on request over real sockets: credit, its books, the end; and who may not come."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from pipeline.client import Subscriber
from pipeline.client.mailbox import Mode
from pipeline.demand import Demand
from pipeline.errors import EndpointError
from pipeline.wire import DeliveryMode, topic
from stages.publish import PublishSettings, PublishStage
from stages.publishing.delivery import MOST_PEERS
from tests.station import ANY_PORT, MODEL, Station, frame

Header = dict[str, Any]
WAIT_MS = 5_000


class Asker:
    """A subscriber of another make: a plain DEALER."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", endpoint: str) -> None:
        self.socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
        self.socket.rcvtimeo = WAIT_MS
        self.socket.connect(endpoint)

    def say(self, kind: str, **fields: object) -> None:
        self.socket.send_string(json.dumps({"v": 1, "kind": kind, **fields}))

    def hello(self, credit: int = 1, **fields: object) -> Header:
        self.ask(credit, **fields)
        return self.hear()

    def ask(self, credit: int = 1, **fields: object) -> None:
        asked = {"mode": "credit", "streams": None, "kinds": ["meta"], "credit": credit} | fields
        self.say("hello", **asked)

    def hear(self) -> Header:
        """The next answer that is no status; a message's header under ``header``."""
        while True:
            parts = self.socket.recv_multipart()
            answer: Header = json.loads(parts[0])
            if answer["kind"] != "message" or "number" in answer:
                break
        if answer["kind"] == "message":
            answer["topic"], answer["header"] = parts[1], json.loads(parts[2])
            answer["parts"] = len(parts)
        return answer

    def is_silent(self, timeout_ms: int = 100) -> bool:
        """If nothing but statuses comes."""
        deadline = time.monotonic() + timeout_ms / 1000
        while self.socket.poll(max(0, round((deadline - time.monotonic()) * 1000))):
            if json.loads(self.socket.recv_multipart()[0]) != {"v": 1, "kind": "message"}:
                return False
        return True


@contextmanager
def asking(station: Station, count: int = 1) -> Iterator[list[Asker]]:
    context = zmq.Context()
    askers = [Asker(context, station.stage.delivery_endpoint) for _ in range(count)]
    try:
        yield askers
    finally:
        context.destroy(0)


def test_one_who_has_room_gets_the_newest_and_is_told_what_he_missed() -> None:
    with Station() as station, asking(station) as (asker,):
        assert asker.hello() == {
            "v": 1, "kind": "welcome", "publisher": station.stage.publisher, "next": 0,
        }  # fmt: skip
        station.put(*(frame(i) for i in range(5)))
        first = asker.hear()
        assert (first["number"], first["skipped"], first["header"]["pseq"]) == (0, 0, 0)
        assert (first["topic"], first["parts"]) == (topic("gate-2", "meta"), 3)
        assert asker.is_silent()
        asker.say("ack", number=0)
        second = asker.hear()
        assert (second["number"], second["skipped"], second["header"]["pseq"]) == (1, 3, 4)
        asker.say("ping")
        assert asker.hear() == {"v": 1, "kind": "pong"}
        asker.say("ack", number=1)
        station.end()
        assert asker.hear() == {"v": 1, "kind": "end", "number": 2}


def test_kinds_are_chosen_and_made_only_for_who_asks() -> None:
    with Station() as station, asking(station) as (asker,):
        assert not station.demand.wants("gate-2", "annotated")
        asker.hello(credit=8, kinds=["annotated", "meta"], streams=["gate-2"])
        station.wait_for("annotated")
        assert not station.demand.wants("gate-2", "image")
        assert not station.demand.wants("yard", "annotated")
        station.put(frame(1), frame(1, stream="yard"))
        assert [asker.hear()["header"]["kind"] for _ in range(2)] == ["meta", "annotated"]
        assert asker.is_silent()
        asker.say("bye")
        station.wait_for("annotated", wanted=False)


def test_records_that_wait_go_before_pictures_that_wait() -> None:
    with Station() as station, asking(station) as (asker,):
        asker.hello(kinds=["meta", "image"])
        station.put(*(frame(i) for i in range(3)))
        got = []
        for number in range(3):
            got.append(asker.hear()["header"])
            time.sleep(0.05)  # until all are published
            asker.say("ack", number=number)
        assert [(h["kind"], h["seq"]) for h in got] == [("meta", 0), ("meta", 2), ("image", 2)]


def test_status_and_class_table_come_at_once_in_every_mode() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, status_interval_s=60, lossless=("indexer",))
    modes: tuple[Mode | DeliveryMode, ...] = ("latest", "all", "credit")
    with (
        Station(settings) as station,
        Subscriber(station.endpoint, mode="lossless", name="indexer", timeout_s=10) as first,
    ):
        station.put(frame(0))
        assert next(iter(first)).model is not None
        for mode in modes:
            begun = time.monotonic()
            with Subscriber(station.endpoint, mode=mode) as late:
                while not late.statuses():
                    time.sleep(0.01)
                assert late.statuses()["gate-2"].model == MODEL
            assert time.monotonic() - begun < 2  # 1 s on a machine that has nothing else to do
        threading.Thread(target=station.end).start()
        assert list(first) == []


def test_the_books_of_a_slow_subscriber_add_up() -> None:
    with Station() as station:
        subscriber = Subscriber(station.endpoint, mode="credit", timeout_s=10)
        feeder = threading.Thread(target=feed, args=(station, 150))
        with subscriber:
            station.wait_for("meta")
            feeder.start()
            ages = []
            for got in subscriber:
                ages.append(time.monotonic_ns() / 1e9 - got.stages_ms["born_s"])
                time.sleep(0.05)
                counts = subscriber.statistics().kinds["gate-2", "meta"]
                assert counts.captured == sum(counts.dropped.values()) + (
                    counts.received + counts.passed_over + counts.lost
                )
            feeder.join()
        counts = subscriber.statistics().kinds["gate-2", "meta"]
    assert counts.captured == 299  # every second frame was dropped by the pipeline
    assert counts.dropped == {"stale": 148, "failed": 1}
    assert counts.lost == 0
    assert counts.passed_over > 50
    assert counts.received + counts.passed_over == 150
    assert sorted(ages)[len(ages) // 2] < 0.2
    assert str(subscriber.statistics()) == (
        f"gate-2: 299 captured = {counts.received} received + {counts.passed_over} skipped"
        " + 0 lost on the wire + 149 dropped by the pipeline (failed 1, stale 148)"
    )


def feed(station: Station, count: int) -> None:
    """``count`` frames of a live source, half of whose frames are dropped before."""
    for i in range(count):
        born = {"born_s": time.monotonic_ns() / 1e9}
        losses = {"stale": max(0, i - 1), "failed": min(1, i)}
        station.put(frame(2 * i, dropped=losses if i else {}, stages_ms=born))
        time.sleep(0.01)
    station.end()


def test_the_newest_comes_also_at_the_end() -> None:
    with (
        Station() as station,
        Subscriber(station.endpoint, mode="credit", timeout_s=10) as subscriber,
    ):
        station.wait_for("meta")
        station.put(*(frame(i) for i in range(10)))
        while len(station.passed) < 10:  # who takes the first one before has room for another
            time.sleep(0.005)
        threading.Timer(0.1, station.end).start()
        assert [f.seq for f in subscriber] == [0, 9]
    assert subscriber.statistics().kinds["gate-2", "meta"].passed_over == 8


def test_who_is_not_known_is_told_and_strangers_change_nothing() -> None:
    with Station() as station, asking(station, 2) as (good, stranger):
        good.hello(credit=64)
        stranger.say("ping")
        assert stranger.hear()["error"] == "unknown"
        for rubbish in RUBBISH:
            stranger.socket.send_multipart(rubbish)
            assert stranger.hear()["error"] == "malformed", rubbish
        stranger.say("hello", mode="lossless", name="x", streams=None, kinds=["meta"], credit=1)
        assert stranger.hear()["error"] == "name"
        stranger.hello()
        stranger.say("ack", number=7)
        assert stranger.hear()["error"] == "malformed"
        stranger.socket.send(bytes(5_000_000))  # its connection is cut
        station.put(*(frame(i) for i in range(50)))
        assert [good.hear()["header"]["seq"] for _ in range(50)] == list(range(50))


RUBBISH = [
    [b""],
    [b"\xff"],
    [b"{"],
    [b"null"],
    [b"[" * 4000],
    [b'{"v":1}'],
    [b'{"v":2,"kind":"ping"}'],
    [b'{"v":1,"kind":"dance"}'],
    [b'{"v":1,"kind":"ack","number":-1}'],
    [b'{"v":1,"kind":"ack","number":1e3}'],
    [b'{"v":1,"kind":"ack","number":%d}' % 10**30],
    [b'{"v":1,"kind":"ping"}', b'{"v":1,"kind":"ping"}'],
    [b"", b'{"v":1,"kind":"ping"}'],
    [b'{"v":1,"kind":"hello","mode":"fast","streams":null,"kinds":["meta"],"credit":1}'],
    [b'{"v":1,"kind":"hello","mode":"credit","streams":null,"kinds":[],"credit":1}'],
    [b'{"v":1,"kind":"hello","mode":"credit","streams":null,"kinds":["status"],"credit":1}'],
    [b'{"v":1,"kind":"hello","mode":"credit","streams":["a/b"],"kinds":["meta"],"credit":1}'],
    [b'{"v":1,"kind":"hello","mode":"credit","streams":null,"kinds":["meta"],"credit":0}'],
    [b'{"v":1,"kind":"hello","mode":"credit","streams":null,"kinds":["meta"],"credit":65}'],
]


def test_no_more_come_than_there_is_room_for() -> None:
    with Station() as station, asking(station, MOST_PEERS + 1) as askers:
        for asker in askers[:-1]:
            asker.ask()
        assert {asker.hear()["kind"] for asker in askers[:-1]} == {"welcome"}
        assert askers[-1].hello()["error"] == "full"
        askers[0].say("bye")
        time.sleep(0.1)
        assert askers[-1].hello()["kind"] == "welcome"


def test_a_name_that_is_not_expected_is_an_error_for_the_program() -> None:
    with Station() as station:
        subscriber = Subscriber(station.endpoint, mode="lossless", name="indexr", timeout_s=10)
        with (
            subscriber,
            pytest.raises(EndpointError, match=r"'indexr' is not in publish\.lossless"),
        ):
            list(subscriber)


def test_the_socket_is_found_wherever_it_is(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/m"
    with Station(PublishSettings(endpoint=endpoint)) as station:
        assert station.stage.delivery_endpoint == f"{endpoint}.delivery"
        with Subscriber(endpoint, mode="credit", timeout_s=10) as subscriber:
            station.wait_for("meta")
            station.put(frame(0))
            assert subscriber.take(10) is not None
    elsewhere = f"ipc://{tmp_path}/elsewhere"
    with Station(PublishSettings(endpoint=ANY_PORT, delivery=elsewhere)) as station:
        assert station.stage.delivery_endpoint == elsewhere
        with Subscriber(station.endpoint, mode="credit", timeout_s=10):
            station.wait_for("meta")
    with pytest.raises(EndpointError, match=r"publish\.delivery: .*publish\.insecure=true"):
        PublishStage(
            PublishSettings(endpoint=ANY_PORT, delivery="tcp://0.0.0.0:*"), demand=Demand()
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "lossless"},
        {"mode": "credit", "name": "x"},
        {"mode": "credit", "resume_after": ("p", 1)},
        {"mode": "credit", "credit": 0},
        {"mode": "credit", "credit": 65},
        {"mode": "credit", "streams": [str(i) for i in range(101)]},
        {"mode": "credit", "streams": ["x" * 200 + str(i) for i in range(30)]},
        {"mode": "lossless", "name": "x" * 65},
        {"mode": "lossless", "name": "a\tb"},
        {"mode": "lossless", "name": "x", "resume_after": ("", 1)},
        {"mode": "lossless", "name": "x", "resume_after": ("p", -1)},
        {"mode": "lossless", "name": "x", "resume_after": ("p", 1.5)},
    ],
)
def test_wrong_arguments_are_said_so(wrong: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"needs a name|is for mode|credit must be|no publisher takes"
    ):
        Subscriber("tcp://127.0.0.1:9", **wrong)
