"""Whole runs with real threads: what went in came out or is counted, whatever fails."""

import random
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import ChannelClosed, RecordError, SourceEnded, StageFailed
from pipeline.frame import Frame
from pipeline.report import Failures
from pipeline.runner import Restarts
from pipeline.stage import Inbox
from pipeline.supervisor import RunSettings, Supervisor
from pipeline.tally import StreamCounts
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
    now_and_then,
)


def test_files_lose_nothing() -> None:
    sink = Sink()
    line = [Passing("segment"), Passing("track"), sink]
    report = Supervisor([Counting("a", 200), Counting("b", 70)], line).run()
    check_law(sink.frames)
    assert {name: (c.captured, c.published) for name, c in report.streams.items()} == {
        "a": (200, 200),
        "b": (70, 70),
    }
    assert report.exit_code == 0
    assert report.errors == ()
    assert report.stuck == ()
    assert list(report.stages) == ["decode", "segment", "track", "publish"]
    assert all(spent.count == 270 for spent in report.stages.values())
    assert list(sink.frames[0].stages_ms) == ["decode", "segment", "track"]
    assert [stage.cleaned_up for stage in line] == [1, 1, 1]


def test_order_of_each_stream_is_kept_and_both_streams_flow() -> None:
    sink = Sink()
    Supervisor([Counting("a", 60), Counting("b", 60)], [Holding(), sink]).run()
    for stream in "ab":
        seqs = [(f.epoch, f.seq) for f in sink.frames if f.stream == stream]
        assert seqs == sorted(seqs)


@pytest.mark.parametrize("seed", range(4))
def test_overload_drops_and_every_message_says_so(seed: int) -> None:
    dice = random.Random(seed)
    sink = Sink(work=lambda _: nap(dice.random() * 0.003))
    sources = [
        Counting("live", 200, live=True, lose=7),
        Counting("live-2", 150, live=True, epoch=9),
        Counting("file", 100, lose=13),
    ]
    report = Supervisor(sources, [Holding(seed), Passing("track"), sink]).run()
    check_law(sink.frames)
    check_sums(report)
    live, file = report.streams["live"], report.streams["file"]
    assert live.dropped["queue_full"] > 0
    assert live.dropped["corrupt"] == 28, "29 less one at the end of an epoch: nobody tells"
    assert set(file.dropped) == {"stale", "corrupt"}
    assert live.published == sum(f.stream == "live" for f in sink.frames)


