"""Nothing is lost: over kills and restarts, to the acknowledged end; who is waited for in vain."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.client import Subscriber
from pipeline.client.order import CREDIT
from pipeline.errors import EndpointError
from pipeline.wire import FrameKind, Listener, Position
from stages.publish import PublishSettings
from tests.proxy import BadLine
from tests.station import ANY_PORT, Station, frame

ROOT = Path(__file__).parents[1]
FRAMES = 10_000

PUBLISHER = """
import sys, time
from fractions import Fraction
from pipeline.demand import Demand
from pipeline.frame import Frame
from pipeline.stage import ListInbox
from stages.publish import PublishSettings, PublishStage

def captured():
    for i in range(int(sys.argv[1])):
        yield Frame("film", 0, i, i, Fraction(1, 25), time.monotonic_ns(), 0, "media", None)

settings = PublishSettings(endpoint="tcp://127.0.0.1:*", lossless=("indexer",))
stage = PublishStage(settings, demand=Demand())
print(stage.endpoint, flush=True)
print(sum(1 for frame in stage.run(ListInbox(captured()))), flush=True)
"""

INDEXER = """
import os, sys
from pipeline.client import Subscriber
endpoint, path = sys.argv[1:]
with open(path, "a+b", buffering=0) as results:
    results.seek(0)
    written = results.read().decode().splitlines()
    last = written[-1].split() if written else None
    after = (last[0], int(last[1])) if last else None
    with Subscriber(endpoint, mode="lossless", name="indexer", resume_after=after) as subscriber:
        for frame in subscriber:
            publisher, number = subscriber.position
            results.write(f"{publisher} {number} {frame.seq}\\n".encode())
        print(subscriber.statistics())
