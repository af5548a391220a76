"""Messages that a client must refuse with one clear error. ``tests/vectors.py`` writes them."""

import json
from collections.abc import Iterator
from typing import Any

from pipeline.wire import encode, encode_status
from tests.test_wire import JPEG, PUBLISHER, STATUS, golden_frame
from tests.vector_cases import TOPIC, Vector, header, part

DEEP = 100_000
FIELDS: list[list[str | int]] = [
    ["v"], ["kind"], ["publisher"], ["stream"], ["epoch"], ["seq"], ["pseq"], ["dropped"], ["time"],
    ["image"], ["model"], ["instances"], ["ended"], ["time", "pts"], ["time", "time_base"],
    ["time", "media_s"], ["time", "captured_utc_ns"], ["time", "clock"], ["time", "stages_ms"],
    ["image", "width"], ["image", "height"], ["model", "name"], ["model", "weights"],
    *([["instances", 0, name] for name in (
        "track", "state", "class", "label", "score", "box", "area", "mask")]),
    *([["instances", 0, "mask", name] for name in ("origin", "size", "counts")]),
]  # fmt: skip
STATUS_FIELDS: list[list[str | int]] = [
    ["utc_ns"], ["state"], ["epoch"], ["seq"], ["reconnects"], ["fps"], ["dropped"], ["totals"],
    ["messages"], ["pictures"], ["streams"], ["fps", "in"], ["totals", "captured"],
    ["totals", "dropped"], ["age_ms"], ["age_ms", "p95"], ["model"], ["model", "name"], ["classes"],
]  # fmt: skip


def refused(name: str, error: str, parts: list[object]) -> Vector:
    return {"name": name, "parts": parts, "error": error}


def messages() -> Iterator[Vector]:
    """All messages that must be refused."""
    yield from _parts()
    yield from _headers()
    yield from _fields("meta", json.dumps(header()), TOPIC, FIELDS)
    topic, status = encode_status(STATUS, publisher=PUBLISHER, pseq=17)
    yield from _fields("status", status.decode(), topic, STATUS_FIELDS)
    for name in ("delivery", "lossless", "security"):
        fields = json.loads(status) | {name: None}
        yield _json(f"status.{name} is null", "WireError", fields, topic)
    for name, changes in _values().items():
        yield _changed(name, "WireError", **changes)
    for name, mask in _masks().items():
        fields = header()
        fields["instances"][0]["mask"] |= mask
        yield _json(f"mask: {name}", "WireError", fields)
    yield from _welcomes()


def _json(name: str, error: str, fields: Vector, topic: bytes = TOPIC) -> Vector:
    return refused(name, error, [part(topic), part(json.dumps(fields).encode())])


def _changed(name: str, error: str, **changes: object) -> Vector:
    return _json(name, error, header(**changes))


def _parts() -> Iterator[Vector]:
    meta = encode(golden_frame(), publisher=PUBLISHER, pseq=640, kind="meta")
    image = encode(golden_frame(), publisher=PUBLISHER, pseq=1, kind="image", picture=JPEG)
    yield refused("no parts", "Truncated", [])
    yield refused("a topic alone", "Truncated", [part(TOPIC)])
    yield refused("a picture is missing", "Truncated", [part(p) for p in image[:2]])
    yield refused("a picture is none", "WireError", [*map(part, image[:2]), part(b"GIF89a")])
    yield refused("a picture is empty", "WireError", [*map(part, image[:2]), part(b"")])
    topics = {
        "of another stream": b"v1/gate-3/meta/",
        "of another kind": b"v1/gate-2/status/",
        "without its slash": b"v1/gate-2/meta",
        "with more behind it": b"v1/gate-2/meta/x",
        "of version 2": b"v2/gate-2/meta/",
        "empty": b"",
        "not UTF-8": b"v1/\xff\xfe/meta/",
        "with a null": b"v1/gate-2\x00/meta/",
        "in another case": b"V1/gate-2/meta/",
        "very long": b"v1/" + b"x" * 5000 + b"/meta/",
    }
    for name, topic in topics.items():
        yield refused(f"topic {name}", "WireError", [part(topic), part(meta[1])])


