"""The Node client asks for messages: as many as it has room for, or every one exactly once."""

import json
import subprocess
import threading
import time
from typing import Any

import pytest

from stages.publish import PublishSettings
from tests.javascript import account, require_node, told, watching
from tests.station import ANY_PORT, Station, frame

INDEXER = PublishSettings(endpoint=ANY_PORT, lossless=("indexer",))


@pytest.fixture(autouse=True)
def _node() -> None:
    require_node()


def read(program: "subprocess.Popen[str]", count: int) -> list[dict[str, Any]]:
    """The next messages that it prints."""
    assert program.stdout is not None
    return [json.loads(program.stdout.readline()) for _ in range(count)]


def kill(program: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    """End it at once; what it had still printed."""
    program.kill()
    out, _ = program.communicate(timeout=10)
    return [json.loads(line) for line in out.splitlines(keepends=True) if line.endswith("\n")]


def end_of(
    station: Station, program: "subprocess.Popen[str]"
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The streams end; what the program printed until then. Both wait for one another."""
    ending = threading.Thread(target=station.end)
    ending.start()
    try:
        return told(program)
    finally:
        ending.join()


def test_with_credit_the_publisher_passes_over_what_there_is_no_room_for() -> None:
    with (
        Station() as station,
        watching(station.endpoint, mode="credit", slowMs=100) as program,
    ):
        station.wait_for("meta")
        for i in range(100):
            station.put(frame(i))
            time.sleep(0.01)
        messages, books = end_of(station, program)
    counts = account(books)
    assert counts["received"] == counts["delivered"] == len(messages) < 100
    assert counts["passedOver"] == 100 - len(messages)
    assert counts["lost"] == 0
    assert messages[-1]["seq"] == 99


def test_lossless_brings_everything_once_over_two_deaths() -> None:
    frames = 600
    with Station(INDEXER) as station:
        wanted = {"mode": "lossless", "name": "indexer"}
        station.put(*(frame(i) for i in range(frames)))
        got: list[dict[str, Any]] = []
        for life in range(2):
            last = got[-1]["position"] if got else None
            with watching(station.endpoint, **wanted, resumeAfter=last, slowMs=1) as program:
                got += read(program, 100 + life)
                got += kill(program)
        assert len(got) < frames
        last = got[-1]["position"]
        with watching(station.endpoint, **wanted, resumeAfter=last, credit=64) as program:
            rest, books = end_of(station, program)
    got += rest
    assert [message["seq"] for message in got] == list(range(frames))
    assert [message["position"]["number"] for message in got] == list(range(frames))
    counts = account(books)
    assert (counts["received"], counts["lost"], counts["passedOver"]) == (len(rest), 0, 0)


def test_a_slow_lossless_program_is_waited_for() -> None:
    with (
        Station(INDEXER) as station,
        watching(station.endpoint, mode="lossless", name="indexer", credit=2, slowMs=10) as program,
    ):
        station.put(*(frame(i) for i in range(150)))
        messages, books = end_of(station, program)
    assert [message["seq"] for message in messages] == list(range(150))
    assert account(books)["delivered"] == 150


def test_who_is_not_expected_is_told() -> None:
    with (
        Station(PublishSettings(endpoint=ANY_PORT)) as station,
        watching(station.endpoint, mode="lossless", name="stranger") as program,
    ):
        _, errors = program.communicate(timeout=20)
    assert program.returncode != 0
    assert "EndpointError: lossless subscriber 'stranger'" in errors


def test_it_follows_a_publisher_that_comes_back_elsewhere() -> None:
    with Station() as first, watching(first.endpoint, mode="credit", untilEnd=False) as program:
        first.wait_for("meta")
        first.put(frame(1))
        assert [message["seq"] for message in read(program, 1)] == [1]
        first.end()
        with Station(PublishSettings(endpoint=first.endpoint)) as second:
            second.wait_for("meta")
            second.put(frame(2))
            assert [message["seq"] for message in read(program, 1)] == [2]
