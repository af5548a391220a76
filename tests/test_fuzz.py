"""Whatever bytes come, a decoder gives a message or WireError, in bounded time and memory; and
every message that can be said comes back as it was."""

import json
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import EndpointError, WireError
from pipeline.frame import Frame
from pipeline.wire import (
    FRAME_KINDS,
    DeliveryMode,
    FrameKind,
    Status,
    Totals,
    Welcome,
    decode,
    decode_header,
    decode_welcome,
    encode,
    encode_status,
    encode_welcome,
)
from pipeline.wire.counts import decode_counts
from pipeline.wire.delivery import (
    Ack,
    Bye,
    Delivery,
    End,
    Greeting,
    Hello,
    Ping,
    Pong,
    Position,
    Refusal,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from pipeline.wire.endpoints import parse_endpoint
from tests.frames import COUNTS, FRAMES, INT64, NAMES, STREAMS
from tests.schemas import mistakes
from tests.test_vectors import ACCEPTED, parts_of
from tests.test_wire import JPEG

Reader = Callable[[bytes], object]
READERS: dict[str, Reader] = {
    "header": decode_header,
    "welcome": decode_welcome,
    "request": decode_request,
    "answer": decode_answer,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
SMALL = [parts_of(vector) for vector in ACCEPTED if len(str(vector)) < 8_000]
MESSAGES = [parts for parts in SMALL if len(parts) > 1]
SLOWEST_S = 5.0
"""Of one short message, on a machine that is busy: the usual time is under a millisecond."""


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_any_parts(parts: list[bytes]) -> None:
    with suppress(WireError):
        decode(parts)


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=200) | st.text().map(str.encode))
def test_any_bytes(reader: str, data: bytes) -> None:
    with suppress(WireError):
        READERS[reader](data)


@given(st.sampled_from(sorted(READERS)), JSON, st.sampled_from(["", "welcome/v1/"]))
def test_any_json(reader: str, value: object, start: str) -> None:
    with suppress(WireError):
        READERS[reader](start.encode() + json.dumps(value).encode())


@given(st.text())
@example("tcp://" + "9" * 10_000)
@example("ipc://" + "é" * 100)
def test_any_address(address: str) -> None:
    with suppress(EndpointError):
        parse_endpoint(address, "fuzz")


@st.composite
def spoiled_messages(draw: st.DrawFn) -> list[bytes]:
    """A good message with one to three fields that hold something else, or are gone."""
    topic, text, *more = draw(st.sampled_from(MESSAGES))
    header: dict[str, Any] = json.loads(text)
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, header)
    return [topic, json.dumps(header).encode(), *more]


def _spoil(draw: st.DrawFn, header: dict[str, Any]) -> None:
    place: Any = header
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if not (isinstance(inner, dict | list) and inner and draw(st.booleans())):
            break
        place = inner
    if isinstance(place, dict) and len(place) > 1 and draw(st.booleans()):
        del place[key]
    else:
        place[key] = draw(JSON)


@given(spoiled_messages())
@settings(max_examples=200)
def test_what_is_taken_is_of_its_schema(parts: list[bytes]) -> None:
    """A decoder may be stricter than the schema, never laxer."""
    with suppress(WireError):
        message = decode(parts)
        assert mistakes(message.kind, json.loads(parts[1])) == []


@given(FRAMES, COUNTS, NAMES)
@settings(max_examples=200)
def test_every_frame_comes_back(sent: Frame, pseq: int, publisher: str) -> None:
    parts = encode(sent, publisher=publisher, pseq=pseq, kind="meta")
    message = decode(parts)
    got = message.frame
    assert got is not None
    assert (message.publisher, message.pseq) == (publisher, pseq)
    for name in ("stream", "epoch", "seq", "pts", "time_base", "captured_utc_ns", "clock", "ended",
                 "dropped", "stages_ms"):  # fmt: skip
        assert getattr(got, name) == getattr(sent, name)
    if sent.instances is not None:
        assert got.instances is not None
        for name in ("boxes", "scores", "classes", "track_ids", "states"):
            assert np.array_equal(getattr(got.instances, name), getattr(sent.instances, name))
        assert np.array_equal(got.instances.masks.to_dense(), sent.instances.masks.to_dense())
    assert encode(got, publisher=publisher, pseq=pseq, kind="meta") == parts
    assert mistakes("meta", json.loads(parts[1])) == []


