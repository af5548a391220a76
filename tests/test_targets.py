"""Training targets: mmdetection's to the bit, and what our own recipe adds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.learning.targets import PictureTargets, mask_boxes, picture_targets, shrink
from stages.networks.solov2.nano import NANO

from .golden import learning_spec

GOLDEN = Path(__file__).parent / "data" / "golden" / "targets_and_loss.npz"
KINDS = ("mixed", "one_empty_image", "no_gt", "random")
PICTURES = (0, 1)


@pytest.fixture(scope="module")
def golden() -> Iterator[Any]:
    with np.load(GOLDEN) as arrays:
        yield arrays


def unpacked(bits: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    flat = np.unpackbits(bits, axis=1)[:, : height * width]
    return np.asarray(flat.reshape(len(bits), height, width), np.uint8)


def golden_targets(golden: Any, kind: str, picture: int) -> PictureTargets:
    name = f"{kind}.{picture}"
    masks = unpacked(golden[f"{name}.gt_masks"], 160, 224)
    boxes = golden[f"{name}.gt_bboxes"]
    spec = learning_spec(json.loads(str(golden["meta"])))
    return picture_targets(masks, golden[f"{name}.gt_labels"], spec, boxes)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("kind", KINDS)
def test_targets_are_mmdetections(golden: Any, kind: str, picture: int) -> None:
    targets = golden_targets(golden, kind, picture)
    for number, level in enumerate(targets.levels):
        name = f"{kind}.{picture}"
        np.testing.assert_array_equal(level.labels, golden[f"{name}.labels{number}"])
        np.testing.assert_array_equal(level.cells, golden[f"{name}.pos_index{number}"])
        wanted = unpacked(golden[f"{name}.mask_targets{number}"], 40, 56)
        np.testing.assert_array_equal(targets.masks[level.objects], wanted)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_masks_shrink_as_opencv_does_it(golden: Any, number: int) -> None:
    small = shrink(golden[f"imrescale{number}.in"], 4)
    np.testing.assert_array_equal(small, golden[f"imrescale{number}.out"])


def square(side: int, x: int, y: int, canvas: tuple[int, int] = (320, 544)) -> NDArray[np.uint8]:
    mask = np.zeros(canvas, np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


def levels_of(side: int, canvas: tuple[int, int]) -> list[bool]:
    masks = square(side, 10, 10, canvas)[None]
    levels = picture_targets(masks, np.zeros(1, np.int64), NANO).levels
    return [len(level.cells) > 0 for level in levels]


def test_relative_ranges_grow_with_the_canvas() -> None:
    assert levels_of(50, (320, 544)) == [True, True, False]
    assert levels_of(50, (160, 160)) == [False, True, True]
    assert levels_of(100, (320, 320)) == [False, True, True]


def test_ignored_ground_is_not_background_but_things_on_it_count() -> None:
    ignore = np.zeros((320, 544), np.bool_)
    ignore[:, 272:] = True
    masks = square(100, 300, 100)[None]
    targets = picture_targets(masks, np.ones(1, np.int64), NANO, ignore=ignore)
    for level in targets.levels:
        things = level.labels == 1
        grid = level.labels.shape[0]
        assert not (level.ignored & things).any()
        assert (level.ignored | things)[:, grid // 2 :].all()
        assert not level.ignored[:, : grid // 2].any()


def test_boxes_are_tight_and_an_empty_mask_has_none() -> None:
    masks = np.stack([square(5, 3, 7), np.zeros((320, 544), np.uint8)])
    assert mask_boxes(masks).tolist() == [[3, 7, 8, 12], [0, 0, 0, 0]]
    targets = picture_targets(masks, np.zeros(2, np.int64), NANO)
    assert {0} == {int(thing) for level in targets.levels for thing in level.objects}
