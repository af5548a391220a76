"""At any time: captured = received + dropped by the pipeline + lost on the wire, on a line that is
cut, held and delayed, with publishers that die; and it is the truth, where anybody can know it."""

import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.client import KindStatistics, Subscriber
from pipeline.errors import EndpointError
from pipeline.wire.endpoints import parse_endpoint
from stages.publish import PublishSettings
from tests.program import running
from tests.proxy import BadLine
from tests.station import ANY_PORT, Station, frame

ROOT = Path(__file__).parents[1]
KEY = ("gate-2", "meta")
NOTICED_S = 6 + 2 + 4
"""After the next heartbeat and its patience; the rest is for a machine that is busy."""
HEAVY = {f"{i:064d}": 1.0 for i in range(100)}
"""Stage times that make a record of 7 KB, so that a held line is soon full."""


def port_of(endpoint: str) -> int:
    port = parse_endpoint(endpoint, "test").port
    assert port is not None
    return port


def adds_up(counts: KindStatistics) -> bool:
    return counts.captured == counts.received + counts.lost + sum(counts.dropped.values())


@contextmanager
def reading(subscriber: Subscriber, key: tuple[str, str] = KEY) -> Iterator[list[KindStatistics]]:
    """Take all frames and look into the books all the time, each in a thread."""
    looks: list[KindStatistics] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.002):
            looks.append(subscriber.statistics().kinds.get(key, KindStatistics()))

    def take() -> None:
        while not stop.is_set() and not subscriber.ended:
            subscriber.take(0.05)

    threads = [threading.Thread(target=look), threading.Thread(target=take)]
    for thread in threads:
        thread.start()
    try:
        yield looks
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        looks.append(subscriber.statistics().kinds.get(key, KindStatistics()))
        assert [counts for counts in looks if not adds_up(counts)] == []


class Mill:
    """Captures frames and loses some by chance, but not the last of an epoch or all: it knows the
    truth. ``epochs``: after how many captured frames a new one begins."""

    def __init__(
        self,
        station: Station,
        stages_ms: dict[str, float] | None = None,
        epochs: Iterable[int] = range(50, 5_000, 50),
    ) -> None:
        self.captured = self.published = 0
        self.numbers: list[int] = []  # of the published frames among the captured
        self.dropped: Counter[str] = Counter()
        self._station = station
        self._stages_ms = stages_ms or {}
        self._epochs = set(epochs)
        self._dice = np.random.default_rng(5)
        self._epoch = self._seq = 0
        self._of_epoch: Counter[str] = Counter()

    def grind(self, frames: int, gap_s: float = 0.001) -> None:
        """So many captured frames, about so far apart; the last one is published."""
        for left in reversed(range(frames)):
            fate = self._dice.random()
            is_last = not left or self.captured + 1 in self._epochs
            if fate < 0.2 and not is_last:
                self._drop("queue_full" if fate < 0.15 else "corrupt")
            else:
                self._publish()
            if self.captured in self._epochs:
                self._epoch, self._seq, self._of_epoch = self._epoch + 1, 0, Counter()
            time.sleep(gap_s)

    def _drop(self, reason: str) -> None:
        self.captured, self._seq = self.captured + 1, self._seq + 1
        self.dropped[reason] += 1
        self._of_epoch[reason] += 1

    def _publish(self) -> None:
        whole = frame(
            self._seq,
            epoch=self._epoch,
            dropped=dict(self._of_epoch),
            stages_ms=self._stages_ms,
            instances=None,
        )
        self._station.put(whole)
        self.numbers.append(self.captured)
        self.captured, self._seq = self.captured + 1, self._seq + 1
        self.published += 1


def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def received(subscriber: Subscriber) -> int:
    counts = subscriber.statistics().kinds.get(KEY)
    return counts.received if counts else 0


@contextmanager
def line_to(station: Station) -> Iterator[tuple[BadLine, Subscriber]]:
    """A line to a station and a subscriber at its other end, who is subscribed."""
    with (
        BadLine(port_of(station.endpoint)) as line,
        Subscriber(line.endpoint, mode="all", waiting=10_000, timeout_s=20) as subscriber,
    ):
        station.wait_for("meta")
        yield line, subscriber


def grind_until_heard(mill: Mill, subscriber: Subscriber) -> None:
    """Frames until one arrives: the line is up again."""
    before = received(subscriber)
    while received(subscriber) == before:
        mill.grind(5)


def assert_true(counts: KindStatistics, mill: Mill) -> None:
    """The books of who was there from the first frame on."""
    assert counts.captured == mill.captured
    assert counts.received + counts.lost == mill.published
    assert sum(counts.dropped.values()) == mill.captured - mill.published


def test_connections_that_are_cut() -> None:
    with Station() as station, line_to(station) as (line, subscriber):
        mill = Mill(station)
        with reading(subscriber) as looks:
            for _ in range(4):
                grind_until_heard(mill, subscriber)
                line.cut()
                mill.grind(100)
            grind_until_heard(mill, subscriber)
            station.end()
            until(lambda: subscriber.ended)
    counts = looks[-1]
    assert counts.lost > 0
    assert_true(counts, mill)


def test_a_line_that_is_held_until_the_publisher_drops() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, records_waiting=10)
    with Station(settings) as station, line_to(station) as (line, subscriber):
        mill = Mill(station, HEAVY, epochs=())
        with reading(subscriber) as looks:
            grind_until_heard(mill, subscriber)
            line.held = True
            mill.grind(3_000, gap_s=0)
            until(lambda: len(station.passed) == mill.published)
            line.held = False
            until(lambda: looks[-1].captured == mill.captured)  # a status tells it
            station.end()
            until(lambda: subscriber.ended)
    counts = looks[-1]
    assert counts.lost > 0
    assert_true(counts, mill)


