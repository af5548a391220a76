"""Augmentation and copy-paste: the masks stay with their pixels."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import SourceError
from stages.learning.augment import degrade, random_view, recolour, settle, warp
from stages.learning.coco import CocoPictures
from stages.learning.cutouts import Cutout, placing, stamp
from stages.learning.paste import Paster, PictureCutouts
from stages.learning.sample import Sample


def bars() -> Sample:
    """Red and green bars on black, with their masks; the lower right corner is ignored."""
    image = np.zeros((60, 80, 3), np.uint8)
    image[10:50, 10:30, 2] = 255
    image[10:50, 40:60, 1] = 255
    ignore = np.zeros((60, 80), np.bool_)
    ignore[40:, 70:] = True
    masks = np.stack([image[:, :, 2] > 0, image[:, :, 1] > 0]).astype(np.uint8)
    return Sample(image, masks, np.array([0, 1]), ignore)


def test_a_view_that_changes_nothing_changes_nothing() -> None:
    sample = bars()
    same = warp(sample, np.eye(2, 3), (60, 80))
    np.testing.assert_array_equal(same.image, sample.image)
    np.testing.assert_array_equal(same.masks, sample.masks)
    np.testing.assert_array_equal(same.ignore, sample.ignore)


@pytest.mark.parametrize("seed", range(20))
def test_masks_follow_their_pixels_in_every_view(seed: int) -> None:
    sample, canvas = bars(), (96, 64)
    view = random_view(np.random.default_rng(seed), (60, 80), canvas)
    seen = warp(sample, view, canvas)
    assert seen.image.shape == (*canvas, 3)
    for mask, label in zip(seen.masks, seen.classes.tolist(), strict=True):
        differing = mask.astype(bool) != (seen.image[:, :, 2 - label] > 127)
        assert np.count_nonzero(differing) <= 2  # both are interpolated, in other number types


def test_a_mirrored_view_keeps_left_and_right_apart() -> None:
    mirrored = warp(bars(), np.array([[-1.0, 0, 79], [0, 1, 0]]), (60, 80))
    np.testing.assert_array_equal(mirrored.image, bars().image[:, ::-1])
    np.testing.assert_array_equal(mirrored.masks, bars().masks[:, :, ::-1])


def test_what_is_cut_off_goes_to_ignore() -> None:
    shift = np.array([[1.0, 0, -26], [0, 1, 0]])  # 4 of the 20 columns of the red bar stay
    seen = warp(bars(), shift, (60, 80))
    assert seen.classes.tolist() == [1]
    assert seen.ignore[10:50, 0:4].all()
    assert not (seen.ignore & seen.masks.any(axis=0)).any()


def test_settling_keeps_what_is_visible_enough() -> None:
    masks = np.zeros((2, 20, 20), np.bool_)
    masks[0, :10], masks[1, 15:18] = True, True
    sample = settle(
        np.zeros((20, 20, 3), np.uint8), list(masks), [4, 5], np.zeros((20, 20), np.bool_),
        wholes=[200.0, 400.0], least_visible=0.5,
    )  # fmt: skip
    assert sample.classes.tolist() == [4]
    np.testing.assert_array_equal(sample.ignore, masks[1])


@pytest.mark.parametrize("seed", range(5))
def test_colours_change_and_the_picture_given_does_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    before = image.copy()
    changed = degrade(rng, recolour(rng, image))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert (changed != before).any()
    np.testing.assert_array_equal(image, before)


def white(height: int, width: int) -> Cutout:
    alpha = np.zeros((height, width), np.uint8)
    alpha[2:-2, 2:-2] = 255
    return Cutout(np.full((height, width, 3), 255, np.uint8), alpha, 1)


@pytest.mark.parametrize("scale", [0.11, 0.37, 1.0, 1.7])
@pytest.mark.parametrize("angle_rad", [0.0, 0.6])
def test_the_bits_of_a_stamp_are_the_pixels_it_changed(scale: float, angle_rad: float) -> None:
    canvas = np.zeros((90, 110, 3), np.uint8)
    matrix = placing(white(80, 60), (50.3, 41.8), (-scale, scale), angle_rad)
    x, y, bits = stamp(canvas, white(80, 60), matrix)
    mask = np.zeros((90, 110), np.bool_)
    mask[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    np.testing.assert_array_equal(mask, canvas[:, :, 0] >= 128)
    if scale <= 1:  # a larger one is cut by the canvas
        rows, columns = np.nonzero(mask)
        assert (rows.mean(), columns.mean()) == pytest.approx((41.8, 50.3), abs=0.5)
        assert rows.size == pytest.approx(56 * 76 * scale**2, rel=0.2)


def test_a_stamp_outside_changes_nothing() -> None:
    canvas = np.zeros((20, 20, 3), np.uint8)
    _, _, bits = stamp(canvas, white(10, 10), placing(white(10, 10), (-50, 5), (1, 1)))
    assert bits.size == 0
    assert not canvas.any()


def test_a_shadow_darkens_but_is_not_the_thing() -> None:
    canvas = np.full((60, 60, 3), 200, np.uint8)
    x, y, bits = stamp(
        canvas, white(30, 30), placing(white(30, 30), (24.5, 24.5), (1, 1)), shadow=0.5
    )
    mask = np.zeros((60, 60), np.bool_)
    mask[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    assert (canvas[mask] == 255).all()
    assert (canvas[~mask] < 180).any()


class Coloured:
    """Cut-outs that are each of one colour, never the same twice."""

    def __init__(self) -> None:
        self._levels: Iterator[int] = iter(range(60, 250, 10))
        self.given: list[int] = []

    def draw(self, rng: np.random.Generator) -> Cutout:
        self.given.append(next(self._levels))
        side = int(rng.integers(30, 60))
        bgr: NDArray[np.uint8] = np.full((side, side, 3), self.given[-1], np.uint8)
        return Cutout(bgr, np.full((side, side), 255, np.uint8), 2)


@pytest.mark.parametrize("seed", range(12))
def test_pasted_things_hide_what_is_behind_them(seed: int) -> None:
    source = Coloured()
    before = bars()
    after = Paster([(1.0, source)], heights=(0.2, 0.8)).paste(np.random.default_rng(seed), before)
    np.testing.assert_array_equal(before.image, bars().image)
    assert after.masks.sum(axis=0).max(initial=0) <= 1  # visible parts never overlap
    assert not (after.ignore & after.masks.any(axis=0)).any()
    changed = (after.image != before.image).any(axis=2)
    told = after.masks[after.classes == 2].any(axis=0) | after.ignore
    assert np.count_nonzero(told & ~changed & ~before.ignore) < 0.1 * max(1, told.sum()) + 20
    for mask, label in zip(after.masks, after.classes.tolist(), strict=True):
        inside = mask.astype(bool) & ~changed
        assert label == 2 or inside.sum() > 0


def test_things_stand_together_when_clustered() -> None:
    def spread(clustered: float) -> float:
        base = Sample.of(np.zeros((200, 400, 3), np.uint8))
        paster = Paster([(1.0, Coloured())], heights=(0.3, 0.4), clustered=clustered)
        spreads = []
        for seed in range(4):
            masks = paster.paste(np.random.default_rng(seed + 3), base).masks
            centres = [float(np.nonzero(mask)[1].mean()) for mask in masks]
            spreads.append(np.abs(np.diff(centres)).mean() if len(centres) > 1 else 0.0)
        return float(np.mean(spreads))

    assert spread(1.0) < 0.7 * spread(0.0)


def test_only_whole_instances_are_cut_out(tmp_path: Path) -> None:
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[20:100, 30:60, 2], picture[40:, 100:130, 1] = 255, 255
    cv2.imwrite(str(tmp_path / "a.png"), picture)

    def pictures(*boxes: tuple[int, int, int, int]) -> CocoPictures:
        polygons = [
            [x - 0.5, y - 0.5, x + w - 0.5, y - 0.5, x + w - 0.5, y + h - 0.5, x - 0.5, y + h - 0.5]
            for x, y, w, h in boxes
        ]
        content = {
            "images": [{"id": 1, "file_name": "a.png", "width": 160, "height": 120}],
            "categories": [{"id": 1, "name": "bar"}],
            "annotations": [
                {"image_id": 1, "category_id": 1, "segmentation": [polygon]} for polygon in polygons
            ],
        }
        (tmp_path / "a.json").write_text(json.dumps(content))
        return CocoPictures(tmp_path / "a.json", tmp_path, ("bar",))

    cutouts = PictureCutouts(pictures((30, 20, 30, 80), (100, 40, 30, 80)))
    assert len(cutouts) == 1  # the other touches the lower edge
    cutout = cutouts.draw(np.random.default_rng(0))
    np.testing.assert_array_equal(cutout.alpha, cutout.bgr[:, :, 2])
    assert cutout.area == 30 * 80
    with pytest.raises(SourceError, match="no edge cuts, got none"):
        PictureCutouts(pictures((100, 40, 30, 80)))