"""


def start(program: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_until_written(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 20
    while len(lines_of(path)) < lines:
        assert time.monotonic() < deadline, f"{len(lines_of(path))} of {lines} lines"
        time.sleep(0.01)


def test_every_frame_once_and_in_order_with_the_subscriber_killed_twice(tmp_path: Path) -> None:
    results = tmp_path / "results"
    publisher = start(PUBLISHER, FRAMES)
    assert publisher.stdout is not None
    endpoint = publisher.stdout.readline().strip()
    for killed_at in (FRAMES // 4, FRAMES // 2):
        indexer = start(INDEXER, endpoint, results)
        wait_until_written(results, killed_at)
        indexer.send_signal(signal.SIGKILL)
        indexer.communicate()
        assert len(lines_of(results)) < FRAMES
    indexer = start(INDEXER, endpoint, results)
    out, _ = indexer.communicate(timeout=30)
    published, _ = publisher.communicate(timeout=30)
    assert (indexer.returncode, publisher.returncode, int(published)) == (0, 0, FRAMES)
    got = [int(line.split()[2]) for line in lines_of(results)]
    assert got == list(range(FRAMES))
    assert "0 skipped + 0 lost on the wire" in out


def lossless(grace_s: float = 20.0, window: int = 64) -> PublishSettings:
    return PublishSettings(
        endpoint=ANY_PORT, lossless=("indexer",), grace_s=grace_s, window=window, linger_s=0
    )


def indexer(station: Station, **changes: Any) -> Subscriber:
    settings: dict[str, Any] = {"mode": "lossless", "name": "indexer", "timeout_s": 15.0} | changes
    return Subscriber(station.endpoint, **settings)


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def told(watcher: Subscriber) -> Listener | None:
    """What the last status said of the indexer."""
    statuses = watcher.statuses()
    return statuses["gate-2"].lossless[0] if statuses else None


def wait_until_told(watcher: Subscriber, state: str) -> Listener:
    deadline = time.monotonic() + 15
    while (listener := told(watcher)) is None or listener.state != state:
        assert time.monotonic() < deadline, f"{listener} is not {state}"
        time.sleep(0.01)
    return listener


def test_nothing_is_taken_before_the_subscriber_is_here() -> None:
    with Station(lossless(), streams=("gate-2",)) as station:
        station.put(*(frame(i) for i in range(3)))
        with Subscriber(station.endpoint) as watcher:
            assert wait_until_told(watcher, "expected") == Listener("indexer", "expected")
        assert station.passed == []
        with indexer(station) as subscriber:
            threading.Thread(target=station.end).start()
            assert [f.seq for f in subscriber] == [0, 1, 2]
    assert len(station.passed) == 3


def test_every_picture_comes_too_from_the_first_on() -> None:
    kinds: tuple[FrameKind, ...] = ("annotated", "meta", "image")
    with Station(lossless()) as station:
        # Frames are drawn long before they are published, when nobody has said what he wants yet.
        assert all(station.demand.wants("gate-2", kind) for kind in kinds)
        station.put(*(frame(i) for i in range(100)))
        with indexer(station, kinds=kinds) as subscriber:
            threading.Thread(target=station.end).start()
            got = [(m.kind, m.frame.seq) for m in subscriber.messages() if m.frame]
    assert got == [(kind, i) for i in range(100) for kind in ("meta", "annotated", "image")]


def test_a_slow_subscriber_holds_the_pipeline_up_and_loses_nothing() -> None:
    with Station(lossless(window=8)) as station, indexer(station, credit=2) as subscriber:
        station.put(*(frame(i) for i in range(100)))
        assert subscriber.take(10) is not None
        time.sleep(0.3)
        assert len(station.passed) == 8
        threading.Thread(target=station.end).start()
        assert [f.seq for f in subscriber] == list(range(1, 100))


def test_a_line_that_is_cut_and_forgotten_loses_and_repeats_nothing() -> None:
    with (
        Station(lossless()) as station,
        BadLine(port_of(station.stage.delivery_endpoint)) as line,
        indexer(station, delivery=line.endpoint) as subscriber,
    ):
        station.put(*(frame(i) for i in range(1000)))
        got = []
        for each in subscriber:
            got.append(each.seq)
            if each.seq in (100, 300):
                line.cut()
            if each.seq == 600:
                line.forget()
                forgotten = time.monotonic()
            if each.seq == 601 + 2 * CREDIT["lossless"]:
                assert time.monotonic() - forgotten < 9  # 6 s, and a connection
                threading.Thread(target=station.end).start()
    assert got == list(range(1000))
    counts = subscriber.statistics().kinds["gate-2", "meta"]
    assert (counts.received, counts.captured, counts.lost) == (1000, 1000, 0)


def test_a_subscriber_that_never_comes_is_given_up_and_may_come_late() -> None:
    with (
        Station(lossless(grace_s=0.5), streams=("gate-2",)) as station,
        Subscriber(station.endpoint) as watcher,
    ):
        station.put(*(frame(i) for i in range(10)))
        wait_until_told(watcher, "given_up")
        while len(station.passed) < 10:
            time.sleep(0.01)
        with indexer(station) as subscriber:
            assert wait_until_told(watcher, "here") == Listener("indexer", "here", 0, 10)
            station.put(frame(10))
            threading.Thread(target=station.end).start()
            assert [f.seq for f in subscriber] == [10]


def test_an_end_is_no_reason_to_wait_longer_for_who_never_came() -> None:
    with Station(lossless(grace_s=2)) as station:
        begun = time.monotonic()
        time.sleep(1.5)
        station.end()
        waited_s = time.monotonic() - begun
    assert waited_s > 1.9, "the time of grace was cut short"
    assert waited_s < 3.4, "it began anew at the end"


def test_a_killed_subscriber_is_given_up_after_the_time_of_grace(tmp_path: Path) -> None:
    settings = lossless(grace_s=1, window=10)
    with (
        Station(settings, streams=("gate-2",)) as station,
        Subscriber(station.endpoint, mode="all") as watcher,
    ):
        program = start(INDEXER, station.endpoint, tmp_path / "results")
        wait_until_told(watcher, "here")  # perhaps only after it was given up
        station.put(*(frame(i) for i in range(5)))
        wait_until_written(tmp_path / "results", 5)
        program.send_signal(signal.SIGSTOP)  # its connection stays, and nothing is heard of it
        station.put(*(frame(i) for i in range(5, 50)))
        before = time.monotonic()
        assert wait_until_told(watcher, "away").unacknowledged == 10
        lost = wait_until_told(watcher, "given_up").lost
        assert time.monotonic() - before < 10
        assert lost >= 10
        while len(station.passed) < 50:
            time.sleep(0.01)
        program.kill()
        program.communicate()
        station.end()
        assert told(watcher) in (None, Listener("indexer", "given_up", 0, 45))


def test_an_end_that_nobody_acknowledges_is_waited_for_only_so_long() -> None:
    with Station(lossless(grace_s=0.5)) as station, indexer(station) as subscriber:
        station.put(frame(0))
        assert subscriber.take(10) is not None
        begun = time.monotonic()
        station.end()
        assert 0.4 < time.monotonic() - begun < 5


def test_ack_and_resume_after_say_where_to_go_on() -> None:
    with Station(lossless()) as station:
        station.put(*(frame(i) for i in range(20)))
        with indexer(station) as first:
            for _ in range(5):
                assert first.take(10) is not None
            first.ack()  # 0 to 4 are done with
        with indexer(station) as second:
            again = second.take(10)
            assert again is not None
            assert again.pseq == 5
            assert second.position == Position(station.stage.publisher, 5)
        with indexer(station, resume_after=(station.stage.publisher, 9)) as third:
            taken = third.take(10)
            assert taken is not None
            assert taken.pseq == 10
        with indexer(station, resume_after=("another run", 3)) as fourth:
            threading.Thread(target=station.end).start()
            assert [f.seq for f in fourth] == list(range(10, 20))


def test_a_name_belongs_to_who_said_it_last() -> None:
    with Station(lossless()) as station, indexer(station) as first:
        station.put(frame(0))
        assert first.take(10) is not None
        with indexer(station) as second:
            assert second.take(10) is not None
            with pytest.raises(EndpointError, match="to be the only one of this name"):
                list(first)
            threading.Thread(target=station.end).start()
            assert list(second) == []


def test_a_subscriber_that_wants_one_stream_does_not_wait_for_the_others() -> None:
    with Station(lossless()) as station, indexer(station, streams=["gate-2"]) as subscriber:
        station.put(frame(0), frame(0, stream="yard"))
        assert subscriber.take(10) is not None
        threading.Thread(target=station.end).start()
        assert list(subscriber) == []
    assert ("yard", "meta") not in subscriber.statistics().kinds
