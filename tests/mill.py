"""A bad line between a subscriber and a publisher, and who knows what became of every frame."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from pipeline.client import KindStatistics, Subscriber
from pipeline.wire.endpoints import parse_endpoint
from tests.proxy import BadLine
from tests.station import Station, frame

KEY = ("gate-2", "meta")


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
