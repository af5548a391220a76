"""Annotation: only when somebody looks, only inside boxes, in colours that stay."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.demand import Demand
from pipeline.frame import Frame, Image, Instances, Model
from pipeline.masks import Masks
from pipeline.stage import ListInbox
from stages.annotate import AnnotateSettings, AnnotateStage, label
from stages.annotation.palette import LIGHT, UNTRACKED, text_colour, track_colour

Picture = NDArray[np.uint8]
MODEL = Model("tiny", "sha256:none", ("person", "shape"))
BARE = AnnotateSettings(boxes=False, labels=False)


def instances(
    height: int, width: int, boxes: list[tuple[int, int, int, int]], tracks: list[int]
) -> Instances:
    """Full boxes x, y, w, h as masks, all of class 0."""
    crops = [(x, y, np.ones((h, w), np.bool_)) for x, y, w, h in boxes]
    n = len(boxes)
    found = Instances.detected(
        Masks.from_crops(height, width, crops),
        np.full(n, 0.8, np.float32),
        np.zeros(n, np.int32),
    )
    return replace(found, track_ids=np.array(tracks, np.int64))


def frame(picture: Picture, found: Instances | None) -> Frame:
    return Frame(
        stream="gate",
        epoch=0,
        seq=0,
        pts=0,
        time_base=Fraction(1, 25),
        captured_ns=0,
        captured_utc_ns=0,
        clock="media",
        image=Image.from_bgr(picture),
        instances=found,
        model=MODEL,
    )


def annotate(given: Frame, settings: AnnotateSettings | None = None) -> Frame:
    demand = Demand()
    demand.always("annotated")
    stage = AnnotateStage(settings or AnnotateSettings(), demand=demand)
    (annotated,) = stage.run(ListInbox([given]))
    return annotated


def canvas(given: Frame, settings: AnnotateSettings | None = None) -> Picture:
    image = annotate(given, settings).canvas
    assert image is not None
    return image.planes[0]


def grey(height: int = 100, width: int = 160, value: int = 128) -> Picture:
    return np.full((height, width, 3), value, np.uint8)


def test_nothing_is_drawn_for_nobody() -> None:
    demand = Demand()
    stage = AnnotateStage(AnnotateSettings(), demand=demand)
    given = frame(grey(), instances(100, 160, [(10, 10, 20, 30)], [1]))
    assert list(stage.run(ListInbox([given]))) == [given]
    demand.add(b"v1/gate/annotated/", ["annotated"])
    assert next(stage.run(ListInbox([given]))).canvas is not None
    other = replace(given, stream="other")
    assert next(stage.run(ListInbox([other]))).canvas is None


def test_the_source_picture_is_left_alone() -> None:
    picture = grey()
    picture.flags.writeable = False
    given = frame(picture, instances(100, 160, [(10, 40, 20, 30)], [1]))
    drawn = canvas(given)
    assert (picture == 128).all()
    assert (drawn != 128).any()


def test_a_mask_is_tinted_inside_and_nowhere_else() -> None:
    given = frame(grey(), instances(100, 160, [(30, 40, 60, 30)], [5]))
    drawn = canvas(given, BARE.model_copy(update={"opacity": 0.5}))
    wanted = np.rint(128 * 0.5 + np.array(track_colour(5)) * 0.5)
    assert np.abs(drawn[55, 60] - wanted).max() <= 1
    outside = np.ones((100, 160), np.bool_)
    outside[39:71, 29:91] = False
    assert (drawn[outside] == 128).all()


def test_settings_leave_parts_out() -> None:
    given = frame(grey(), instances(100, 160, [(30, 40, 60, 30)], [5]))
    off = {"masks": False, "boxes": False, "labels": False}
    assert (canvas(given, AnnotateSettings(**off)) == 128).all()
    for part in off:
        drawn = canvas(given, AnnotateSettings(**{**off, part: True}))
        assert (drawn != 128).any(), part


def test_a_track_keeps_its_colour_and_its_neighbours_differ() -> None:
    colours = [track_colour(track) for track in range(1, 21)]
    assert colours == [track_colour(track) for track in range(1, 21)]
    distances = [
        np.abs(np.subtract(a, b)).sum() for i, a in enumerate(colours) for b in colours[:i]
    ]
    assert min(distances) > 40
    neighbours = [np.abs(np.subtract(a, b)).sum() for a, b in itertools.pairwise(colours)]
    assert min(neighbours) > 150
    assert track_colour(-1) == UNTRACKED


def test_labels_stand_out_from_their_ground() -> None:
    for track in range(-1, 200):
        ground = track_colour(track)
        blue, green, red = np.subtract(text_colour(ground), ground).astype(float)
        assert abs(0.114 * blue + 0.587 * green + 0.299 * red) > 85, track
    assert text_colour((0, 0, 0)) == LIGHT


def test_labels_name_track_class_and_score() -> None:
    found = instances(100, 160, [(0, 0, 5, 5)] * 3, [7, -1, 2])
    odd = replace(found, classes=np.array([1, 0, 99], np.int32))
    assert [label(odd, i, MODEL) for i in range(3)] == [
        "7 shape 80%",
        "person 80%",
        "2 class 99 80%",
    ]
    assert label(odd, 0, None) == "7 class 1 80%"


@pytest.mark.parametrize("value", [0, 128, 255])
def test_every_part_shows_on_any_ground(value: int) -> None:
    found = instances(200, 300, [(100, 80, 80, 90)], [3])
    drawn = canvas(frame(grey(200, 300, value), found)).astype(int)
    difference = np.abs(drawn - value).max(axis=2)
    assert (difference[80:170, 100] > 60).all(), "the left side of the box"
    assert (difference[120, 110:170] > 20).all(), "the mask"
    assert difference[62:78, 102:160].max() > 60, "the label"


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (3, 3), (49, 4)], ids=str)
def test_tiny_pictures(size: tuple[int, int]) -> None:
    h, w = size
    given = frame(grey(h, w), instances(h, w, [(0, 0, w, h), (w - 1, h - 1, 1, 1)], [1, -1]))
    assert canvas(given).shape == (h, w, 3)


def test_instances_at_the_borders_and_empty_ones() -> None:
    boxes = [(0, 0, 9, 9), (151, 91, 9, 9), (0, 91, 160, 9), (0, 0, 160, 100)]
    given = frame(grey(), instances(100, 160, boxes, [1, 2, 3, -1]))
    assert canvas(given).shape == (100, 160, 3)
    empty = Masks.from_crops(100, 160, [(5, 5, np.zeros((3, 3), np.bool_))])
    nothing = Instances.detected(empty, np.ones(1, np.float32), np.zeros(1, np.int32))
    assert canvas(frame(grey(), nothing)).shape == (100, 160, 3)


def test_frames_without_instances_or_picture() -> None:
    assert (canvas(frame(grey(), None)) == 128).all()
    assert (canvas(frame(grey(), Instances.none(100, 160))) == 128).all()
    assert annotate(replace(frame(grey(), None), image=None)).canvas is None


def test_the_canvas_keeps_the_aspect_and_takes_any_format() -> None:
    planes = (
        np.full((6, 8), 120, np.uint8),
        np.full((3, 4), 128, np.uint8),
        np.full((3, 4), 128, np.uint8),
    )
    image = Image("yuv420p", planes, 8, 6, sample_aspect=Fraction(16, 11))
    drawn = annotate(replace(frame(grey(), None), image=image)).canvas
    assert drawn is not None
    assert (drawn.format, drawn.width, drawn.height) == ("bgr24", 8, 6)
    assert drawn.sample_aspect == Fraction(16, 11)
