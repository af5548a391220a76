"""Turns of recorded frames, to the nanosecond, by a clock that is moved by hand."""

import os
import threading
from fractions import Fraction
from math import inf

import pytest

from pipeline.clock import ManualClock
from pipeline.frame import Frame
from stages.replaying.pace import Pace, Steps

S = 1_000_000_000


def frame(pts: int | None, *, epoch: int = 0, utc_s: float = 0.0) -> Frame:
    utc_ns = round(utc_s * S)
    return Frame("a", epoch, 0, pts, Fraction(1, 100), 0, utc_ns, "arrival", None)


def turns(frames: list[Frame], speed: float = 1.0) -> list[float]:
    """When each frame's turn is, s."""
    clock, stop = ManualClock(), threading.Event()
    pace = Pace(speed, clock)
    times = []
    for each in frames:
        assert pace.wait(each, stop)
        times.append(clock.now_ns() / S)
    return times


FRAMES = [
    frame(500, utc_s=100.0),
    frame(504, utc_s=100.9),  # it arrived late; its own time counts
    frame(512, utc_s=100.95),
    frame(None, utc_s=101.15),  # as much later as it was captured
    frame(900, utc_s=101.25),
    frame(904, utc_s=101.3),
    frame(3, epoch=1, utc_s=104.3),  # the camera was away for 3 s
    frame(2, epoch=1, utc_s=104.3),  # time that goes back is no time
    frame(1, epoch=2, utc_s=50.0),
]
EXPECTED = [0.0, 0.04, 0.12, 0.32, 0.42, 0.46, 3.46, 3.46, 3.46]


@pytest.mark.parametrize("speed", [1.0, 2.0, 0.5])
def test_frames_are_as_far_apart_as_they_were(speed: float) -> None:
    assert turns(FRAMES, speed) == pytest.approx([time_s / speed for time_s in EXPECTED])


def test_as_fast_as_possible_waits_for_nothing() -> None:
    assert turns(FRAMES, inf) == [0.0] * len(FRAMES)


def test_what_was_held_up_catches_up() -> None:
    clock, stop = ManualClock(), threading.Event()
    pace = Pace(1.0, clock)
    assert pace.wait(frame(0), stop)
    clock.advance(0.1)  # a subscriber made us wait
    for pts, due_s in ((4, 0.1), (8, 0.1), (12, 0.12)):
        assert pace.wait(frame(pts), stop)
        assert clock.now_ns() / S == pytest.approx(due_s)


def test_a_loop_goes_on_one_step_later() -> None:
    clock, stop = ManualClock(), threading.Event()
    pace = Pace(1.0, clock)
    for _ in range(2):
        for pts in (100, 110, 120):
            assert pace.wait(frame(pts), stop)
        pace.begin_again()
    assert clock.now_ns() / S == pytest.approx(0.5)


def test_it_ends_when_it_is_told_to() -> None:
    stop = threading.Event()
    stop.set()
    assert not Pace(inf, ManualClock()).wait(frame(0), stop)
    assert not Pace(1.0, ManualClock()).wait(frame(0), stop)


def test_each_press_is_one_frame_of_every_stream() -> None:
    reading, writing = os.pipe()
    steps, stop = Steps(reading), threading.Event()
    steps.start()
    os.write(writing, b"\nx\n")
    assert all(steps.wait(number, stop) for number in (1, 2, 1, 2))
    threading.Timer(0.05, os.write, (writing, b"\n")).start()
    assert steps.wait(3, stop)
    os.close(writing)
    assert not steps.wait(4, stop)
    os.close(reading)


def test_nobody_waits_for_a_key_when_the_run_is_stopped() -> None:
    reading, writing = os.pipe()
    steps, stop = Steps(reading), threading.Event()
    steps.start()
    threading.Timer(0.05, stop.set).start()
    assert not steps.wait(1, stop)
    os.close(writing)


def test_an_input_that_is_closed_has_ended() -> None:
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.close(end)
    steps = Steps(reading)
    steps.start()
    assert not steps.wait(1, threading.Event())
