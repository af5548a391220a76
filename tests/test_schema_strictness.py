"""A decoder may be stricter than the schema, never laxer: tried field by field."""

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import reduce
from operator import getitem
from typing import Any

import pytest

from pipeline.errors import WireError
from pipeline.wire import decode
from tests.schemas import mistakes
from tests.test_fuzz import MESSAGES

Path = tuple[Any, ...]

STRANGE: tuple[object, ...] = (None, True, -1, 1.5, 2**70, "", "\0", "x" * 300, [], {})


@pytest.mark.parametrize("parts", MESSAGES, ids=lambda parts: f"{len(parts[1])} bytes")
def test_what_is_taken_with_a_strange_or_missing_field_is_of_its_schema(parts: list[bytes]) -> None:
    topic, header, *more = parts
    for text in spoiled(header):
        with suppress(WireError):
            message = decode([topic, text, *more])
            assert mistakes(message.kind, json.loads(text)) == []


def spoiled(header: bytes) -> Iterator[bytes]:
    """The header with each field and item left out, and with each replaced by something strange."""
    for *way, last in paths(json.loads(header)):
        changed = json.loads(header)
        place = reduce(getitem, way, changed)
        for value in STRANGE:
            place[last] = value
            yield json.dumps(changed).encode()
        del place[last]
        yield json.dumps(changed).encode()


def paths(value: Any, before: Path = ()) -> Iterator[Path]:
    """The path of every field and item in a JSON value."""
    if not isinstance(value, dict | list):
        return
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*before, key)
        yield from paths(inner, (*before, key))
