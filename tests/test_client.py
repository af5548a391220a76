"""The Subscriber: frames come back, nothing gets old, every loss has an owner."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from pipeline.client import KindStatistics, Subscriber
from pipeline.errors import EndpointError
from pipeline.wire import FrameKind, Message, encode
from pipeline.wire.status import MOST_STREAMS
from stages.publish import PublishSettings
from tests.station import ANY_PORT, MODEL, Puppet, Station, frame, put_singly

ROOT = Path(__file__).parents[1]

PROGRAM = """
import json, sys, time
from pipeline.client import Subscriber
endpoint, slow_s, mode = sys.argv[1], float(sys.argv[2]), sys.argv[3]
with Subscriber(endpoint, streams=["gate-2"], kinds=("meta", "annotated"), mode=mode) as subscriber:
    for frame in subscriber:
        jpeg = frame.canvas.planes[0][:2].tobytes().hex() if frame.canvas else None
        print(json.dumps([frame.seq, len(frame.instances), jpeg]), flush=True)
        time.sleep(slow_s)
    counts = subscriber.statistics().kinds
    print(json.dumps({kind: vars(counts[stream, kind]) for stream, kind in counts}))
"""


def another_program(endpoint: str, slow_s: float, mode: str) -> "subprocess.Popen[str]":
    """A subscriber in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, endpoint, str(slow_s), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_another_process_gets_every_frame_and_the_end() -> None:
    with Station() as station:
        program = another_program(station.endpoint, 0, "all")
        station.wait_for("meta")
        station.wait_for("annotated")
        assert program.stdout is not None
        lines = put_singly(station, (frame(i) for i in range(100)), program.stdout, '"ffd8"')
        station.end()
        lines += program.stdout
        program.communicate(timeout=15)
    *seen, books = [json.loads(line) for line in lines]
    records = [seq for seq, _, jpeg in seen if jpeg is None]
    assert records == list(range(100))
    assert {jpeg for _, _, jpeg in seen} == {None, "ffd8"}
    assert {n for _, n, _ in seen} == {3}
    assert books["meta"] == vars(KindStatistics(100, 100, 0, 0, 100, {}))
    assert books["annotated"] == vars(KindStatistics(100, 100, 0, 0, 100, {}))


def test_a_slow_program_sees_new_frames_and_knows_what_it_skipped() -> None:
    with Station() as station:
        program = another_program(station.endpoint, 0.1, "latest")
        station.wait_for("meta")
        station.wait_for("annotated")
        for i in range(150):
            station.put(frame(i))
            time.sleep(0.01)
        station.end()
        out, _ = program.communicate(timeout=15)
    *seen, books = [json.loads(line) for line in out.splitlines()]
    meta = books["meta"]
    assert meta["received"] == 150
    assert meta["skipped"] > 0  # 300 messages of 0.1 s, in order, would not end in time
    assert meta["delivered"] + meta["skipped"] == 150
    assert [seq for seq, _, jpeg in seen if jpeg is None][-1] == 149


def test_every_kind_has_the_whole_header_and_all_class_names() -> None:
    kinds: tuple[FrameKind, ...] = ("meta", "annotated", "image")
    with (
        Station(streams=("gate-2",)) as station,
        Subscriber(station.endpoint, kinds=kinds, mode="all", timeout_s=10) as subscriber,
    ):
        for kind in kinds:
            station.wait_for(kind)
        station.put(frame(5, epoch=1))
        messages: dict[str, Message] = {}
        while len(messages) < 3:
            message = subscriber.take(5)
            assert message is not None
            messages[message.kind] = message
        while subscriber.statuses()["gate-2"].model != MODEL:
            time.sleep(0.01)
        frames = {kind: message.frame for kind, message in messages.items()}
    for name, got in frames.items():
        assert got is not None
        assert (got.stream, got.epoch, got.seq, got.ended) == ("gate-2", 1, 5, (3,))
        assert got.model is not None
        assert got.model == MODEL
        assert got.instances is not None
        assert got.instances.track_ids.tolist() == [7, 9, -1]
        assert (got.canvas is not None) == (name == "annotated")
        assert (got.image is not None) == (name == "image")
    assert {message.publisher for message in messages.values()} == {station.stage.publisher}