def test_a_stage_that_raises_now_and_then_loses_what_it_held(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Sink()
    url = "rtsp://user:secret@camera/1"
    failing = Passing("track", now_and_then(40, OSError(f"no route to {url}")))
    settings = RunSettings(restarts=5)
    supervisor = Supervisor([Counting("a", 150)], [failing, sink], settings)
    report = supervisor.run()
    check_law(sink.frames)
    check_sums(report)
    assert report.exit_code == 0
    assert report.streams["a"].dropped == {"failed": 3}
    assert failing.cleaned_up == 4
    assert b'maskstream_restarts_total{stage="track"} 3.0' in supervisor.metrics.render()
    assert "stage track raised and lost 1 frames; restart 3 of 5 in 60 s" in caplog.text
    assert "no route to rtsp://" in caplog.text
    assert "secret" not in caplog.text


def test_a_stage_that_keeps_raising_ends_the_run() -> None:
    sink = Sink()
    cause = ValueError("no such thing")
    failing = Passing("track", now_and_then(10, cause))
    report = Supervisor([Counting("a", 500)], [Passing("segment"), failing, sink]).run()
    check_law(sink.frames)
    check_sums(report)
    (error,) = report.errors
    assert isinstance(error, StageFailed)
    assert error.__cause__ is cause
    assert "stage track at Frame(a epoch 0 seq 39, None), after 3 restarts in 60 s" in str(error)
    assert "ValueError: no such thing" in str(error)
    assert report.exit_code == StageFailed.exit_code
    assert report.streams["a"].published == 36
    assert set(report.streams["a"].dropped) == {"failed"}


def test_restarts_are_counted_within_a_window() -> None:
    restarts = Restarts(2, 60.0)
    spent = [restarts.spend(round(at_s * 1e9)) for at_s in (0, 30, 59, 61, 62, 91)]
    assert spent == [True, True, False, True, False, True]
    assert restarts.used == 2


def test_an_error_of_the_tree_is_not_restarted() -> None:
    sink = Sink()
    error = RecordError(where="out/a.mp4", wanted="room", got="a full disk", remedy="Make room.")
    record = Passing("record", now_and_then(5, error))
    report = Supervisor([Endless("a", live=True)], [record, sink]).run()
    check_law(sink.frames)
    check_sums(report)
    assert report.errors == (error,)
    assert report.exit_code == RecordError.exit_code
    assert record.cleaned_up == 1
    assert report.streams["a"].published == 4


def test_a_closed_channel_of_somebody_else_is_an_error_like_others() -> None:
    for line in (
        [Sink(work=now_and_then(2, ChannelClosed("other")))],
        [Passing("track", now_and_then(2, ChannelClosed("other"))), Sink()],
    ):
        report = Supervisor([Counting("a")], line).run()
        check_sums(report)
        assert [str(error)[:13] for error in report.errors] == ["channel other"]


def test_a_source_that_fails_ends_alone() -> None:
    sink = Sink()
    supervisor = Supervisor([Breaking("a", 10), Counting("b", 200)], [Passing("track"), sink])
    assert supervisor.metrics.tally.streams()["a"] == StreamCounts(state="waiting")
    report = supervisor.run()
    check_sums(report)
    assert report.streams["a"].published == 10
    assert report.streams["b"].published == 200
    assert [type(error) for error in report.errors] == [SourceEnded]
    assert report.exit_code == 3
    assert {name: c.state for name, c in report.streams.items()} == {"a": "failed", "b": "ended"}


def test_a_defect_in_a_source_is_reported_as_such() -> None:
    class Defect(Counting):
        def run(self, stop: threading.Event) -> Iterator[Frame]:
            yield from super().run(stop)
            raise ZeroDivisionError("rtsp://me:secret@camera is 0")

    report = Supervisor([Defect("a", 3)], [Sink()]).run()
    assert str(report.errors[0]).startswith("source a: wanted pictures or a SourceError, got Zero")
    assert "secret" not in str(report.errors[0])
    assert report.streams["a"].published == 3


def test_a_stage_that_breaks_the_contract_is_told_so() -> None:
    class Twice(Passing):
        def run(self, inbox: Inbox) -> Iterator[Frame]:
            for frame in inbox:
                yield frame
                yield frame

    class Early(Passing):
        def run(self, inbox: Inbox) -> Iterator[Frame]:
            yield from inbox.take() or []

    class Forgetful(Passing):
        def run(self, inbox: Inbox) -> Iterator[Frame]:
            yield from (frame for frame in inbox if frame.seq % 2)

    settings = RunSettings(restarts=0)
    twice = Supervisor([Counting("a")], [Twice("t"), Sink()], settings).run()
    assert "was yielded out of turn: none is held" in str(twice.errors[0])
    early = Supervisor([Counting("a")], [Early("e"), Sink()], settings).run()
    assert "stage e returned before the end of its inbox" in str(early.errors[0])
    forgetful = Supervisor([Counting("a")], [Forgetful("f"), Sink()], settings).run()
    assert "was yielded out of turn: the oldest held is seq 0" in str(forgetful.errors[0])
    for report in (twice, early, forgetful):
        check_sums(report)


def test_frames_that_a_stage_forgot_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    class Mute(Passing):
        def run(self, inbox: Inbox) -> Iterator[Frame]:
            for _ in inbox:
                pass
            yield from ()

    report = Supervisor([Counting("a", 9)], [Mute("mute"), Sink()]).run()
    assert report.streams["a"].dropped == {"failed": 9}
    assert "stage mute ended and forgot 9 frames" in caplog.text


def test_failures_that_do_not_end_the_run(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    failures = Failures(clock)
    full = RecordError(where="out/a.mp4", wanted="room", got="a full disk", remedy="Make room.")
    report = Supervisor(
        [Counting("a", 5)], [Sink(work=lambda _: failures.report(full))], failures=failures
    ).run()
    assert report.streams["a"].published == 5
    assert report.errors == (full,)
    assert report.exit_code == RecordError.exit_code
    assert [r.getMessage() for r in caplog.records] == [str(full)]
    clock.advance(61)
    failures.report(full)
    assert caplog.records[-1].getMessage() == f"{full} (5 times)"
    for at in range(200):
        failures.report(RecordError(where=f"out/{at}", wanted="a", got="b", remedy="c"))
    assert len(failures.errors()) == 101


def test_a_source_is_timed_while_it_works_and_not_while_it_waits() -> None:
    clock = ManualClock()

    class Timed(Counting):
        def run(self, stop: threading.Event) -> Iterator[Frame]:
            for given in super().run(stop):
                clock.advance(0.5)
                captured_ns = clock.now_ns()
                clock.advance(0.25)
                yield replace(given, captured_ns=captured_ns)

    for live, expected_s in ((False, 0.75), (True, 0.25)):
        sink = Sink()
        report = Supervisor([Timed("a", 1, live=live)], [sink], clock=clock).run()
        assert report.stages["decode"].p50_s == expected_s
        assert sink.frames[0].stages_ms["decode"] == expected_s * 1e3


def test_names_must_be_there_and_differ() -> None:
    with pytest.raises(ValueError, match=r"^a run needs at least one source$"):
        Supervisor([], [Sink()])
    with pytest.raises(ValueError, match=r"^each stage must have a name of its own, got t, t$"):
        Supervisor([Counting("a")], [Passing("t"), Passing("t")])


def test_threads_carry_the_products_name() -> None:
    names: set[str] = set()
    sink = Sink(work=lambda _: names.update(t.name for t in threading.enumerate()))
    Supervisor([Counting("gate-2")], [Passing("track"), sink]).run()
    assert {"maskstream-source-gate-2", "maskstream-track", "maskstream-publish"} <= names


def test_thousands_of_epochs_take_no_memory() -> None:
    sink = Passing("publish")
    supervisor = Supervisor([Counting("a", 6000, epoch=2)], [Holding(), sink])
    report = supervisor.run()
    assert report.streams["a"].captured == 6000
    assert len(supervisor.metrics.render()) < 20_000
