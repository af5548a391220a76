"""Tracks: identities that last, by time and not by frames, in memory that does not grow."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.frame import Instances, TrackState
from pipeline.masks import Masks
from stages.track import MaskTracker, TrackConfig
from stages.tracking.association import Round, assign, enlarged_iou, warped
from stages.tracking.motion import Motion, Noise
from tests.ellipses import HEIGHT, WIDTH, Thing, ids, seen

NOISE = Noise(position=0.4, velocity=2.0, acceleration=1.0, fade_s=5.0)
TENTATIVE, TRACKED = int(TrackState.TENTATIVE), int(TrackState.TRACKED)


def test_two_that_cross_keep_their_ids() -> None:
    tracker = MaskTracker()
    for step in range(30):
        right, left = (10 + 10 * step, 40.0), (330 - 10 * step, 60.0)
        order = [right, left] if step % 2 else [left, right]
        found = ids(tracker.update(seen(order), step / 10))
        assert (found if step % 2 else found[::-1]) == [2, 1]


def test_a_fast_one_is_followed_where_masks_no_longer_overlap() -> None:
    tracker = MaskTracker()
    for step in range(7):
        assert ids(tracker.update(seen([(10 + 50 * step, 50)]), step / 10)) == [1]


def test_the_instances_come_back_as_they_were() -> None:
    given = seen([(10, 10), (100, 100, 0.05), (200, 50, 0.5)])
    got = MaskTracker().update(given, 0.0)
    for column in ("boxes", "scores", "classes", "masks"):
        assert getattr(got, column) is getattr(given, column)
    assert ids(got) == [1, -1, 2]
    assert got.states.tolist() == [TRACKED, TrackState.UNTRACKED, TENTATIVE]
    assert ids(given) == [-1, -1, -1]


def ended(tracker: MaskTracker, things: Sequence[Thing], time_s: float) -> list[int]:
    """What one update ended."""
    tracker.update(seen(things), time_s)
    return list(tracker.ended)


def test_a_life_tentative_tracked_lost_found_and_ended() -> None:
    tracker = MaskTracker(TrackConfig(confirm_score=0.8, lost_s=2.0))
    thing = seen([(100, 50, 0.5)])
    assert tracker.update(thing, 0.0).states.tolist() == [TENTATIVE]
    assert tracker.update(thing, 0.1).states.tolist() == [TRACKED]
    assert ended(tracker, [], 1.5) == []
    assert ids(tracker.update(thing, 2.0)) == [1]
    assert ended(tracker, [], 4.0) == []
    assert ended(tracker, [], 4.1) == [1]
    assert ended(tracker, [], 4.2) == []
    assert ids(tracker.update(thing, 4.3)) == [2], "an id is never given twice"


def test_a_tentative_track_that_is_missed_ends_soon() -> None:
    tracker = MaskTracker(TrackConfig(tentative_s=0.3))
    assert ended(tracker, [(100, 50, 0.4)], 0.0) == []
    assert ended(tracker, [], 0.2) == []
    assert ended(tracker, [], 0.4) == [1]


@pytest.mark.parametrize("hz", [2, 5, 25, 100])
def test_limits_are_seconds_at_any_frame_rate(hz: int) -> None:
    tracker = MaskTracker(TrackConfig(lost_s=3.0))
    tracker.update(seen([(100, 50)]), 0.0)
    times = (step / hz for step in range(1, 10 * hz))
    ended_at = next(time_s for time_s in times if ended(tracker, [], time_s))
    assert 3.0 < ended_at <= 3.0 + 1 / hz + 1e-9


def test_dropped_frames_change_nothing() -> None:
    def place(step: int) -> list[Thing]:
        return [(10 + 6 * step, 40), (330 - 6 * step, 90), (180, 10 + step)]

    kept = [step for step in range(50) if step % 7 not in (3, 4)]
    whole, dropping = MaskTracker(), MaskTracker()
    full = {step: ids(whole.update(seen(place(step)), step / 10)) for step in range(50)}
    some = {step: ids(dropping.update(seen(place(step)), step / 10)) for step in kept}
    assert some == {step: full[step] for step in kept}


def test_classes_are_not_mixed() -> None:
    tracker = MaskTracker()
    tracker.update(seen([(100, 50, 0.9, 0)]), 0.0)
    assert ids(tracker.update(seen([(100, 50, 0.9, 1)]), 0.1)) == [2]
    assert ids(tracker.update(seen([(100, 50, 0.9, 1), (100, 50, 0.9, 0)]), 0.2)) == [2, 1]


def test_a_low_score_continues_a_track_but_begins_none() -> None:
    tracker = MaskTracker()
    assert ids(tracker.update(seen([(100, 50, 0.9), (300, 50, 0.2)]), 0.0)) == [1, -1]
    assert ids(tracker.update(seen([(104, 50, 0.2), (300, 50, 0.2)]), 0.1)) == [1, -1]


def test_the_sure_choose_first() -> None:
    tracker = MaskTracker()
    tracker.update(seen([(100, 50, 0.9)]), 0.0)
    assert ids(tracker.update(seen([(100, 50, 0.25), (112, 50, 0.9)]), 0.1)) == [-1, 1]


def test_time_that_stands_or_goes_back_moves_nothing() -> None:
    tracker = MaskTracker(TrackConfig(lost_s=1.0))
    for time_s in (5.0, 5.0, 3.0, 3.1, 3.2):
        assert ids(tracker.update(seen([(100, 50)]), time_s)) == [1]
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"^time_s must be finite, got (nan|inf)$"):
            tracker.update(seen([]), bad)


def test_memory_is_bounded_whatever_the_detector_does() -> None:
    tracker = MaskTracker(TrackConfig(max_tracks=20))
    rng = np.random.default_rng(0)
    alive: set[int] = set()
    for step in range(50):
        things = [(float(x), float(y), 0.5) for x, y in rng.uniform(0, 140, (12, 2))]
        found = tracker.update(seen(things), step / 25)
        alive = (alive | set(ids(found))) - set(tracker.ended) - {-1}
        assert len(alive) <= 20
        assert len(set(ids(found)) - {-1}) == sum(track > 0 for track in ids(found))


def test_who_is_seen_keeps_his_track_and_no_more_are_begun_than_there_is_room_for() -> None:
    tracker = MaskTracker(TrackConfig(max_tracks=2))
    three: list[Thing] = [(20, 50, 0.9), (70, 50, 0.8), (120, 50, 0.7)]
    assert ids(tracker.update(seen(three), 0.0)) == [1, 2, -1]
    assert ids(tracker.update(seen(three), 0.1)) == [1, 2, -1]
    assert not tracker.ended
    assert ids(tracker.update(seen(three[1:]), 0.2)) == [2, 3]
    assert tracker.ended == (1,)


def test_every_id_that_was_given_ends_once() -> None:
    tracker = MaskTracker()
    rng = np.random.default_rng(1)
    given: set[int] = set()
    over: list[int] = []
    for step in range(160):
        things: list[Thing] = [(float(x), float(y), 0.6) for x, y in rng.uniform(0, 140, (3, 2))]
        found = tracker.update(seen(things if step < 100 else []), step / 10)
        given |= set(ids(found)) - {-1}
        over += tracker.ended
    assert sorted(over) == sorted(given) == list(range(1, len(given) + 1))


def test_instances_at_the_border_empty_ones_and_another_picture_size() -> None:
    tracker = MaskTracker()
    for step in range(12):
        tracker.update(seen([(360 + 8 * step, 150 + 8 * step), (-2 * step, -3 * step)]), step / 10)
    empty = Masks.from_crops(HEIGHT, WIDTH, [(0, 0, np.zeros((2, 2), np.bool_))])
    nothing = Instances.detected(empty, np.ones(1, np.float32), np.zeros(1, np.int32))
    assert ids(tracker.update(nothing, 1.3)) == [-1]
    assert len(tracker.update(Instances.none(1, 1), 1.4)) == 0


def test_one_step_of_motion_equals_two() -> None:
    boxes, scores = np.array([[10, 20, 50, 80]], np.float32), np.array([0.8], np.float32)
    start = Motion.starting(boxes, scores, NOISE).after(0.1, NOISE)
    moving = start.corrected(np.array([0]), boxes + 7, scores, NOISE)
    once, twice = moving.after(0.3, NOISE), moving.after(0.1, NOISE).after(0.2, NOISE)
    np.testing.assert_allclose(once.boxes, twice.boxes)
    np.testing.assert_allclose(once.covariance, twice.covariance)
    assert (once.velocities > 0).all()


def test_masks_are_stretched_into_boxes_and_cut_at_the_border() -> None:
    crop = np.array([[True, False], [False, True]])
    (same, larger, outside, cut) = warped(
        [crop] * 4,
        np.array([[3, 4, 5, 6], [0, 0, 4, 4], [-9, 0, -5, 4], [8, 8, 12, 12]], float),
        10,
        10,
    ).crops
    assert (same == crop).all()
    assert (larger == np.kron(crop, np.ones((2, 2), bool))).all()
    assert outside.shape == (0, 0)
    assert (cut == np.ones((2, 2))).all()


def test_assignment_takes_the_best_whole_and_respects_rounds() -> None:
    likeness = np.array([[0.6, 0.5], [0.55, 0.0]])
    every = np.ones(2, bool)
    assert assign([Round(likeness, every, every, 0.1)]) == [(0, 1), (1, 0)]
    assert assign([Round(likeness, every, every, 0.58)]) == [(0, 0)]
    first = np.array([True, False])
    rounds = [Round(likeness, first, every, 0.1), Round(likeness, every, every, 0.1)]
    assert assign(rounds) == [(0, 0)]


def test_enlarged_boxes_meet_over_a_gap() -> None:
    a, b = np.array([[0.0, 0, 10, 10]]), np.array([[12.0, 0, 22, 10]])
    assert enlarged_iou(a, b, 0.0) == 0
    assert enlarged_iou(a, b, 0.5) == pytest.approx(8 * 20 / (2 * 400 - 160))
    assert enlarged_iou(a, a, 0.3) == pytest.approx(1)
