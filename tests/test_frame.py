"""The record that flows: shapes are checked, and nothing is changed by looking at it."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction

import numpy as np
import pytest

from pipeline.frame import Frame, Image, Instances, TrackState
from pipeline.masks import Masks


def planes(height: int, width: int) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.uint8]], ...]:
    half = ((height + 1) // 2, (width + 1) // 2)
    return np.zeros((height, width), np.uint8), np.zeros(half, np.uint8), np.zeros(half, np.uint8)


def frame(pts: int | None = 27000) -> Frame:
    image = Image("yuv420p", planes(5, 7), 7, 5)
    return Frame("gate-2", 3, 812, pts, Fraction(1, 90000), 1, 2, "arrival", image)


def three() -> Instances:
    masks = Masks.from_dense(np.tri(3, 12, dtype=np.bool_).reshape(3, 3, 4))
    return Instances.detected(
        masks, np.array([0.9, 0.8, 0.7], np.float32), np.array([2, 1, 0], np.int32)
    )


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7), (4, 6)])
def test_pictures_of_odd_sizes_have_their_planes(height: int, width: int) -> None:
    image = Image("yuv420p", planes(height, width), width, height)
    assert repr(image) == f"Image(yuv420p {width}x{height} px)"


def test_pictures_with_wrong_planes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^planes of yuv420p must have shapes \(\(5, 7\), \(3, 4"):
        Image("yuv420p", planes(4, 6), 7, 5)
    with pytest.raises(ValueError, match=r"^planes of bgr24 must have shapes \(\(2, 2, 3\),\)"):
        Image("bgr24", (np.zeros((2, 2), np.uint8),), 2, 2)
    with pytest.raises(ValueError, match=r"^planes must be uint8, got \('float32',\)$"):
        Image("bgr24", (np.zeros((2, 2, 3), np.float32),), 2, 2)


def test_a_bgr_array_is_an_image() -> None:
    bgr = np.zeros((2, 3, 3), np.uint8)
    image = Image.from_bgr(bgr)
    assert (image.width, image.height, image.format) == (3, 2, "bgr24")
    assert image.planes[0] is bgr


def test_fresh_instances_have_no_tracks() -> None:
    instances = three()
    assert len(instances) == 3
    assert instances.track_ids.tolist() == [-1, -1, -1]
    assert set(instances.states.tolist()) == {TrackState.UNTRACKED}
    np.testing.assert_array_equal(instances.boxes, instances.masks.boxes)
    assert repr(instances) == "Instances(3 in 4x3 px)"
    assert len(Instances.none(3, 4)) == 0


def test_columns_of_another_length_are_refused() -> None:
    instances = three()
    for column in ("scores", "classes", "track_ids", "states"):
        short = getattr(instances, column)[:2]
        with pytest.raises(ValueError, match=rf"^{column} must have shape \(3,\), got \(2,\)$"):
            replace(instances, **{column: short})
    with pytest.raises(ValueError, match=r"^boxes must have shape \(3, 4\), got \(3, 2\)$"):
        replace(instances, boxes=instances.boxes[:, :2])


def test_instances_are_chosen_by_index() -> None:
    chosen = three().select([2, 0])
    assert chosen.classes.tolist() == [0, 2]
    np.testing.assert_array_equal(chosen.boxes, chosen.masks.boxes)
    assert len(three().select([])) == 0
    with pytest.raises(TypeError):
        three().select(np.array([True, False, True]))


def test_media_time_is_exact() -> None:
    assert frame().media_time_s == 0.3
    assert frame(None).media_time_s is None
    late = replace(frame(2**40 + 1), time_base=Fraction(1001, 30000))
    assert late.media_time_s == float(Fraction((2**40 + 1) * 1001, 30000))


def test_a_frame_is_not_changed_but_replaced() -> None:
    before = frame()
    after = replace(before, instances=three())
    assert before.instances is None
    assert after.image is before.image
    with pytest.raises(FrozenInstanceError):
        before.seq = 5  # type: ignore[misc]


def test_a_frame_shows_shapes_and_not_arrays() -> None:
    text = repr(replace(frame(), instances=three()))
    assert text == ("Frame(gate-2 epoch 3 seq 812, Image(yuv420p 7x5 px), Instances(3 in 4x3 px))")


def test_a_frame_can_be_sent_to_another_process() -> None:
    original = replace(frame(), instances=three())
    for other in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert repr(other) == repr(original)
        assert other.dropped == {}
