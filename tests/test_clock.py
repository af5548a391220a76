"""Two clocks with one surface: the machine's, and one that is moved by hand."""

import threading
import time

import pytest

from pipeline.clock import Clock, ManualClock, SystemClock


def test_a_manual_clock_stands_still() -> None:
    clock: Clock = ManualClock(utc_ns=5_000)
    assert (clock.now_ns(), clock.utc_ns()) == (0, 5_000)
    assert (clock.now_ns(), clock.utc_ns()) == (0, 5_000)


def test_a_manual_clock_moves_both_times() -> None:
    clock = ManualClock(utc_ns=5_000)
    clock.advance(1.5)
    assert (clock.now_ns(), clock.utc_ns()) == (1_500_000_000, 1_500_005_000)
    with pytest.raises(ValueError, match=r"^time only moves forward, got -1 s$"):
        clock.advance(-1)


def test_waiting_on_a_manual_clock_takes_its_time_only() -> None:
    clock, event = ManualClock(), threading.Event()
    assert not clock.wait(event, 3600)
    assert not clock.wait(event, -1)
    assert clock.now_ns() == 3600 * 10**9
    event.set()
    assert clock.wait(event, 3600)
    assert clock.now_ns() == 3600 * 10**9, "what is set is not waited for"


def test_the_systems_clock_is_monotonic_and_knows_the_date() -> None:
    clock: Clock = SystemClock()
    before = clock.now_ns()
    assert clock.wait(threading.Event(), 0.001) is False
    assert clock.now_ns() > before
    assert abs(clock.utc_ns() - time.time_ns()) < 60 * 10**9
    done = threading.Event()
    done.set()
    assert clock.wait(done, 3600) is True
