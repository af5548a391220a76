"""What strangers may send: anything, and it is a message or a WireError."""

import json
import random
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from pipeline.errors import Truncated, UnsupportedVersion, WireError
from pipeline.wire import decode, encode, encode_header, encode_status
from tests.test_wire import JPEG, PUBLISHER, STATUS, golden_frame

Header = dict[str, Any]


def header(**changes: object) -> Header:
    whole: Header = json.loads(encode_header(golden_frame(), publisher=PUBLISHER, pseq=640))
    return whole | changes


def parts_of(fields: Header, *more: bytes) -> list[bytes]:
    return [b"v1/gate-2/meta/", json.dumps(fields).encode(), *more]


def with_mask(**changes: object) -> Header:
    """A header whose first instance has another mask."""
    fields = header()
    fields["instances"][0]["mask"] |= changes
    return fields


def test_unknown_fields_and_parts_are_ignored() -> None:
    fields = header(new={"a": [1]})
    fields["time"]["later"] = None
    fields["instances"][0]["depth"] = 3.5
    message = decode(parts_of(fields, b"another part"))
    assert message.frame is not None
    assert json.loads(message.header)["new"] == {"a": [1]}


@pytest.mark.parametrize("version", [2, "1", None, 1.0, True, [1]])
def test_another_version_is_named(version: object) -> None:
    with pytest.raises(UnsupportedVersion, match="wanted protocol version 1"):
        decode(parts_of(header(v=version)))


@pytest.mark.parametrize("path", [
    ["v"], ["kind"], ["publisher"], ["stream"], ["epoch"], ["seq"], ["pseq"], ["dropped"], ["time"],
    ["image"], ["model"], ["instances"], ["ended"], ["time", "pts"], ["time", "time_base"],
    ["time", "captured_utc_ns"], ["time", "clock"], ["time", "stages_ms"], ["image", "width"],
    ["model", "name"], ["instances", 0, "track"], ["instances", 0, "state"],
    ["instances", 0, "class"], ["instances", 0, "score"], ["instances", 0, "box"],
    ["instances", 0, "mask"], ["instances", 0, "mask", "origin"],
    ["instances", 0, "mask", "size"], ["instances", 0, "mask", "counts"],
])  # fmt: skip
def test_each_field_is_needed_and_typed(path: list[str | int]) -> None:
    for value, error in ((None, Truncated), (True, WireError), ({"x": {}}, WireError)):
        fields = header()
        place: Any = fields
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        with pytest.raises(error) as caught:
            decode(parts_of(fields))
        if len(path) > 1:
            assert str(path[-1]) in str(caught.value)


def test_what_a_stranger_wrote_does_not_reach_the_terminal_as_it_is() -> None:
    evil = "\x1b[2J\n" + "x" * 1000
    time = header()["time"] | {"clock": evil}
    for fields in (header(kind=evil), header(stream=evil), header(time=time), header(seq=evil)):
        with pytest.raises(WireError) as caught:
            decode(parts_of(fields))
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


def test_missing_parts_are_named() -> None:
    whole = encode(golden_frame(), publisher="p", pseq=0, kind="image", picture=JPEG)
    for count in (0, 1, 2):
        with pytest.raises(Truncated):
            decode(whole[:count])
    with pytest.raises(WireError, match="JPEG"):
        decode([*whole[:2], b"GIF89a"])
    with pytest.raises(WireError, match="topic"):
        decode([b"v1/other/image/", *whole[1:]])


WRONG: list[Callable[[], Header]] = [
    lambda: header(kind="event"),
    lambda: header(stream="a/b"),
    lambda: header(seq=-1),
    lambda: header(seq=2**63),
    lambda: header(pseq=10**4000),
    lambda: header(dropped={"stale": -1}),
    lambda: header(dropped={"stale": "1"}),
    lambda: header(dropped={"\x1b[2J": 1}),
    lambda: header(dropped={"x" * 65: 1}),
    lambda: header(image=None),
    lambda: header(image={"width": 0, "height": 48}),
    lambda: header(image={"width": 32, "height": 48}),
    lambda: header(image={"width": 64, "height": 10**9}),
    lambda: header(instances=[1]),
    lambda: header(instances=[{}] * 10_001),
    lambda: header(instances=[header()["instances"][0] | {"class": 2**40}]),
    lambda: header(instances=[header()["instances"][0] | {"score": 1e300}]),
    lambda: header(instances=[header()["instances"][0] | {"box": [1, 2, 3]}]),
    lambda: header(instances=[header()["instances"][0] | {"state": "lost"}]),
    lambda: header(time=header()["time"] | {"clock": "sundial"}),
    lambda: header(time=header()["time"] | {"time_base": [1, 0]}),
    lambda: with_mask(size=[17, 65_535]),
    lambda: with_mask(size=[65_535, 65_535], origin=[0, 0]),
    lambda: with_mask(origin=[-1, 5]),
    lambda: with_mask(origin=[60, 5]),
    lambda: with_mask(counts=""),
    lambda: with_mask(counts="not a mask"),
    lambda: with_mask(counts="é"),
    lambda: with_mask(counts="P"),
    lambda: with_mask(counts="oooooooooooooooo0"),
    lambda: with_mask(counts="0" * 100_000),
    lambda: with_mask(counts="k5O"),
    lambda: with_mask(counts=7),
]


@pytest.mark.parametrize("wrong", range(len(WRONG)))
def test_impossible_values_are_errors(wrong: int) -> None:
    with pytest.raises(WireError):
        decode(parts_of(WRONG[wrong]()))


NO_HEADERS = [
    b"",
    b"[]",
    b"{",
    b"\xff\xfe",
    b"NaN",
    b'{"v": Infinity}',
    b"[" * 100_000,
    b'{"v":' * 50_000,
    b" " * 17_000_000,
    b'{"v":\n1}',
    b'{"v":1, "kind":"\xc3\xa9"}',
    b'{"v":' + b"[" * 900 + b"]" * 900 + b"}",
]


@pytest.mark.parametrize("text", NO_HEADERS, ids=range(len(NO_HEADERS)))
def test_what_is_no_json_object_is_an_error(text: bytes) -> None:
    with pytest.raises(WireError):
        decode([b"v1/gate-2/meta/", text])


def test_a_short_message_cannot_ask_for_much_memory() -> None:
    instance = header()["instances"][0]
    instance["mask"] = {"origin": [0, 0], "size": [16_384, 16_384], "counts": "1"}
    large = header(image={"width": 65_535, "height": 65_535}, instances=[instance])
    many = header(image=large["image"], instances=[instance] * 10_000)
    bombs = [parts_of(large), parts_of(many)]
    tracemalloc.start()
    for bomb in bombs:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        with pytest.raises(WireError):
            decode(bomb)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < 20 * len(bomb[1]) + 2**20
    tracemalloc.stop()


def test_damaged_bytes_never_raise_anything_else() -> None:
    chance = random.Random(4)
    whole = encode(golden_frame(), publisher=PUBLISHER, pseq=640, kind="image", picture=JPEG)
    status = encode_status(STATUS, publisher=PUBLISHER, pseq=17)
    for _ in range(3_000):
        parts = [bytearray(part) for part in chance.choice([whole, status])]
        part = chance.choice(parts)
        for _ in range(chance.randint(1, 4)):
            part[chance.randrange(len(part))] = chance.choice(b'0123456789-+.eE"{}[],:nulo\x00\xff')
        del part[chance.randint(1, 2 * len(part)) :]
        with suppress(WireError):
            decode([bytes(part) for part in parts])
