"""At any time: captured = received + dropped by the pipeline + lost on the wire, on a line that is
cut, held and delayed; and it is the truth."""

import time

import pytest

from pipeline.client import Subscriber
from pipeline.errors import EndpointError
from stages.publish import PublishSettings
from tests.mill import (
    KEY,
    Mill,
    adds_up,
    assert_true,
    grind_until_heard,
    line_to,
    port_of,
    reading,
    received,
    until,
)
from tests.proxy import BadLine
from tests.station import ANY_PORT, Station

HEAVY = {f"{i:064d}": 1.0 for i in range(100)}
"""Stage times that make a record of 7 KB, so that a held line is soon full."""
NOTICED_S = 6 + 2 + 4
"""After the next heartbeat and its patience; the rest is for a machine that is busy."""


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
