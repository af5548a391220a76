"""The segment stage: batches, order, staleness, and the overlap of launching and finishing."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from pipeline.clock import ManualClock
from pipeline.device import Compute, CpuLane, Lane, open_lane
from pipeline.frame import Frame
from pipeline.stage import ListInbox
from stages.compute import load_segmenter
from stages.segment import SegmentSettings, SegmentStage
from tests.tiny import TINY_MODEL, BrightSegmenter, frame


class LateLane:
    """A lane that computes when it is waited for: the CPU sibling of a device that overlaps."""

    overlaps = True

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.story: list[str] = []

    def launch(self, pixels: Tensor, compute: Compute) -> "LateFlight":
        self.story.append("launch")
        return LateFlight(self, pixels.clone(), compute)


class LateFlight:
    def __init__(self, lane: LateLane, pixels: Tensor, compute: Compute) -> None:
        self._lane, self._pixels, self._compute = lane, pixels, compute

    def finish(self) -> Mapping[str, Tensor]:
        self._lane.story.append("finish")
        return self._compute(self._pixels)


class TwoStreams(ListInbox):
    """An inbox that always has one frame of each of two streams ready."""

    def __init__(self, length: int, small: int) -> None:
        super().__init__([])
        self._pairs = iter([[frame(i, "a"), frame(i, "b", height=small)] for i in range(length)])

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        assert limit >= 2
        del timeout_s
        return next(self._pairs, None)


class Pausing(ListInbox):
    """An inbox that has a frame only when it is waited for."""

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        return [] if timeout_s == 0.0 else super().take(limit)


def stage(lane: Lane, clock: ManualClock | None = None, **settings: float) -> SegmentStage:
    return SegmentStage(
        SegmentSettings.model_validate(settings),
        segmenter=BrightSegmenter(),
        model=TINY_MODEL,
        lane=lane,
        clock=clock or ManualClock(),
    )


def outcome(frames: Iterator[Frame]) -> list[tuple[str, int, bytes]]:
    result = []
    for each in frames:
        assert each.instances is not None
        result.append((each.stream, each.seq, each.instances.masks.dense(0).tobytes()))
    return result


def test_every_frame_gets_its_own_instances_and_the_model() -> None:
    frames = list(stage(CpuLane()).run(ListInbox(frame(i) for i in range(5))))
    assert [each.seq for each in frames] == [0, 1, 2, 3, 4]
    for each in frames:
        assert each.model is TINY_MODEL
        assert each.instances is not None
        x, y = each.seq % 12, (each.seq * 3) % 8
        np.testing.assert_array_equal(each.instances.boxes, [[x, y, x + 3, y + 4]])


def test_a_late_lane_gives_the_same_frames_in_the_same_order() -> None:
    now = outcome(stage(CpuLane()).run(ListInbox(frame(i) for i in range(7))))
    late = outcome(stage(LateLane()).run(ListInbox(frame(i) for i in range(7))))
    assert now == late


def test_batch_n_is_launched_before_batch_n_minus_1_is_finished() -> None:
    lane = LateLane()
    list(stage(lane).run(ListInbox(frame(i) for i in range(3))))
    assert lane.story == ["launch", "launch", "finish", "launch", "finish", "finish"]


def test_a_result_never_waits_for_the_next_frame() -> None:
    lane = LateLane()
    list(stage(lane).run(Pausing(frame(i) for i in range(3))))
    assert lane.story == ["launch", "finish"] * 3


def test_batching_does_not_change_results() -> None:
    for small in (12, 9):  # one size: one batch; two sizes: a batch each
        both = outcome(stage(CpuLane()).run(TwoStreams(4, small)))
        alone = outcome(stage(CpuLane()).run(ListInbox(frame(i) for i in range(4))))
        assert [each for each in both if each[0] == "a"] == alone
        assert [each[1] for each in both if each[0] == "b"] == [0, 1, 2, 3]


def test_a_stale_frame_is_dropped_and_counted() -> None:
    clock = ManualClock()
    clock.advance(0.1)
    inbox = ListInbox(frame(i) for i in range(4))  # captured at 0, 40, 80 and 120 ms
    frames = list(stage(CpuLane(), clock, max_age_s=0.05).run(inbox))
    assert [each.seq for each in frames] == [2, 3]
    assert [dict(each.dropped) for each in frames] == [{"stale": 2}, {"stale": 2}]


def test_auto_opens_a_lane_everywhere() -> None:
    lane = open_lane("auto")
    assert lane.overlaps == (lane.device.type == "cuda")
    flight = lane.launch(torch.arange(6), lambda pixels: {"twice": pixels * 2})
    assert flight.finish()["twice"].tolist() == [0, 2, 4, 6, 8, 10]


def test_the_canvas_can_have_another_size() -> None:
    settings = SegmentSettings(size=(128, 64))
    segmenter, _ = load_segmenter(settings, open_lane("cpu"))
    assert segmenter.prepare([np.zeros((90, 160, 3), np.uint8)]).pixels.shape[1:3] == (64, 128)
    with pytest.raises(ValidationError, match="the long side first"):
        SegmentSettings(size=(64, 128))
