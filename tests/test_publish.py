"""The publisher before real subscribers: what is sent, when, and who cannot hold it up."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import zmq

from pipeline.clock import ManualClock
from pipeline.demand import Demand
from pipeline.frame import Frame
from pipeline.stage import ListInbox
from pipeline.wire import Totals, decode, decode_welcome
from stages.publish import PublishSettings, PublishStage
from stages.publishing.encoder import encode_jpeg
from stages.publishing.tally import SourceFacts, StreamTally
from tests.station import ANY_PORT, PatientInbox, Station, frame, picture

Header = dict[str, Any]
WAIT_MS = 5_000


@contextmanager
def subscribed(endpoint: str, *prefixes: bytes) -> Iterator["zmq.Socket[bytes]"]:
    """A plain SUB socket, as another language would have it."""
    context = zmq.Context()
    sock: zmq.Socket[bytes] = context.socket(zmq.SUB)
    sock.rcvtimeo = WAIT_MS
    for prefix in prefixes:
        sock.subscribe(prefix)
    sock.connect(endpoint)
    try:
        yield sock
    finally:
        sock.close(0)
        context.term()


def headers(sock: "zmq.Socket[bytes]", count: int) -> list[Header]:
    return [json.loads(sock.recv_multipart()[1]) for _ in range(count)]


def last_status(sock: "zmq.Socket[bytes]") -> Header:
    """The status with which a stream ends; everything before it is passed over."""
    while (header := headers(sock, 1)[0]).get("state") not in ("ended", "failed"):
        pass
    return header


def test_every_frame_is_one_record_and_goes_on() -> None:
    with Station() as station, subscribed(station.endpoint, b"v1/gate-2/meta/") as sub:
        station.wait_for("meta")
        frames = [frame(i) for i in range(20)]
        station.put(*frames)
        got = headers(sub, 20)
        assert [(h["seq"], h["pseq"], len(h["instances"])) for h in got] == [
            (i, i, 3) for i in range(20)
        ]
        assert {h["publisher"] for h in got} == {station.stage.publisher}
        station.end()
        assert [f.seq for f in station.passed] == list(range(20))


def test_pictures_are_encoded_only_for_who_asks_and_on_their_own_socket() -> None:
    with Station() as station, subscribed(station.endpoint, b"v1/") as records:
        station.wait_for("meta")
        assert not station.demand.wants("gate-2", "annotated")  # v1/ of the records is no demand
        station.put(frame(0))
        while headers(records, 1)[0]["kind"] != "meta":
            pass
        with subscribed(station.stage.pictures_endpoint, b"v1/gate-2/annotated/") as pictures:
            station.wait_for("annotated")
            assert not station.demand.wants("gate-2", "image")
            station.put(frame(1, canvas=None), frame(2))
            topic, header, jpeg = pictures.recv_multipart()
            assert topic == b"v1/gate-2/annotated/"
            assert json.loads(header)["seq"] == 2
            assert json.loads(header)["pseq"] == 0  # frame 1 had no canvas: nothing was published
            shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert shown is not None
            assert shown.shape == (48, 64, 3)
            assert abs(int(shown[0, 0, 0]) - 200) < 4
        station.wait_for("annotated", wanted=False)
        station.end()
        assert last_status(records)["messages"] == {"meta": 3, "annotated": 1, "image": 0}


def test_a_jpeg_is_passed_on_as_it_is() -> None:
    jpeg = encode_jpeg(picture(), 80)
    same = replace(picture(), format="jpeg", planes=(np.frombuffer(jpeg, np.uint8),))
    assert encode_jpeg(same, 10) == jpeg
    assert len(encode_jpeg(picture(1080, 1920), 10)) < len(encode_jpeg(picture(1080, 1920), 95))


def test_a_newcomer_is_welcomed_and_hears_a_status_at_once() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, status_interval_s=60)
    with (
        Station(settings, streams=("gate-2", "yard")) as station,
        subscribed(station.endpoint, b"welcome/v1/", b"v1/yard/status/") as sub,
    ):
        (welcome,) = sub.recv_multipart()
        assert decode_welcome(welcome).pictures == station.stage.pictures_endpoint
        status = decode(sub.recv_multipart()).status
        assert status is not None
        assert (status.state, status.streams) == ("waiting", ("gate-2", "yard"))
        assert status.pictures == station.stage.pictures_endpoint


def test_status_flows_without_frames() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, status_interval_s=0.05, stalled_after_s=0.1)
    with Station(settings) as station, subscribed(station.endpoint, b"v1/gate-2/status/") as sub:
        station.put(frame(0))
        states = []
        while "stalled" not in states:
            states.append(headers(sub, 1)[0]["state"])
        assert set(states) <= {"running", "stalled"}


def epochs() -> list[Frame]:
    """Two epochs: 10 captured and 4 of them dropped, then 4 captured and 1 dropped."""
    seqs = [(0, 0, {}), (0, 2, {"stale": 1}), (0, 3, {"stale": 1}), (0, 6, {"stale": 3})]
    seqs += [(0, 8, {"stale": 3, "corrupt": 1}), (0, 9, {"stale": 3, "corrupt": 1})]
    seqs += [(1, 0, {}), (1, 2, {"failed": 1}), (1, 3, {"failed": 1})]
    return [frame(seq, epoch=epoch, dropped=dropped) for epoch, seq, dropped in seqs]


def test_the_last_status_has_exact_totals() -> None:
    with Station() as station, subscribed(station.endpoint, b"v1/") as sub:
        station.wait_for("meta")
        station.put(*epochs())
        station.end()
        last = last_status(sub)
    assert last["state"] == "ended"
    assert last["totals"] == {
        "captured": 14,
        "published": 9,
        "dropped": {"corrupt": 1, "failed": 1, "stale": 3},
    }
    assert (last["epoch"], last["seq"], last["dropped"]) == (1, 3, {"failed": 1})
    assert last["reconnects"] == 1
    assert (last["model"]["name"], last["classes"][2]) == ("tiny", "größe")


def test_the_source_may_know_more() -> None:
    facts = SourceFacts("failed", 7, Totals(20, 0, {"corrupt": 6, "failed": 1, "stale": 4}))
    settings = PublishSettings(endpoint=ANY_PORT)
    demand = Demand()
    stage = PublishStage(settings, demand=demand, facts=lambda _stream: facts)
    with subscribed(stage.endpoint, b"v1/gate-2/status/") as sub:
        list(stage.run(PatientInbox(epochs(), demand, "status")))
        last = last_status(sub)
    assert (last["state"], last["reconnects"]) == ("failed", 7)
    assert last["totals"]["captured"] == 20
    assert last["totals"]["published"] + sum(last["totals"]["dropped"].values()) == 20


def test_one_stream_may_end_while_others_go_on() -> None:
    facts = {
        "gate-2": SourceFacts("ended", 0, Totals(3, 0, {"corrupt": 1})),
        "yard": SourceFacts("failed", 0, Totals(7, 0, {"stale": 1})),  # frames are under way
        "roof": SourceFacts("reconnecting"),
    }
    tallies = {name: StreamTally(name, 0) for name in facts}
    for tally in tallies.values():
        for seq in range(2):
            tally.count(frame(seq), 0)

    def state(name: str, ended: bool) -> str:
        return (
            tallies[name]
            .status(now_ns=0, utc_ns=0, stalled_after_s=1, facts=facts[name], ended=ended)
            .state
        )

    assert [state(name, ended=False) for name in facts] == ["ended", "running", "reconnecting"]
    assert [state(name, ended=True) for name in facts] == ["ended", "failed", "ended"]


def test_rates_and_ages_are_of_the_last_period() -> None:
    clock = ManualClock()
    settings = PublishSettings(endpoint=ANY_PORT, status_interval_s=1)
    demand = Demand()
    stage = PublishStage(settings, demand=demand, clock=clock)

    def captured() -> Iterator[Frame]:
        for i in range(50):
            clock.advance(0.1)
            yield frame(2 * i, dropped={"stale": i}, captured_ns=clock.now_ns() - 30_000_000)

    with subscribed(stage.endpoint, b"v1/gate-2/status/") as sub:
        list(stage.run(PatientInbox(captured(), demand, "status")))
        statuses = [h for h in [*headers(sub, 1), last_status(sub)] if h["age_ms"]]
    assert statuses
    for status in statuses:
        assert status["age_ms"] == {"p50": 30.0, "p95": 30.0}
        assert status["fps"]["out"] == pytest.approx(10, rel=0.12)
        assert status["fps"]["in"] == pytest.approx(20, rel=0.12)


def test_what_was_dropped_in_a_long_time_is_not_told_as_the_rate_of_one_second() -> None:
    """A slow start, a recording that begins in the middle, and a stage that was stuck."""
    tally = StreamTally("gate-2", now_ns=0)
    second = 1_000_000_000

    def rates(now_s: int) -> tuple[float, float]:
        tally.measure(now_s * second)
        status = tally.status(
            now_ns=now_s * second, utc_ns=0, stalled_after_s=5, facts=SourceFacts(), ended=False
        )
        totals = status.totals
        assert totals.captured == totals.published + sum(totals.dropped.values())
        return status.fps_in, status.fps_out

    tally.count(frame(100_000, dropped={"stale": 500}), 20 * second)
    assert rates(20) == (0, 0)
    for i in range(10):
        tally.count(frame(100_001 + 2 * i, dropped={"stale": 501 + i}), 20 * second)
    assert rates(21) == (20, 10)
    assert rates(22) == (0, 0)
    assert rates(40) == (0, 0)
    tally.count(frame(100_421, dropped={"stale": 910}), 40 * second)
    assert rates(41) == (1 + 400 / 20, 1)
    tally.count(frame(3, epoch=1, dropped={"stale": 3}), 41 * second)
    assert rates(42) == (1 + 3, 1)


def test_a_subscriber_who_reads_nothing_holds_nobody_up() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, records_waiting=5, pictures_waiting=1, linger_s=0)
    with (
        Station(settings) as station,
        subscribed(station.endpoint, b"") as stuck,
        subscribed(station.stage.pictures_endpoint, b"") as stuck_too,
        subscribed(station.endpoint, b"v1/gate-2/status/") as good,
    ):
        stuck.rcvhwm = stuck_too.rcvhwm = 1
        station.wait_for("image")
        rng = np.random.default_rng(0)
        noise = replace(picture(), planes=(rng.integers(0, 255, (48, 64, 3), np.uint8),))
        station.put(*(frame(i, image=noise) for i in range(1500)))
        station.end()
        assert len(station.passed) == 1500
        assert last_status(good)["totals"]["published"] == 1500


def test_rubbish_from_subscribers_changes_nothing() -> None:
    with Station() as station, subscribed(station.endpoint, b"v1/gate-2/meta/") as good:
        station.wait_for("meta")
        host, port = station.endpoint.removeprefix("tcp://").split(":")
        context = zmq.Context()
        rude: zmq.Socket[bytes] = context.socket(zmq.XSUB)
        rude.connect(station.endpoint)
        for rubbish in ([b""], [b"\x00"], [b"\x07x"], [b"\x00v1/gate-2/meta/"], [b"a", b"\x01v1/"]):
            rude.send_multipart(rubbish)
        for i in range(3000):
            rude.send(b"\xff%d" % i)
        with socket.create_connection((host, int(port))) as no_zmq:
            no_zmq.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(10_000))
        rude.send(b"\x01" + b"v" * 4000)
        rude.send(b"\xff" + bytes(10_000_000))  # too large: its connection is cut
        station.put(*(frame(i) for i in range(50)))
        assert [h["seq"] for h in headers(good, 50)] == list(range(50))
        rude.close(0)
        context.term()
        # Rubbish that libzmq itself takes for a subscription must not hide a real one.
        with subscribed(station.endpoint, b"v1/") as late:
            station.wait_for("meta", "yard")
            station.put(frame(0, stream="yard"))
            while headers(late, 1)[0]["kind"] != "meta":
                pass


def test_a_stage_that_is_run_again_keeps_its_endpoint_and_counts() -> None:
    demand = Demand()
    stage = PublishStage(PublishSettings(endpoint=ANY_PORT), demand=demand)
    list(stage.run(ListInbox([frame(0), frame(1)])))
    with subscribed(stage.endpoint, b"v1/") as sub:
        list(stage.run(PatientInbox([frame(2), frame(3)], demand, "meta")))
        assert last_status(sub)["totals"]["published"] == 4
    stage.close()