def test_a_line_that_delays_loses_nothing() -> None:
    with Station() as station, line_to(station) as (line, subscriber):
        mill = Mill(station)
        with reading(subscriber) as looks:
            line.delay_s = 0.2
            mill.grind(300)
            station.end()
            until(lambda: subscriber.ended)
    assert looks[-1].lost == 0
    assert_true(looks[-1], mill)


def test_who_joins_late_counts_from_his_first_frame_on() -> None:
    with Station() as station:
        mill = Mill(station, epochs=())
        mill.grind(300, gap_s=0)
        with line_to(station) as (line, subscriber), reading(subscriber) as looks:
            grind_until_heard(mill, subscriber)
            line.cut()
            mill.grind(200)
            grind_until_heard(mill, subscriber)
            station.end()
            until(lambda: subscriber.ended)
    counts = looks[-1]
    assert counts.lost > 0
    first = mill.numbers[-counts.received - counts.lost]
    assert first >= 240
    assert counts.captured == mill.captured - first


def test_when_the_end_is_lost_the_books_still_add_up_and_silence_is_noticed() -> None:
    with Station() as station, BadLine(port_of(station.endpoint)) as line:
        subscriber = Subscriber(line.endpoint, mode="all", waiting=10_000, timeout_s=1.5)
        station.wait_for("meta")
        mill = Mill(station)
        mill.grind(100)
        until(lambda: received(subscriber) > 50)
        line.refusing = True
        line.cut()
        mill.grind(100)
        station.end()
        with pytest.raises(EndpointError, match="wanted a status at least each second"):
            list(subscriber)
        counts = subscriber.statistics().kinds[KEY]
        subscriber.close()
    assert adds_up(counts)
    assert counts.received <= 100


def test_a_status_tells_of_the_records_that_a_cut_took() -> None:
    with Station() as station, line_to(station) as (line, subscriber):
        mill = Mill(station, epochs=())
        with reading(subscriber) as looks:
            mill.grind(50)
            until(lambda: received(subscriber) == mill.published)
            line.refusing = True
            line.cut()
            station.wait_for("meta", wanted=False)
            mill.grind(50)
            line.refusing = False
            until(lambda: looks[-1].captured == mill.captured)  # no frame comes, but a status
    assert_true(looks[-1], mill)
    assert looks[-1].lost == mill.published - looks[-1].received > 0


def test_a_half_open_connection_is_noticed_and_what_it_took_is_counted() -> None:
    with Station() as station, line_to(station) as (line, subscriber):
        mill = Mill(station, epochs=())
        with reading(subscriber) as looks:
            grind_until_heard(mill, subscriber)
            line.forget()
            forgotten_s = time.monotonic()
            while line.connections < 2:
                mill.grind(10, gap_s=0.01)
            assert time.monotonic() - forgotten_s < NOTICED_S
            grind_until_heard(mill, subscriber)
            station.end()
            until(lambda: subscriber.ended)
    assert looks[-1].lost > 0
    assert_true(looks[-1], mill)


PUBLISHER = """
import sys, time
from stages.publish import PublishSettings
from tests.station import Station, frame
with Station(PublishSettings(endpoint=sys.argv[1])) as station:
    station.wait_for("meta")
    for i in range(100_000):
        station.put(frame(2 * i + 1, dropped={"stale": i + 1}, instances=None))
        time.sleep(0.002)
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def publishing(port: int) -> Iterator[None]:
    """A publisher in a process of its own, killed at the end."""
    command = [sys.executable, "-c", PUBLISHER, f"tcp://127.0.0.1:{port}"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield
        finally:
            process.kill()


def test_publishers_that_are_killed_and_come_back() -> None:
    port = free_port()
    with (
        BadLine(port) as line,
        Subscriber(line.endpoint, mode="all", waiting=100_000, timeout_s=30) as subscriber,
        reading(subscriber) as looks,
    ):
        for life in range(3):
            with publishing(port):
                for _ in range(2):
                    wanted = received(subscriber) + 100
                    until(lambda: received(subscriber) > wanted, 20)  # noqa: B023
                    line.cut()
            assert subscriber.statistics().restarts == life
    counts = looks[-1]
    assert counts.lost > 0
    # Every second frame was dropped, but for the drops before the first message of each life.
    assert counts.dropped == {"stale": counts.received + counts.lost - 3}


@pytest.mark.timeout(180)  # a process that loads torch can take its time
def test_the_whole_program_under_overload_on_a_line_that_is_cut(tmp_path: Path) -> None:
    port = free_port()
    source = "gate-2=synthetic:demo?live=1&fps=240&size=320x192"
    arguments = ("run", source, "--publish", f"tcp://127.0.0.1:{port}", "--max-frames", "1200")
    with (
        BadLine(port) as line,
        Subscriber(line.endpoint, ["gate-2"], mode="all", timeout_s=100) as subscriber,
        running(*arguments, cwd=tmp_path) as program,
    ):
        first = next(subscriber.messages())
        with reading(subscriber) as looks:
            until(lambda: received(subscriber) > 3, 60)
            line.cut()
            until(lambda: subscriber.ended, 60)
        assert program.wait(60) == 0
        totals = subscriber.statuses()["gate-2"].totals
    counts = looks[-1]
    assert first.frame is not None
    assert counts.dropped["queue_full"] > 0
    assert counts.received + counts.lost == totals.published - first.pseq
    assert counts.captured == totals.captured - first.frame.seq
    assert Counter(counts.dropped) + Counter(first.frame.dropped) == Counter(totals.dropped)
    numbers = [int(number) for number in re.findall(r"(\d+) [a-z]", counts.equation())]
    assert numbers[0] == sum(numbers[1:]) == counts.captured