STATUSES = st.builds(
    Status,
    stream=STREAMS,
    state=NAMES,
    utc_ns=INT64,
    epoch=st.none() | COUNTS,
    seq=st.none() | COUNTS,
    reconnects=COUNTS,
    fps_in=st.floats(0, 1e6).map(lambda rate: round(rate, 2)),
    age_ms=st.none() | st.just((1.5, 2.25)),
    dropped=st.dictionaries(NAMES, COUNTS, max_size=2),
    totals=st.builds(Totals, COUNTS, COUNTS, st.dictionaries(NAMES, COUNTS, max_size=2)),
    messages=st.dictionaries(NAMES, COUNTS, max_size=3),
    pictures=st.text(),
    streams=st.lists(STREAMS, max_size=3).map(tuple),
    delivery=st.text(),
)


@given(STATUSES, COUNTS, NAMES)
def test_every_status_comes_back(sent: Status, pseq: int, publisher: str) -> None:
    parts = encode_status(sent, publisher=publisher, pseq=pseq)
    assert decode(parts).status == sent
    assert mistakes("status", json.loads(parts[1])) == []


@given(st.builds(Welcome, NAMES, st.text(), st.text()))
def test_every_welcome_comes_back(sent: Welcome) -> None:
    assert decode_welcome(encode_welcome(sent)) == sent


KINDS: st.SearchStrategy[Sequence[FrameKind]] = st.sets(
    st.sampled_from(FRAME_KINDS), min_size=1
).map(lambda some: tuple(kind for kind in FRAME_KINDS if kind in some))
STREAMS_ASKED = st.none() | st.lists(STREAMS, max_size=3).map(tuple)
CREDIT: st.SearchStrategy[DeliveryMode] = st.just("credit")
LOSSLESS: st.SearchStrategy[DeliveryMode] = st.just("lossless")
POSITIONS = st.builds(Position, NAMES, COUNTS)
REQUESTS = (
    st.builds(Hello, CREDIT, KINDS, st.integers(1, 64), STREAMS_ASKED)
    | st.builds(
        Hello, LOSSLESS, KINDS, st.integers(1, 64), STREAMS_ASKED, NAMES, st.none() | POSITIONS
    )
    | st.builds(Ack, COUNTS)
    | st.builds(Ping)
    | st.builds(Bye)
)
ANSWERS = (
    st.builds(Greeting, NAMES, COUNTS)
    | st.builds(Delivery, COUNTS, COUNTS)
    | st.builds(Delivery)
    | st.builds(End, COUNTS)
    | st.builds(Pong)
    | st.builds(Refusal, NAMES, st.text(max_size=300))
)


@given(REQUESTS)
def test_every_request_comes_back(sent: Any) -> None:
    assert decode_request(encode_request(sent)) == sent


@given(ANSWERS)
def test_every_answer_comes_back(sent: Any) -> None:
    assert decode_answer(encode_answer(sent)) == sent


@given(
    st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=60),
    st.integers(0, 65_535),
    st.integers(0, 65_535),
)
@settings(max_examples=300)
def test_runs_that_are_refused_cost_nothing(counts: str, height: int, width: int) -> None:
    tracemalloc.start()
    try:
        decode_counts(counts, height, width, "fuzz")
    except WireError:
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 2**18
    finally:
        tracemalloc.stop()


def heavy(text: str, times: int) -> bytes:
    return (text * times).encode()


@pytest.mark.parametrize("data", [
    heavy("[", 10**6), heavy('{"a":', 10**6), heavy('"', 10**6), heavy("9", 10**6),
    b'{"v":1,"kind":"meta","pseq":' + heavy("9", 10**6) + b"}",
    b'{"v":1,"kind":"' + heavy("x", 10**6) + b'"}', b'{"v":"' + heavy("\\u0000", 10**5) + b'"}',
    b'{"v":1,"kind":"status","publisher":"p","stream":"' + heavy("a", 10**6) + b'"}',
    b"{" + b",".join(b'"%d":1' % i for i in range(10**5)) + b"}",
], ids=range(9))  # fmt: skip
def test_bombs_take_no_time_and_little_memory(data: bytes) -> None:
    begun = time.process_time()
    tracemalloc.start()
    for reader in READERS.values():
        with pytest.raises(WireError) as caught:
            reader(data)
        assert len(str(caught.value)) < 600
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60 * len(data)
    assert time.process_time() - begun < SLOWEST_S


def test_a_picture_of_any_bytes_is_taken_as_it_is_or_refused() -> None:
    for data in (JPEG, b"\xff\xd8", JPEG * 1000):
        topic, header, _ = parts_of(next(v for v in ACCEPTED if v["name"] == "golden image"))
        frame = decode([topic, header, data]).frame
        assert frame is not None
        assert frame.image is not None
        assert frame.image.planes[0].tobytes() == data
