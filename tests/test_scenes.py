"""Synthetic scenes: any frame alone, and a truth that is right to the pixel."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError
from stages.learning.backdrop import Backdrop
from stages.learning.cutouts import Cutout
from stages.learning.moving import Motion, Scene, Swing
from stages.learning.scenes import SCENES, scene, scene_of

ROOT = Path(__file__).parents[1]


def plain_scene() -> Scene:
    """A green disc behind a red box, both moving and turning, on black."""
    black = np.zeros((100, 140, 3), np.uint8)
    y, x = np.mgrid[-30:31, -30:31]
    disc = np.where(x**2 + y**2 <= 28**2, 255, 0).astype(np.uint8)
    box = np.pad(np.full((31, 41), 255, np.uint8), 4)
    green, red = np.zeros((61, 61, 3), np.uint8), np.zeros((39, 49, 3), np.uint8)
    green[:, :, 1], red[:, :, 2] = 255, 255
    things = (
        (Cutout(green, disc, 0), Motion(Swing(0.4, 0.3, 0.5), Swing(0.5), Swing(0.5), 0.1)),
        (Cutout(red, box, 0), Motion(Swing(0.5), Swing(0.5, 0.8, 0.25), Swing(0.4, 0.1, 1), -0.2)),
    )
    return Scene("plain", 120, 80, 5.0, 4.0, Backdrop(black, black, 120, 80, 9), things, shadow=0)


def test_masks_are_exactly_the_pixels_that_show_each_thing() -> None:
    world = plain_scene()
    seen = set()
    for index in range(world.frames):
        picture, truth = world.render(index)
        drawn = {
            1: (picture[:, :, 1] >= 128) & (picture[:, :, 2] < 128),
            2: picture[:, :, 2] >= 128,
        }
        shown = {identity for identity, bits in drawn.items() if bits.any()}
        assert shown <= set(truth.identities.tolist())
        for row, identity in enumerate(truth.identities.tolist()):
            differing = truth.masks.dense(row) != drawn[identity]
            assert np.count_nonzero(differing) <= 2  # a half-covered pixel of both
        seen |= shown
    assert seen == {1, 2}


@pytest.mark.parametrize("name", sorted(SCENES))
def test_any_frame_can_be_rendered_alone(name: str) -> None:
    straight = scene(name, 160, 90, 10, seed=3)
    frames = [straight.render(index) for index in range(straight.frames)]
    for index in (straight.frames - 1, 0, 17):
        picture, truth = scene(name, 160, 90, 10, seed=3).render(index)
        np.testing.assert_array_equal(picture, frames[index][0])
        np.testing.assert_array_equal(truth.identities, frames[index][1].identities)
        for row in range(len(truth.masks)):
            np.testing.assert_array_equal(truth.masks.dense(row), frames[index][1].masks.dense(row))


def test_seeds_give_different_worlds_and_rates_the_same_one() -> None:
    first = scene("demo", 160, 90, 25)
    assert (first.render(0)[0] != scene("demo", 160, 90, 25, seed=1).render(0)[0]).any()
    twice = scene("demo", 160, 90, 50)
    np.testing.assert_array_equal(first.render(40)[0], twice.render(80)[0])
    assert (first.frames, twice.frames) == (250, 500)


def test_frames_belong_to_the_caller() -> None:
    world = scene("crossing", 160, 90)
    before = world.render(0)[0].copy()
    world.render(0)[0][:] = 0
    np.testing.assert_array_equal(world.render(0)[0], before)


def test_in_the_demo_things_overlap_leave_and_come_back() -> None:
    world = scene("demo", 320, 180, 5)
    areas = np.zeros((world.frames, len(world.things) + 1), np.int64)
    touching = 0
    for index in range(world.frames):
        _, truth = world.render(index)
        assert truth.labels == ("shape",) * len(truth.identities)
        areas[index, truth.identities] = truth.masks.areas
        boxes = truth.masks.boxes
        overlap = (boxes[:, None, :2] < boxes[None, :, 2:]).all(axis=2)
        touching += int((overlap & overlap.T).sum() > len(boxes))
    assert touching > world.frames / 2
    present = areas[:, 1:] > 0
    gone = [np.flatnonzero(~column) for column in present.T]
    returning = [
        1 for column, away in zip(present.T, gone, strict=True)
        if away.size and column[: away[0]].any() and column[away[-1] + 1 :].any()
    ]  # fmt: skip
    assert len(returning) >= 2
    assert present.sum(axis=1).min() >= 4


def test_in_the_crossing_two_things_change_sides_past_each_other() -> None:
    world = scene("crossing", 320, 180, 10)
    lefts = []
    for index in (0, 30, world.frames - 1):
        truth = world.render(index)[1]
        assert truth.identities.tolist() == [1, 2]
        lefts.append(truth.masks.boxes[:, 0].tolist())
    assert lefts[0][0] + 100 < lefts[0][1]
    assert lefts[2][0] > lefts[2][1] + 100
    hidden = world.render(30)[1].masks.areas[0] / world.render(0)[1].masks.areas[0]
    assert 0 < hidden < 0.7


def test_there_are_many_in_a_crowd_and_none_in_the_empty_scene() -> None:
    assert len(scene("crowd", 320, 180).render(50)[1].identities) > 15
    picture, truth = scene("empty", 320, 180).render(50)
    assert len(truth.identities) == 0
    assert picture.std() > 2


@pytest.mark.parametrize("size", [(16, 16), (17, 301), (1920, 64)])
def test_odd_sizes_work(size: tuple[int, int]) -> None:
    picture, truth = scene("crowd", *size, fps=2).render(3)
    assert picture.shape == (size[1], size[0], 3)
    assert (truth.masks.height, truth.masks.width) == (size[1], size[0])


def test_an_address_says_everything() -> None:
    world = scene_of("synthetic:demo?size=320x180&fps=12.5&seed=4")
    assert (world.width, world.height, world.fps, world.frames) == (320, 180, 12.5, 125)
    np.testing.assert_array_equal(
        world.render(9)[0], scene("demo", 320, 180, 12.5, seed=4).render(9)[0]
    )
    assert repr(scene_of("crowd")) == "Scene(crowd 640x360 px, 250 frames)"


def test_all_that_is_wrong_with_an_address_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as info:
        scene_of("synthetic:dema?size=640&speed=3&fps=fast")
    assert [mistake.path for mistake in info.value.mistakes] == ["size", "speed", "fps", "name"]
    assert "one of the scenes demo, crowd, crossing, empty, got dema" in str(info.value)
    assert "one of the options size, fps, seed" in str(info.value)


@pytest.mark.parametrize("query", ["size=0x90", "size=99999x90", "fps=0", "fps=nan", "seed=-1"])
def test_impossible_numbers_are_refused(query: str) -> None:
    with pytest.raises(ConfigError, match=query.split("=", maxsplit=1)[0]):
        scene_of(f"synthetic:demo?{query}")


def test_scenes_need_no_torch() -> None:
    code = "import sys, stages.learning.scenes; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
