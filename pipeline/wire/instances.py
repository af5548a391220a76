"""The instances of a header as columns, every size and index checked."""

from typing import Any, NamedTuple

import numpy as np

from ..frame import Instances, Model, TrackState
from ..masks import Bits, Masks
from .counts import decode_counts
from .fields import Fields, refused, wrong
from .status import MOST_CLASSES

MOST_INSTANCES = 10_000
LONGEST_SIDE_PX = 65_535
MOST_MASK_PX = 2**28
"""Pixels of all crops of one message, one byte each once decoded: a bound on what it can cost."""

STATES = {state.name.lower(): state for state in TrackState}


class _Row(NamedTuple):
    box: tuple[float, float, float, float]
    score: float
    category: int
    origin: tuple[int, int]
    crop: Bits
    track: int
    state: TrackState


def instances_of(fields: Fields) -> Instances | None:
    """The instances of a header; None when the frame was not segmented.

    :raises WireError: for a missing or wrong field, or a mask that leaves the picture.
    """
    if not fields.known("instances"):
        return None
    image = fields.inner("image")
    height = image.integer("height", 1, LONGEST_SIDE_PX)
    width = image.integer("width", 1, LONGEST_SIDE_PX)
    items = _items(fields)
    _check_cost(items)
    return _columns(height, width, [_row(item, height, width) for item in items])


def model_of(fields: Fields) -> Model | None:
    """The model of a header. Of its class names those that the instances mention, else "".

    :raises WireError: for a missing or wrong field.
    """
    if not fields.known("model"):
        return None
    model = fields.inner("model")
    items = _items(fields) if fields.known("instances") else []
    labels = {_category(item): item.text("label") for item in items if item.known("label")}
    classes = tuple(labels.get(i, "") for i in range(max(labels, default=-1) + 1))
    return Model(model.text("name"), model.text("weights"), classes)


def _items(fields: Fields) -> list[Fields]:
    values: list[Any] = fields.items("instances", MOST_INSTANCES)
    return [Fields(value, f"header.instances[{i}]") for i, value in enumerate(values)]


def _check_cost(items: list[Fields]) -> None:
    sizes = (item.inner("mask").integers("size", 2, 0, LONGEST_SIDE_PX) for item in items)
    pixels = sum(height * width for height, width in sizes)
    if pixels > MOST_MASK_PX:
        raise refused("header.instances", f"masks of up to {MOST_MASK_PX} px", f"{pixels} px")


def _category(item: Fields) -> int:
    return item.integer("class", 0, MOST_CLASSES - 1)


def _row(item: Fields, height: int, width: int) -> _Row:
    x, y, w, h = item.numbers("box", 4)
    state = item.text("state")
    if state not in STATES:
        raise wrong(item.path("state"), f"one of {', '.join(STATES)}", state)
    origin, crop = _crop(item.inner("mask"), height, width)
    if item.known("label"):
        item.text("label")
    item.integer("area")  # derived from the mask, but a number it must be
    return _Row(
        box=(x, y, x + w, y + h),
        score=item.number("score"),
        category=_category(item),
        origin=origin,
        crop=crop,
        track=item.integer("track") if item.known("track") else -1,
        state=STATES[state],
    )


def _crop(mask: Fields, height: int, width: int) -> tuple[tuple[int, int], Bits]:
    x, y = mask.integers("origin", 2, 0, LONGEST_SIDE_PX)
    h, w = mask.integers("size", 2, 0, LONGEST_SIDE_PX)
    if x + w > width or y + h > height:
        got = f"{w}x{h} px at ({x}, {y})"
        raise refused(mask.where, f"a crop inside the {width}x{height} px picture", got)
    return (x, y), decode_counts(mask.text("counts"), h, w, mask.path("counts"))


def _columns(height: int, width: int, rows: list[_Row]) -> Instances:
    origins = np.array([row.origin for row in rows], np.int32).reshape(-1, 2)
    return Instances(
        boxes=np.array([row.box for row in rows], np.float32).reshape(-1, 4),
        scores=np.array([row.score for row in rows], np.float32),
        classes=np.array([row.category for row in rows], np.int32),
        masks=Masks(height, width, origins, tuple(row.crop for row in rows)),
        track_ids=np.array([row.track for row in rows], np.int64),
        states=np.array([row.state for row in rows], np.uint8),
    )
