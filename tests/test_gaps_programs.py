"""The books add up over publishers that are killed, and for the whole program under overload."""

import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.client import Subscriber
from tests.mill import reading, received, until
from tests.program import running
from tests.proxy import BadLine

ROOT = Path(__file__).parents[1]
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
    arguments = ("run", source, "--publish", f"tcp://127.0.0.1:{port}", "--max-frames", "720")
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