def _headers() -> Iterator[Vector]:
    good = json.dumps(header())
    texts: dict[str, bytes] = {
        "empty": b"",
        "an array": b"[]",
        "null": b"null",
        "cut off": good[:-1].encode(),
        "with more behind it": good.encode() + b"}",
        "in two lines": good.replace(", ", ",\n", 1).encode(),
        "with a carriage return": good.replace(", ", ",\r", 1).encode(),
        "in UTF-8": good.replace("person", "größe").encode(),
        "not UTF-8": good.encode().replace(b"person", b"\xff\xfe\x80"),
        "in UTF-16": good.encode("utf-16"),
        "with a byte order mark": b"\xef\xbb\xbf" + good.encode(),
        "with NaN": good.replace("0.93", "NaN").encode(),
        "with Infinity": good.replace("0.93", "Infinity").encode(),
        "with -Infinity in an unknown field": b'{"x": -Infinity, ' + good[1:].encode(),
        "with a comment": good.encode() + b"// hello",
        "with a comma too many": good[:-1].encode() + b",}",
        "with single quotes": good.replace('"', "'").encode(),
        "with a number from 0": good.replace("812", "0812").encode(),
        "with a bare control character": good.replace("person", "per\x01son").encode(),
        "with a null behind it": good.encode() + b"\x00",
    }
    for name, text in texts.items():
        yield refused(f"header {name}", "WireError", [part(TOPIC), part(text)])
    bombs = {"deep arrays": b"[", "deep objects": b'{"v":', "spaces": b" "}
    for name, piece in bombs.items():
        times = 16 * 2**20 + 1 if piece == b" " else DEEP
        yield refused(f"bomb: {name}", "WireError", [part(TOPIC), part(piece, times)])
    nested = b'{"v":' + b"[" * 5000 + b"]" * 5000 + b"}"
    yield refused("bomb: deep version", "WireError", [part(TOPIC), part(nested)])


def _fields(kind: str, text: str, topic: bytes, paths: list[list[str | int]]) -> Iterator[Vector]:
    """Each field missing, and of a type that no field has in its place."""
    for path in paths:
        name = f"{kind}.{'.'.join(str(step) for step in path)}"
        fields, place = _at(text, path)
        del place[path[-1]]
        yield _json(f"{name} is missing", "Truncated", fields, topic)
        fields, place = _at(text, path)
        place[path[-1]] = True
        error = "UnsupportedVersion" if path == ["v"] else "WireError"
        yield _json(f"{name} is true", error, fields, topic)


def _at(text: str, path: list[str | int]) -> tuple[Vector, Any]:
    fields: Vector = json.loads(text)
    place: Any = fields
    for step in path[:-1]:
        place = place[step]
    return fields, place


