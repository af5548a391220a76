"""What is said on the delivery socket, good and bad. ``tests/vectors.py`` writes it."""

import json
from collections.abc import Iterator

from tests.test_wire import PUBLISHER
from tests.vector_cases import Vector, part

CREDIT: Vector = {"v": 1, "kind": "hello", "mode": "credit", "streams": None, "kinds": ["meta"]}
CREDIT["credit"] = 2
AFTER = {"publisher": PUBLISHER, "number": 811}
LOSSLESS = CREDIT | {"mode": "lossless", "name": "indexer", "streams": ["gate-2"], "after": AFTER}
UNSAID = {"name": "", "after": None}
SUBSCRIBER, PUBLISHERS = "subscriber", "publisher"


def sayings() -> Iterator[Vector]:
    """Requests and answers, and what a reader makes of them."""
    for name, fields, expect in _requests():
        yield _said(name, SUBSCRIBER, fields) | {"expect": expect}
    for name, fields in _answers():
        yield _said(name, PUBLISHERS, fields) | {"expect": _without_version(fields)}
    for name, error, fields in _bad_requests():
        yield _said(name, SUBSCRIBER, fields) | {"error": error}
    for name, error, fields in _bad_answers():
        yield _said(name, PUBLISHERS, fields) | {"error": error}
    yield from _bytes()


def _said(name: str, sender: str, fields: Vector) -> Vector:
    return {"name": name, "from": sender, "part": part(json.dumps(fields).encode())}


def _without_version(fields: Vector) -> Vector:
    return {key: value for key, value in fields.items() if key != "v"}


def _requests() -> Iterator[tuple[str, Vector, Vector]]:
    yield "hello, credit", CREDIT, _without_version(CREDIT) | UNSAID
    yield "hello, lossless", LOSSLESS, _without_version(LOSSLESS)
    first = LOSSLESS | {"after": None}
    yield "hello, lossless, for the first time", first, _without_version(first)
    every = CREDIT | {"kinds": ["meta", "annotated", "image"], "credit": 64}
    yield "hello, every kind", every, _without_version(every) | UNSAID
    extra = CREDIT | {"later": {"x": [1]}, "name": 5, "after": "x"}
    about_credit = _without_version(CREDIT) | UNSAID
    yield "hello, credit, with fields that are not its", extra, about_credit
    short = {key: value for key, value in CREDIT.items() if key != "streams"}
    yield "hello, credit, streams left out", short, about_credit
    for kind, fields in {"ack": {"number": 2**53 - 1}, "ping": {}, "bye": {}}.items():
        yield kind, {"v": 1, "kind": kind, **fields}, {"kind": kind, **fields}


def _answers() -> Iterator[tuple[str, Vector]]:
    said: dict[str, Vector] = {
        "welcome": {"kind": "welcome", "publisher": PUBLISHER, "next": 812},
        "message": {"kind": "message", "number": 812, "skipped": 7},
        "message without a number": {"kind": "message"},
        "end": {"kind": "end", "number": 813},
        "pong": {"kind": "pong"},
        "error": {"kind": "error", "error": "name", "text": 'no "indexr" is expected'},
        "error of a later version": {"kind": "error", "error": "tired", "text": ""},
    }
    for name, fields in said.items():
        yield name, {"v": 1, **fields}


def _bad_requests() -> Iterator[tuple[str, str, Vector]]:
    for name in ("mode", "kinds", "credit"):
        yield f"hello without {name}", "Truncated", {k: v for k, v in CREDIT.items() if k != name}
    nameless = {k: v for k, v in LOSSLESS.items() if k != "name"}
    yield "hello, lossless, without a name", "Truncated", nameless
    changes: dict[str, Vector] = {
        "of an unknown mode": {"mode": "gift"},
        "for no kind": {"kinds": []},
        "for statuses": {"kinds": ["status"]},
        "for four kinds": {"kinds": ["meta", "meta", "meta", "meta"]},
        "with no credit": {"credit": 0},
        "with too much credit": {"credit": 65},
        "with credit as text": {"credit": "2"},
        "for 101 streams": {"streams": [str(i) for i in range(101)]},
        "for a stream with a slash": {"streams": ["a/b"]},
        "for a stream that is none": {"streams": [5]},
        "with streams as text": {"streams": "gate-2"},
    }
    for name, change in changes.items():
        yield f"hello {name}", "WireError", CREDIT | change
    yield "hello, lossless, name empty", "WireError", LOSSLESS | {"name": ""}
    yield "hello, lossless, name too long", "WireError", LOSSLESS | {"name": "x" * 65}
    yield "hello, lossless, after a number", "WireError", LOSSLESS | {"after": 811}
    yield (
        "hello, lossless, after below zero",
        "WireError",
        LOSSLESS | {"after": AFTER | {"number": -1}},
    )
    yield "hello of version 2", "UnsupportedVersion", CREDIT | {"v": 2}
    yield "ack without a number", "Truncated", {"v": 1, "kind": "ack"}
    yield "ack of 54 bits", "WireError", {"v": 1, "kind": "ack", "number": 2**53}
    yield "a request of unknown kind", "WireError", {"v": 1, "kind": "steal"}
    yield "an answer as a request", "WireError", {"v": 1, "kind": "pong"}


def _bad_answers() -> Iterator[tuple[str, str, Vector]]:
    yield "welcome without next", "Truncated", {"v": 1, "kind": "welcome", "publisher": PUBLISHER}
    yield "message without skipped", "Truncated", {"v": 1, "kind": "message", "number": 1}
    yield "message below zero", "WireError", {"v": 1, "kind": "message", "number": -1, "skipped": 0}
    yield "end without a number", "Truncated", {"v": 1, "kind": "end"}
    yield "error without a text", "Truncated", {"v": 1, "kind": "error", "error": "full"}
    yield "an answer of unknown kind", "WireError", {"v": 1, "kind": "song"}
    yield "a request as an answer", "WireError", {"v": 1, "kind": "ping"}


def _bytes() -> Iterator[Vector]:
    """What is no JSON at all, from either side."""
    for name, data, times in (
        ("nothing", b"", 1),
        ("too long", b" ", 4_097),
        ("deep", b"[", 4_000),
        ("not ASCII", '{"v":1,"kind":"ping","é":1}'.encode(), 1),
        ("two lines", b'{"v":1,\n"kind":"ping"}', 1),
        ("not a number", b'{"v":1,"kind":"ack","number":NaN}', 1),
    ):
        for sender in (SUBSCRIBER, PUBLISHERS):
            said = {"name": f"{name}, from the {sender}", "from": sender, "part": part(data, times)}
            yield said | {"error": "WireError"}
