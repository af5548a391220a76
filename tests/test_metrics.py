"""Counts are exact, the memory for them is bounded, and scrapers find the promised names."""

import io
import json
import re
import urllib.request
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.clock import ManualClock
from pipeline.errors import EndpointError, RecordError
from pipeline.frame import Frame, Instances, TrackState
from pipeline.health import STATES, StreamHealth
from pipeline.masks import Masks
from pipeline.metrics import METRIC_NAMES, Metrics
from pipeline.report import Progress, Report
from pipeline.summary import ProgressLine, dropped_text, print_summary
from pipeline.tally import SAMPLES_KEPT, Durations, Quantiles, StreamCounts, Tally
from pipeline.traffic import Traffic


def frame(seq: int, epoch: int = 0, **dropped: int) -> Frame:
    return Frame("a", epoch, seq, seq, Fraction(1, 25), 0, 0, "media", None, dropped=dropped or {})


def seen(seq: int, ids: list[int], state: TrackState, *, epoch: int = 0) -> Frame:
    n = len(ids)
    masks = Masks.from_dense(np.ones((n, 2, 2), np.bool_))
    found = Instances.detected(masks, np.ones(n, np.float32), np.zeros(n, np.int32))
    tracked = replace(found, track_ids=np.array(ids, np.int64), states=np.full(n, state, np.uint8))
    return replace(frame(seq, epoch), instances=tracked)


DOCS = Path(__file__).parents[1] / "docs"
TRAFFIC = Traffic(
    messages={("a", "meta"): 5},
    subscriptions={"annotated": 2},
    subscribers={"lossless": 1},
    waiting={"lossless": 3},
    skipped={"credit": 4},
    ignored=6,
)


def test_the_names_are_those_that_are_rendered() -> None:
    metrics = Metrics(ManualClock())
    metrics.captured("decode", frame(0))
    metrics.captured("decode", frame(2, corrupt=1))
    metrics.captured("decode", frame(0, epoch=1))
    metrics.published(seen(0, [1], TrackState.TRACKED), now_ns=30_000_000)
    metrics.dropped("segment", frame(2), "stale")
    metrics.worked("segment", 0.0184)
    metrics.restarted("track")
    metrics.lost_at_end("decode", "a", "corrupt", 2)
    metrics.watch_queue("a > segment", lambda: 2)
    metrics.watch_memory("cuda:0", "used", lambda: 7.0)
    metrics.watch_traffic(lambda: TRAFFIC)
    text = metrics.render().decode()
    families = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    assert {name for name in families if not name.endswith("_created")} == set(METRIC_NAMES)
    for line in (
        'maskstream_frames_captured_total{stream="a"} 6.0',
        'maskstream_frames_published_total{stream="a"} 1.0',
        'maskstream_frames_dropped_total{reason="corrupt",stage="decode",stream="a"} 3.0',
        'maskstream_frames_dropped_total{reason="stale",stage="segment",stream="a"} 1.0',
        'maskstream_instances_total{stream="a"} 1.0',
        'maskstream_reconnects_total{stream="a"} 1.0',
        'maskstream_restarts_total{stage="track"} 1.0',
        'maskstream_stage_seconds_bucket{le="0.02",stage="segment"} 1.0',
        'maskstream_age_seconds_sum{stream="a"} 0.03',
        'maskstream_queue_frames{queue="a > segment"} 2.0',
        'maskstream_stream_state{state="running",stream="a"} 1.0',
        'maskstream_stream_state{state="failed",stream="a"} 0.0',
        'maskstream_device_memory_bytes{device="cuda:0",kind="used"} 7.0',
        'maskstream_messages_total{kind="meta",stream="a"} 5.0',
        'maskstream_subscriptions{kind="annotated"} 2.0',
        'maskstream_subscribers{mode="lossless"} 1.0',
        'maskstream_waiting_messages{mode="lossless"} 3.0',
        'maskstream_skipped_messages_total{mode="credit"} 4.0',
        "maskstream_ignored_requests_total 6.0",
    ):
        assert line in text.splitlines()


