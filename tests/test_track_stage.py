"""The stage around the tracker: streams, epochs, and the time of frames."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from pipeline.frame import Frame
from pipeline.stage import ListInbox
from stages.track import TrackConfig, TrackStage
from tests.ellipses import Thing, ids, seen


def frame(seq: int, things: Sequence[Thing] | None, **fields: object) -> Frame:
    given = Frame(
        stream="gate",
        epoch=0,
        seq=seq,
        pts=seq,
        time_base=Fraction(1, 10),
        captured_ns=seq * 100_000_000,
        captured_utc_ns=0,
        clock="media",
        image=None,
        instances=None if things is None else seen(things),
    )
    return replace(given, **fields)  # type: ignore[arg-type]  # tests name real fields


def track(frames: Sequence[Frame], config: TrackConfig | None = None) -> list[Frame]:
    return list(TrackStage(config or TrackConfig()).run(ListInbox(frames)))


def found(frame: Frame) -> list[int]:
    assert frame.instances is not None
    return ids(frame.instances)


def test_the_stage_keeps_streams_and_epochs_apart() -> None:
    frames = [
        frame(0, [(10, 10), (200, 50)]),
        frame(0, [(200, 50)], stream="other"),
        frame(1, [(200, 50), (10, 10)]),
        frame(1, [(200, 50)], stream="other"),
        frame(0, [(200, 50)], epoch=1),
    ]
    assert [found(f) for f in track(frames)] == [[1, 2], [1], [2, 1], [1], [1]]


def test_a_late_frame_of_the_epoch_before_finds_its_tracks() -> None:
    frames = [frame(0, [(10, 10), (200, 50)]), frame(0, [(90, 90)], epoch=1)]
    frames += [frame(1, [(200, 50)]), frame(1, [(90, 90)], epoch=1)]
    assert [found(f) for f in track(frames)] == [[1, 2], [1], [2], [1]]


def test_the_stage_says_what_ended_and_passes_what_it_does_not_know() -> None:
    unknown = frame(1, None)
    frames = [frame(0, [(10, 10)]), unknown, frame(20, []), frame(21, [])]
    passed = track(frames, TrackConfig(lost_s=1.0))
    assert passed[1] is unknown
    assert [f.ended for f in passed] == [(), (), (1,), ()]


@pytest.mark.parametrize("timestamps", ["none", "some"])
def test_without_timestamps_the_capture_time_counts(timestamps: str) -> None:
    frames = [frame(step, [(10 + 20 * step, 50)] if step != 6 else []) for step in range(15)]
    frames = [
        replace(f, pts=None if timestamps == "none" or i % 3 == 0 else f.pts)
        for i, f in enumerate(frames)
    ]
    assert {track for f in track(frames) for track in found(f)} == {1}
    late = replace(frames[-1], captured_ns=10**12, pts=None)
    assert found(track([*frames, late])[-1]) == [2]


def test_many_epochs_and_streams_are_forgotten() -> None:
    stage = TrackStage(TrackConfig())
    frames = (frame(0, [], stream=f"s{i % 600}", epoch=i // 600) for i in range(1200))
    assert sum(1 for _ in stage.run(ListInbox(frames))) == 1200
    assert len(stage._epochs) <= 512
