"""However a run ends, asked or in trouble, it ends, and what was lost is counted."""

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import StageFailed
from pipeline.frame import Frame
from pipeline.report import Progress
from pipeline.stage import Inbox, Stage
from pipeline.supervisor import RunSettings, Supervisor
from tests.players import (
    Breaking,
    Counting,
    Endless,
    Holding,
    Passing,
    Sink,
    check_law,
    check_sums,
    nap,
    started,
    until,
)


def test_asked_to_stop_the_stages_finish_what_is_under_way() -> None:
    flushed = threading.Event()

    class Flushing(Passing):
        def run(self, inbox: Inbox) -> Iterator[Frame]:
            yield from super().run(inbox)
            flushed.set()

    sink = Sink()
    line: list[Stage] = [Holding(), Flushing("track"), sink]
    supervisor = Supervisor([Endless("file"), Endless("live", live=True)], line)
    report = supervisor.run(stop_after(supervisor, 100), tick_s=0.01)
    check_law(sink.frames)
    check_sums(report)
    assert flushed.is_set()
    assert report.exit_code == 0
    assert "shutdown" not in report.streams["file"].dropped
    assert sum(c.published for c in report.streams.values()) == len(sink.frames)


def stop_after(supervisor: Supervisor, published: int) -> Callable[[Progress], None]:
    asked: list[bool] = []

    def tick(progress: Progress) -> None:
        if progress.published >= published and not asked:
            asked.append(True)
            supervisor.stop()

    return tick


def test_asked_again_what_waits_is_dropped() -> None:
    go_on = threading.Event()
    wishes = iter((1, 2))
    sink = Sink(work=until(go_on))
    supervisor = Supervisor([Endless("file")], [Passing("track"), sink])

    def tick(progress: Progress) -> None:
        if progress.captured >= 6 and next(wishes, None):
            supervisor.stop()
        if progress.dropped:
            go_on.set()

    report = supervisor.run(tick, tick_s=0.01)
    check_law(sink.frames)
    check_sums(report)
    assert report.exit_code == 0
    assert report.stuck == ()
    assert set(report.streams["file"].dropped) == {"shutdown"}


@pytest.mark.parametrize("seed", range(10))
def test_whatever_happens_the_sums_are_right(seed: int) -> None:
    """Overload, defects, a failing source, and a stop or two at a random moment."""
    dice = random.Random(seed)
    sink = Sink(work=lambda _: nap(dice.random() * 0.001))
    sources = [
        Endless("live", live=True),
        Endless("file"),
        Counting("short", dice.randint(1, 90), epoch=7, lose=5),
        Breaking("broken", dice.randint(1, 90), live=True),
    ]
    line: list[Stage] = [Holding(seed, raising=0.02), Passing("track"), sink]
    settings = RunSettings(restarts=dice.choice([2, 10_000]), capacity=dice.randint(1, 4))
    supervisor = Supervisor(sources, line, settings)
    stops = dice.randint(1, 2)
    ask = [stop_after(supervisor, dice.randint(1, 300)) for _ in range(stops)]

    def ticks(progress: Progress) -> None:
        for tick in ask:
            tick(progress)

    report = supervisor.run(ticks, 0.001)
    check_law(sink.frames)
    check_sums(report)
    assert report.stuck == ()
    assert sum(c.published for c in report.streams.values()) == len(sink.frames)


def test_a_stage_that_hangs_does_not_hang_the_end() -> None:
    clock = ManualClock()
    release = threading.Event()
    sink = Sink(work=until(release))
    supervisor = Supervisor([Endless("file")], [Passing("before"), sink], clock=clock)

    def tick(progress: Progress) -> None:
        if progress.captured < 6:
            return
        if clock.now_ns() == 0:
            supervisor.stop()
        if not progress.dropped or not still_run("source-file", "before"):
            clock.advance(16)

    report = supervisor.run(tick, tick_s=0.01)
    release.set()
    check_sums(report)
    assert report.stuck == ("publish",)
    assert "publish: wanted an end within 40 s, got a thread that still runs" in str(
        report.errors[0]
    )
    assert report.exit_code == StageFailed.exit_code
    assert report.streams["file"].published == 0


def still_run(*names: str) -> bool:
    """Whether a thread of one of these names is alive."""
    return any(thread.name.removeprefix("maskstream-") in names for thread in threading.enumerate())


def test_a_source_that_hangs_does_not_hang_the_end() -> None:
    clock, deaf, release = ManualClock(), threading.Event(), threading.Event()

    class Deaf(Counting):
        def run(self, stop: threading.Event) -> Iterator[Frame]:
            yield from super().run(stop)
            deaf.set()
            release.wait(30)

    sink = Sink("behind")
    supervisor = Supervisor([Deaf("a", 3, live=True), Counting("b", 9)], [sink], clock=clock)
    asked = threading.Event()

    def tick(_: Progress) -> None:
        if not deaf.is_set():
            return
        if not asked.is_set():
            supervisor.stop()
            asked.set()
        elif clock.now_ns() == 0 or not still_run("behind"):
            clock.advance(31)

    report = supervisor.run(tick, tick_s=0.01)
    release.set()
    check_sums(report)
    assert report.stuck == ("source a",)
    assert sink.cleaned_up == 1


def test_stop_before_the_start_and_an_interrupt_in_the_middle() -> None:
    early = Supervisor([Endless("a")], [Sink()])
    early.stop()
    check_sums(early.run())

    def interrupt(progress: Progress) -> None:
        if progress.published:
            raise KeyboardInterrupt

    before = threading.active_count()
    sink = Sink(work=lambda _: nap(0.2))
    with pytest.raises(KeyboardInterrupt):
        Supervisor([Endless("a")], [Passing("track"), sink]).run(interrupt)
    assert sink.cleaned_up == 1, "what it writes is complete before the program can end"
    assert threading.active_count() <= before


def test_asked_a_third_time_it_leaves_soon() -> None:
    clock = ManualClock()
    release = threading.Event()
    sink = Sink(work=until(release))
    supervisor = Supervisor([Endless("file")], [Passing("before"), sink], clock=clock)

    def tick(progress: Progress) -> None:
        if progress.captured >= 6:
            supervisor.stop()
        if progress.dropped and not still_run("source-file", "before"):
            clock.advance(0.4)

    report = supervisor.run(tick, tick_s=0.01)
    release.set()
    check_sums(report)
    assert report.stuck == ("publish",)
    assert report.wall_s < 2
    assert report.exit_code == StageFailed.exit_code


def test_a_signal_may_come_at_any_moment() -> None:
    supervisor = Supervisor([Endless("a")], [Passing("track"), Sink()])
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: supervisor.stop())

    def send(_: Progress) -> None:
        for _again in range(50):
            signal.raise_signal(signal.SIGUSR1)

    def send_from_aside() -> None:
        for _again in range(200):
            os.kill(os.getpid(), signal.SIGUSR1)
            nap(0.0002)

    try:
        aside = started(send_from_aside)
        report = supervisor.run(send, tick_s=0.001)
        aside.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    check_sums(report)