def test_labels_are_those_that_are_promised() -> None:
    metrics = Metrics()
    metrics.captured("decode", frame(0))
    metrics.dropped("segment", frame(2), "stale")
    metrics.watch_traffic(lambda: TRAFFIC)
    for family in metrics.registry.collect():
        for sample in family.samples:
            promised = METRIC_NAMES.get(sample.name)
            if promised is not None:
                assert tuple(sample.labels) == promised


def test_the_page_has_every_label_and_every_state() -> None:
    text = (DOCS / "METRICS.md").read_text()
    rows = re.findall(r"^\| `(maskstream_\w+)` \| (\w+) \| ([\w, ]*) ?\|", text, re.M)
    listed = {name: tuple(labels.strip().split(", ")) for name, _, labels in rows}
    assert listed == {name: labels or ("",) for name, labels in METRIC_NAMES.items()}
    kinds = {f.name: f.type for f in Metrics().registry.collect()}
    for name, kind, _ in rows:
        assert kinds.get(name.removesuffix("_total"), kind) == kind
    assert tuple(re.findall(r"^\| `(\w+)` .* \| \d+ \| \d+ \|$", text, re.M)) == STATES
    for state, health in re.findall(r"^\| `(\w+)` .* \| (\d+) \| \d+ \|$", text, re.M):
        assert (health == "200") is StreamHealth(state, None).is_well