def _values() -> dict[str, Vector]:
    """Changes of the header that no publisher makes."""
    one, time = header()["instances"][0], header()["time"]
    values: dict[str, Vector] = {
        "unknown kind": {"kind": "hologram"},
        "kind in another case": {"kind": "Meta"},
        "a record that says it is a picture": {"kind": "annotated"},
        "seq below zero": {"seq": -1},
        "seq of 54 bits": {"seq": 2**53},
        "seq with a fraction": {"seq": 1.5},
        "seq as text": {"seq": "812"},
        "pseq of 4001 digits": {"pseq": 10**4000},
        "epoch null": {"epoch": None},
        "pts of 65 bits": {"time": time | {"pts": 2**63 + 2**12}},
        "time_base of three": {"time": time | {"time_base": [1, 2, 3]}},
        "time_base with zero": {"time": time | {"time_base": [1, 0]}},
        "unknown clock": {"time": time | {"clock": "sundial"}},
        "a stage that takes text": {"time": time | {"stages_ms": {"decode": "2"}}},
        "publisher empty": {"publisher": ""},
        "publisher of 65 characters": {"publisher": "x" * 65},
        "publisher with a control character": {"publisher": "a\u001b[2J"},
        "drops below zero": {"dropped": {"stale": -1}},
        "a reason with a control character": {"dropped": {"\u001b[2J": 1}},
        "a reason of 65 characters": {"dropped": {"x" * 65: 1}},
        "a reason without a name": {"dropped": {"": 1}},
        "101 reasons": {"dropped": {f"reason-{n}": 1 for n in range(101)}},
        "ended with text": {"ended": ["7"]},
        "picture too wide": {"image": {"width": 65_536, "height": 48}},
        "picture without height": {"image": {"width": 64, "height": 0}},
        "instances without a picture's size": {"image": None},
        "a size that is none, of nothing": {"image": [], "instances": None},
        "pixels of no shape": {"image": {"width": 64, "height": 48, "sar": None}},
        "instances that are none": {"instances": [1]},
        "too many instances": {"instances": [{}] * 10_001},
        "unknown track state": {"instances": [one | {"state": "lost"}]},
        "track below zero": {"instances": [one | {"track": -1}]},
        "class of 17 bits": {"instances": [one | {"class": 65_536}]},
        "box of three": {"instances": [one | {"box": [1, 2, 3]}]},
        "score beyond all doubles": {"instances": [one | {"score": 1e300}]},
        "area below zero": {"instances": [one | {"area": -1}]},
    }
    for name, stream in {
        "empty": "", "with a slash": "a/b", "with a line": "a\nb", "of 256 bytes": "é" * 128,
        "a half surrogate": "\ud83d", "with a no-break space": "a\u00a0b",
        "with a direction mark": "a\u202eb",
    }.items():  # fmt: skip
        values[f"stream {name}"] = {"stream": stream}
    return values


def _masks() -> dict[str, Vector]:
    """What the first instance's mask (11 x 17 px at (3, 5) of 64 x 48) must not be."""
    return {
        "runs too short": {"counts": "0h0"},
        "runs too long": {"size": [16, 11]},
        "no runs": {"counts": ""},
        "a number cut off": {"counts": "5784L4N0OT10lN102L4LP"},
        "only a cut number": {"counts": "P"},
        "a number of seven groups": {"counts": "PPPPPP0"},
        "a number without end": {"counts": "o" * 5_000 + "0"},
        "many runs of zero": {"counts": "0" * 5_000},
        "a run below zero": {"size": [2, 2], "counts": "5O"},
        "a character before 0": {"counts": "/784"},
        "a character after o": {"counts": "p784"},
        "spaces": {"counts": "5 7"},
        "not ASCII": {"counts": "é"},
        "a list of runs": {"counts": [5, 182]},
        "sticking out to the right": {"origin": [54, 5]},
        "sticking out below": {"origin": [3, 32]},
        "above the picture": {"origin": [3, -1]},
        "origin with a fraction": {"origin": [3.5, 5]},
        "origin of three": {"origin": [3, 5, 1]},
        "larger than the picture": {"origin": [0, 0], "size": [49, 64]},
        "a bomb": {"origin": [0, 0], "size": [65_535, 65_535], "counts": "1"},
        "size of one": {"size": [17]},
        "size null": {"size": None},
    }


def _welcomes() -> Iterator[Vector]:
    start = b"welcome/v1/"
    good: Vector = {"v": 1, "kind": "welcome", "publisher": PUBLISHER, "pictures": "ipc:///x"}
    cases: dict[str, tuple[str, Vector]] = {
        "of version 2": ("UnsupportedVersion", good | {"v": 2}),
        "of another kind": ("WireError", good | {"kind": "meta"}),
        "whose pictures are a number": ("WireError", good | {"pictures": 5}),
        "without a publisher": ("Truncated", {"v": 1, "kind": "welcome", "pictures": ""}),
    }
    for name, (error, fields) in cases.items():
        yield refused(f"welcome {name}", error, [part(start + json.dumps(fields).encode())])
    yield refused("welcome of nothing", "WireError", [part(start)])
    for version in (2, "1", None):
        yield _changed(f"version {version}", "UnsupportedVersion", v=version)