def test_only_wanted_streams_come() -> None:
    with (
        Station() as station,
        Subscriber(station.endpoint, ["gate-2"], mode="all", timeout_s=10) as one,
        Subscriber(station.endpoint, mode="all", timeout_s=10) as every,
    ):
        station.wait_for("meta", "anything")
        station.wait_for("meta")
        names = ("gate-2", "gate-20", "gate")
        station.put(*(frame(i, stream=name) for i in range(5) for name in names))
        station.end()
        assert [f.stream for f in one] == ["gate-2"] * 5
        assert sorted(f.stream for f in every) == sorted(names * 5)


def test_a_queue_that_is_full_loses_the_oldest_and_counts() -> None:
    with (
        Station() as station,
        Subscriber(station.endpoint, mode="all", waiting=10, timeout_s=10) as subscriber,
    ):
        station.wait_for("meta")
        station.put(*(frame(i) for i in range(50)))
        station.end()
        while subscriber.statistics().kinds["gate-2", "meta"].skipped < 40:
            time.sleep(0.01)
        assert [f.seq for f in subscriber] == list(range(40, 50))
        counts = subscriber.statistics().kinds["gate-2", "meta"]
        assert counts == KindStatistics(50, 10, 40, 0, 50, {})
        assert counts.waiting == 0


def test_drops_of_the_pipeline_add_up_over_epochs() -> None:
    with Station() as station, Subscriber(station.endpoint, mode="all", timeout_s=10) as subscriber:
        station.wait_for("meta")
        station.put(frame(7, dropped={"stale": 7}), frame(9, dropped={"stale": 8}))
        station.put(frame(10, dropped={"stale": 8}), frame(2, epoch=1, dropped={"failed": 2}))
        station.end()
        assert len(list(subscriber)) == 4
    # From the first frame received on: 7 to 10 of one epoch, 0 to 2 of the next.
    assert subscriber.statistics().kinds["gate-2", "meta"] == KindStatistics(
        4, 4, 0, 0, 7, {"stale": 1, "failed": 2}
    )


@pytest.fixture
def puppet() -> Iterator[Puppet]:
    made = Puppet("first")
    yield made
    made.outlet.close(0)


def test_what_was_published_and_did_not_come_is_lost(puppet: Puppet) -> None:
    with Subscriber(puppet.endpoint, mode="all", timeout_s=10) as subscriber:
        puppet.wait("meta")
        for seq, pseq in ((0, 4), (1, 5), (4, 8), (5, 9)):
            puppet.frame(seq, pseq)
        puppet.end(messages=12)
        assert [f.seq for f in subscriber] == [0, 1, 4, 5]
        counts = subscriber.statistics().kinds["gate-2", "meta"]
    assert counts == KindStatistics(4, 4, 0, 4, 8, {})
    assert counts.captured == counts.received + counts.lost + sum(counts.dropped.values())


def test_another_publisher_is_no_loss(puppet: Puppet) -> None:
    with Subscriber(puppet.endpoint, mode="all", timeout_s=20) as subscriber:
        puppet.wait("meta")
        puppet.frame(900, 900)
        assert subscriber.take(10) is not None
        puppet.outlet.close(1)
        again = Puppet("second", puppet.endpoint)
        again.wait("meta")
        again.frame(3, 3)
        again.end(messages=4)
        assert [f.seq for f in subscriber] == [3]
        again.outlet.close(1)
        books = subscriber.statistics()
    assert books.restarts == 1
    assert books.kinds["gate-2", "meta"] == KindStatistics(2, 2, 0, 0, 2, {})


def test_rubbish_from_a_publisher_is_counted_and_passed_over(
    puppet: Puppet, caplog: pytest.LogCaptureFixture
) -> None:
    good = encode(frame(1), publisher="first", pseq=2, kind="meta")
    damaged = good[1].replace(b'"counts":"', b'"counts":"~')
    with Subscriber(puppet.endpoint, mode="all", timeout_s=10) as subscriber:
        puppet.wait("meta")
        for parts in ([good[0]], [good[0], b"{"], [b"v1/x/meta/", good[1]], [b"v1/", b"", b""]):
            puppet.send("meta", parts)
        puppet.send("meta", [good[0], good[1].replace(b'"v":1', b'"v":2')])
        puppet.send("meta", [b"welcome/v1/{}"])
        puppet.send("meta", [good[0], damaged])
        puppet.frame(1, 3)
        puppet.end(messages=4)
        assert [f.seq for f in subscriber] == [1]
        assert subscriber.statistics().rejected == 7
    assert len(caplog.records) == 1