def test_rates_are_of_each_stream_and_of_the_last_seconds() -> None:
    clock = ManualClock()
    metrics = Metrics(clock)
    for seq in range(0, 100, 2):
        clock.advance(0.08)
        got = replace(frame(seq, corrupt=seq // 2), captured_ns=clock.now_ns())
        metrics.captured("decode", got)
        metrics.published(got, clock.now_ns())
    rates = metrics.tally.rates_hz(clock.now_ns())["a"]
    assert list(rates) == pytest.approx([25, 12.5], rel=0.05)
    assert 'maskstream_quiet_seconds{stream="a"} 0.0' in metrics.render().decode()


def test_the_dashboard_shows_what_there_is() -> None:
    text = (DOCS / "grafana-dashboard.json").read_text()
    dashboard = json.loads(text)
    queries = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    named = set(re.findall(r"maskstream_\w+", " ".join(queries)))
    named = {name.removesuffix("_bucket") for name in named}
    assert named == set(METRIC_NAMES), "each metric is on it, and nothing else"
    for query in queries:
        names = re.findall(r"(maskstream_\w+)", query)
        promised = {label for name in names for label in METRIC_NAMES[name.removesuffix("_bucket")]}
        assert set(re.findall(r"(\w+)=~", query)) <= promised
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_two_runs_share_nothing() -> None:
    first, second = Metrics(), Metrics()
    first.captured("decode", frame(0))
    assert b'stream="a"' not in second.render()


def test_scrapes_are_answered_while_the_context_lasts() -> None:
    metrics = Metrics()
    metrics.restarted("record")
    with metrics.serve(0) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert b'maskstream_restarts_total{stage="record"} 1.0' in answer.read()
        with (
            pytest.raises(EndpointError, match=rf"^metrics on 127\.0\.0\.1:{port}: wanted a free"),
            Metrics().serve(port),
        ):
            pass
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=5)
    with pytest.raises(EndpointError), metrics.serve(70000):
        pass


def test_what_a_source_lost_is_read_off_its_frames() -> None:
    tally = Tally()
    assert tally.captured(frame(0)) == ({}, False)
    assert tally.captured(frame(3, corrupt=2)) == ({"corrupt": 2}, False)
    assert tally.captured(frame(4, corrupt=2)) == ({}, False)
    assert tally.captured(frame(2, epoch=1, corrupt=1, stale=1)) == (
        {"corrupt": 1, "stale": 1},
        True,
    )
    counts = tally.streams()["a"]
    assert counts.captured == 5 + 3
    assert counts.dropped == {"corrupt": 3, "stale": 1}
    assert counts.under_way == 4
    assert counts.reconnects == 1


def test_a_track_is_counted_once_when_it_is_confirmed() -> None:
    tally = Tally()
    for published in (
        seen(0, [1, 2], TrackState.TENTATIVE),
        seen(1, [1, 2], TrackState.TRACKED),
        seen(2, [1, 3], TrackState.TRACKED),
        replace(seen(3, [3, 4], TrackState.TRACKED), ended=(1, 2)),
        seen(0, [1], TrackState.TRACKED, epoch=1),
    ):
        tally.published(published, 0)
    assert tally.streams()["a"].tracks == 5
    assert tally.streams()["a"].instances == 9


def test_quantiles_are_of_the_latest_durations() -> None:
    durations = Durations()
    assert durations.quantiles() == Quantiles(0, 0.0, 0.0)
    for _ in range(SAMPLES_KEPT):
        durations.add(100.0)
    for at in range(SAMPLES_KEPT):
        durations.add(at / (SAMPLES_KEPT - 1))
    latest = durations.quantiles()
    assert latest.count == 2 * SAMPLES_KEPT
    assert (latest.p50_s, latest.p95_s) == pytest.approx((0.5, 0.95))


def test_the_rate_is_of_the_last_seconds() -> None:
    tally = Tally()
    assert tally.rate_hz(0) == 0
    for at in range(200):
        tally.published(frame(at), at * 40_000_000)
    assert tally.rate_hz(200 * 40_000_000) == pytest.approx(25, rel=0.01)
    assert tally.rate_hz(10**12) == 0


REPORT = Report(
    streams={"gate [2]": StreamCounts(812, 640, {"corrupt": 12, "stale": 160}, 1200, 7)},
    stages={"segment": Quantiles(652, 0.0184, 0.0251)},
    ages=Quantiles(640, 0.04, 0.09),
    errors=(RecordError(where="[out]", wanted="room", got="a full disk", remedy="Make room."),),
    stuck=(),
    wall_s=32.0,
)


def test_a_report_that_is_piped_is_lines(tmp_path: Path) -> None:
    file = tmp_path / "demo.mp4"
    file.write_bytes(bytes(1_500_000))
    out = io.StringIO()
    print_summary(REPORT, [file, tmp_path / "never"], Console(file=out, width=40))
    assert out.getvalue().splitlines() == [
        "stream gate [2]: state waiting, captured 812, published 640, "
        "dropped 172 (stale 160, corrupt 12), instances 1200, tracks 7",
        "stage segment: frames 652, p50 18.4 ms, p95 25.1 ms",
        "stage capture to end: frames 640, p50 40.0 ms, p95 90.0 ms",
        f"file {file}: size 1.5 MB",
        "32.0 s, 20.0 frames/s",
    ]


def test_a_report_on_a_terminal_is_tables() -> None:
    out = io.StringIO()
    print_summary(REPORT, [], Console(file=out, width=100, force_terminal=True, color_system=None))
    text = out.getvalue()
    assert re.search(r"stream +state +captured +published +dropped +instances +tracks", text)
    assert re.search(r"gate \[2\] +waiting +812 +640 +160 stale +1200 +7 *\n +12 corrupt", text)
    assert "file" not in text


def test_a_run_without_a_frame_has_no_durations() -> None:
    out = io.StringIO()
    nothing = Report({"gone": StreamCounts()}, {}, Quantiles(0, 0.0, 0.0), (), (), 0.1)
    print_summary(nothing, [], Console(file=out))
    assert [line.partition(" ")[0] for line in out.getvalue().splitlines()] == ["stream", "0.1"]


def test_no_losses_are_a_plain_zero() -> None:
    assert dropped_text({}) == "0"


def progress(wall_s: float) -> Progress:
    return Progress(812, 640, 160, 24.94, 0.0412, wall_s)


def test_progress_that_is_piped_is_a_line_now_and_then() -> None:
    out = io.StringIO()
    with ProgressLine(Console(file=out)) as show:
        for tenths in range(120):
            show(progress(tenths / 10))
    line = "640 frames  24.9 frames/s  age 41 ms  160 dropped"
    assert out.getvalue().splitlines() == [f"0:05  {line}", f"0:10  {line}"]


def test_progress_on_a_terminal_is_redrawn_and_leaves_nothing() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None)
    with ProgressLine(console) as show:
        show(progress(62))
        assert "1:02  640 frames" in out.getvalue()
    assert out.getvalue().endswith("\x1b[1A\x1b[2K"), "the line is erased"
