"""The Node client on a bad line: its books are the truth, and lossless is lossless."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stages.publish import PublishSettings
from tests.javascript import LONGEST_S, account, require_node, watching
from tests.mill import Mill, port_of
from tests.proxy import BadLine
from tests.station import ANY_PORT, Station


@pytest.fixture(autouse=True)
def _node() -> None:
    require_node()


class Reader(threading.Thread):
    """Reads what a watching program prints: its messages, and its books as the last line."""

    def __init__(self, program: "subprocess.Popen[str]") -> None:
        super().__init__(name="reader")
        self.lines: list[dict[str, Any]] = []
        self._program = program

    def run(self) -> None:
        assert self._program.stdout is not None
        for line in self._program.stdout:
            self.lines.append(json.loads(line))

    def result(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        self.join(LONGEST_S)
        assert self._program.wait(LONGEST_S) == 0
        return self.lines[:-1], self.lines[-1]


@contextmanager
def reading(endpoint: str, **options: object) -> Iterator[Reader]:
    with watching(endpoint, **options) as program:
        reader = Reader(program)
        reader.start()
        yield reader
        program.kill()
        reader.join()


def until(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def grind_until_heard(mill: Mill, reader: Reader) -> None:
    """Frames until one arrives: the line is up again."""
    before = len(reader.lines)
    deadline = time.monotonic() + 15
    while len(reader.lines) == before:
        assert time.monotonic() < deadline
        mill.grind(5, gap_s=0.005)


def test_connections_that_are_cut_and_forgotten() -> None:
    with (
        Station() as station,
        BadLine(port_of(station.endpoint)) as line,
        reading(line.endpoint, mode="all", waiting=10_000) as reader,
    ):
        station.wait_for("meta")
        mill = Mill(station)
        for harm in (line.cut, line.cut, line.forget):  # forgotten: noticed after 6 s of silence
            grind_until_heard(mill, reader)
            harm()
            mill.grind(100)
        grind_until_heard(mill, reader)
        station.end()
        messages, books = reader.result()
    counts = account(books)
    assert counts["received"] == len(messages)
    assert counts["lost"] > 0
    assert counts["captured"] == mill.captured
    assert counts["received"] + counts["lost"] == mill.published
    assert sum(counts["dropped"].values()) == mill.captured - mill.published


def test_lossless_loses_nothing_on_a_line_that_is_cut() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, lossless=("indexer",))
    with Station(settings) as station, BadLine(port_of(station.stage.delivery_endpoint)) as line:
        wanted = {"mode": "lossless", "name": "indexer", "delivery": line.endpoint, "credit": 4}
        with reading(station.endpoint, **wanted, slowMs=1) as reader:
            mill = Mill(station)
            for _ in range(3):
                mill.grind(100)
                wanted_lines = len(reader.lines) + 20
                until(lambda: len(reader.lines) >= wanted_lines)  # noqa: B023
                line.cut()
            ending = threading.Thread(target=station.end)
            ending.start()
            messages, books = reader.result()
            ending.join()
    assert [message["position"]["number"] for message in messages] == list(range(mill.published))
    counts = account(books)
    assert counts["lost"] == counts["passedOver"] == 0
    assert counts["captured"] == mill.captured
