"""Any frame that this protocol can carry, for property tests."""

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pipeline.frame import Frame, Instances, Model, TrackState
from pipeline.masks import Masks

COUNTS = st.integers(0, 2**53 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
STREAMS = st.text(PRINTABLE, min_size=1, max_size=60).filter(lambda name: "/" not in name)
NAMES = st.text(PRINTABLE, min_size=1, max_size=64)
TEXTS = st.text(max_size=20).filter(lambda text: text.isprintable())
WIDTH, HEIGHT = 30, 20
CROPS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))
PLACES = st.tuples(st.integers(0, WIDTH - 9), st.integers(0, HEIGHT - 9))


@st.composite
def instances(draw: st.DrawFn) -> Instances:
    """Instances whose numbers survive the rounding of the wire."""
    placed = draw(st.lists(st.tuples(PLACES, CROPS), max_size=4))
    masks = Masks.from_crops(HEIGHT, WIDTH, ((x, y, crop) for (x, y), crop in placed))
    size = len(masks)

    def column(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=size, max_size=size))

    return Instances(
        boxes=masks.boxes,
        scores=np.array(column(st.integers(0, 10_000)), np.float32) / np.float32(10_000),
        classes=np.array(column(st.integers(0, 5)), np.int32),
        masks=masks,
        track_ids=np.array(column(st.integers(-1, 2**53 - 1)), np.int64),
        states=np.array(column(st.sampled_from(TrackState)), np.uint8),
    )


MODELS = st.builds(
    Model, TEXTS, TEXTS, st.lists(TEXTS.filter(bool), min_size=6, max_size=6).map(tuple)
)
FRAMES = st.builds(
    Frame,
    stream=STREAMS,
    epoch=COUNTS,
    seq=COUNTS,
    pts=st.none() | st.integers(-(2**40), 2**40),
    time_base=st.fractions(Fraction(1, 90_000), 100, max_denominator=90_000),
    captured_ns=st.just(0),
    captured_utc_ns=INT64,
    clock=st.sampled_from(("rtcp", "arrival", "media")),
    image=st.none(),
    instances=st.none() | instances(),
    ended=st.lists(COUNTS, max_size=3).map(tuple),
    model=st.none() | MODELS,
    dropped=st.dictionaries(NAMES, COUNTS, max_size=3),
    stages_ms=st.dictionaries(NAMES, st.floats(0, 1e6).map(lambda ms: round(ms, 3)), max_size=3),
)