def test_books_are_not_kept_of_streams_without_end(puppet: Puppet) -> None:
    _, header = encode(frame(1), publisher="first", pseq=0, kind="meta")
    with Subscriber(puppet.endpoint, timeout_s=10) as subscriber:
        puppet.wait("meta")
        for i in range(MOST_STREAMS + 3):
            name = f"cam-{i}".encode()
            puppet.send("meta", [b"v1/%s/meta/" % name, header.replace(b"gate-2", name)])
            while i % 500 == 0 and (f"cam-{i}", "meta") not in subscriber.statistics().kinds:
                time.sleep(0.01)
        while subscriber.statistics().rejected < 3:
            time.sleep(0.01)
        assert len(subscriber.statistics().kinds) == MOST_STREAMS


def test_silence_is_an_error_when_a_limit_is_set() -> None:
    with (
        Subscriber("tcp://127.0.0.1:9", timeout_s=0.3) as subscriber,
        pytest.raises(EndpointError, match=r"nothing for 0\.[3-9] s"),
    ):
        list(subscriber)


@pytest.mark.parametrize(
    "endpoint", ["nonsense", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "inproc://x"]
)
def test_a_bad_endpoint_is_said_so(endpoint: str) -> None:
    with pytest.raises(EndpointError, match=r"^subscriber: wanted"):
        Subscriber(endpoint)


def test_pictures_may_have_an_address_of_another_kind() -> None:
    with zmq.Context() as context, Station() as station:
        pictures = context.socket(zmq.XPUB)
        pictures.set(zmq.IPV6, 1)
        pictures.bind("tcp://[::1]:*")
        at = pictures.getsockopt_string(zmq.LAST_ENDPOINT)
        with Subscriber(station.endpoint, ["gate-2"], ("annotated",), pictures=at):
            assert pictures.poll(5_000), "nobody subscribed"
        pictures.close(0)


def test_wrong_arguments_are_said_so() -> None:
    with pytest.raises(ValueError, match="streams must be a list of names, got 'gate-2'"):
        Subscriber("tcp://127.0.0.1:5555", "gate-2")
    with pytest.raises(ValueError, match="kinds must be of meta, annotated, image, got"):
        Subscriber("tcp://127.0.0.1:9", kinds=("status",))  # type: ignore[arg-type]
    for waiting in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="waiting must be 1 or more, got"):
            Subscriber("tcp://127.0.0.1:9", mode="all", waiting=waiting)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode must be of latest, all, credit, lossless, got"):
        Subscriber("tcp://127.0.0.1:9", mode="newest")  # type: ignore[arg-type]


def test_closing_ends_the_iteration_of_another_thread() -> None:
    with Station() as station:
        subscriber = Subscriber(station.endpoint)
        threading.Timer(0.2, subscriber.close).start()
        assert list(subscriber) == []
        assert subscriber.ended
        subscriber.close()


def test_a_program_that_forgets_to_close_ends_all_the_same() -> None:
    with Station() as station:
        program = (
            "import sys; from pipeline.client import Subscriber\n"
            "for frame in Subscriber(sys.argv[1], kinds=('meta', 'image')): break"
        )
        command = [sys.executable, "-c", program, station.endpoint]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        station.wait_for("meta")
        station.put(frame(0))
        _, errors = process.communicate(timeout=15)
    assert (process.returncode, errors) == (0, b"")


def test_ctrl_c_reaches_a_program_that_waits() -> None:
    with Station(PublishSettings(endpoint=ANY_PORT)) as station:
        program = another_program(station.endpoint, 0, "latest")
        station.wait_for("meta")
        time.sleep(0.2)
        os.kill(program.pid, signal.SIGINT)
        program.communicate(timeout=15)
    assert program.returncode in (-signal.SIGINT, 1, 130)
