"""Messages that a client must understand, and what they mean. ``tests/vectors.py`` writes them.

What is expected is computed from the frames that are sent, never from our own decoder.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame, Instances, Model, TrackState
from pipeline.masks import RLE, Masks
from pipeline.masks import encode as encode_mask
from pipeline.wire import FrameKind, Welcome, encode, encode_status, encode_welcome
from tests.station import ellipse, frame, picture
from tests.test_wire import JPEG, PUBLISHER, STATUS, golden_frame

Bits = NDArray[np.bool_]
Vector = dict[str, Any]
TOPIC = b"v1/gate-2/meta/"
SHAPES = {
    "a pixel": ["#"],
    "a ring": ["###", "#.#", "###"],
    "an island in a hole": ["#####", "#...#", "#.#.#", "#...#", "#####"],
    "two pieces that touch at a corner": [".##", ".##", "#.."],
    "a hole that is open at a corner": ["###", "#.#", "##."],
    "two holes that touch at a corner": ["####", "#.##", "##.#", "####"],
    "stripes": ["#.#.#.#", "#.#.#.#"],
    "a chessboard": ["#.#.", ".#.#", "#.#.", ".#.#"],
}


def part(data: bytes, times: int = 1) -> object:
    """A part of a message as a vector has it."""
    text = base64.b64encode(data).decode("ascii")
    return text if times == 1 else {"base64": text, "times": times}


def accepted(name: str, about: str, parts: list[bytes], expect: Vector) -> Vector:
    return {"name": name, "about": about, "parts": [part(p) for p in parts], "expect": expect}


def header(**changes: object) -> Vector:
    """The golden record's fields, changed."""
    fields: Vector = json.loads(
        encode(golden_frame(), publisher=PUBLISHER, pseq=640, kind="meta")[1]
    )
    return fields | changes


def expected(sent: Frame, pseq: int, kind: FrameKind = "meta") -> Vector:
    """What a frame's message says."""
    shown = {"annotated": sent.canvas, "image": sent.image}.get(kind)
    whole: Vector = {
        "kind": kind,
        "publisher": PUBLISHER,
        "stream": sent.stream,
        "epoch": sent.epoch,
        "seq": sent.seq,
        "pseq": pseq,
        "dropped": dict(sent.dropped),
        "pts": None if sent.pts is None else str(sent.pts),
        "time_base": [sent.time_base.numerator, sent.time_base.denominator],
        "captured_utc_ns": str(sent.captured_utc_ns),
        "clock": sent.clock,
        "stages_ms": dict(sent.stages_ms),
        "model": None if sent.model is None else [sent.model.name, sent.model.weights],
        "ended": list(sent.ended),
        "instances": None if sent.instances is None else _instances(sent),
    }
    if shown is not None:
        whole["picture"] = {"width": shown.width, "height": shown.height, "bytes": len(JPEG)}
    return whole


def mask_facts(masks: Masks, index: int) -> Vector:
    """All that a client makes of a mask: at the picture's size, as COCO's RLE, as polygons."""
    dense = masks.dense(index)
    x0, y0, x1, y1 = masks.boxes[index].astype(int).tolist()
    return {
        "size": [masks.height, masks.width],
        "pixels": int(dense.sum()),
        "box": [x0, y0, x1 - x0, y1 - y0],
        "sha256": hashlib.sha256(dense.tobytes()).hexdigest(),
        "counts": _text(masks.to_coco(index)),
        "polygons": [
            [ring.tolist() for ring in (outer, *holes)] for outer, holes in masks.polygons(index)
        ],
    }


def _text(rle: RLE) -> str:
    counts = rle["counts"]
    return counts if isinstance(counts, str) else counts.decode("ascii")


def messages() -> Iterator[Vector]:
    """All messages that must be understood."""
    yield from _golden()
    yield from _frames()
    yield from _masks()
    yield from _unknown()
    yield from _spellings()


def _instances(sent: Frame) -> list[Vector]:
    found = sent.instances
    assert found is not None
    names = () if sent.model is None else sent.model.classes
    boxes = found.boxes.astype(float).tolist()
    return [
        {
            "track": None if found.track_ids[i] < 0 else int(found.track_ids[i]),
            "state": TrackState(found.states[i]).name.lower(),
            "class": int(found.classes[i]),
            "label": names[found.classes[i]] if found.classes[i] < len(names) else None,
            "score": round(float(found.scores[i]), 4),
            "box": [x0, y0, x1 - x0, y1 - y0],
            "mask": mask_facts(found.masks, i),
        }
        for i, (x0, y0, x1, y1) in enumerate(boxes)
    ]


def _golden() -> Iterator[Vector]:
    sent = golden_frame()
    kinds: tuple[FrameKind, ...] = ("meta", "annotated", "image")
    for kind in kinds:
        jpeg = None if kind == "meta" else JPEG
        parts = encode(sent, publisher=PUBLISHER, pseq=640, kind=kind, picture=jpeg)
        yield accepted(f"golden {kind}", f"{kind}.json", parts, expected(sent, 640, kind))
    status = encode_status(STATUS, publisher=PUBLISHER, pseq=17)
    yield accepted("golden status", "status.json", status, _status(json.loads(status[1])))
    said = Welcome(PUBLISHER, "tcp://127.0.0.1:5556", "tcp://127.0.0.1:5557")
    fields = {"kind": "welcome", **vars(said)}
    yield accepted("golden welcome", "welcome.txt", [encode_welcome(said)], fields)


def _status(fields: Vector) -> Vector:
    """A status is read as it is; 64-bit numbers as text, the model with its class names."""
    model = fields.pop("model")
    classes = fields.pop("classes")
    fields.pop("v")
    fields["utc_ns"] = str(fields["utc_ns"])
    model = model and [model["name"], model["weights"], classes]
    return fields | {"model": model, "security": fields.get("security", "")}


def _sent(name: str, about: str, sent: Frame) -> Vector:
    parts = encode(sent, publisher=PUBLISHER, pseq=640, kind="meta")
    return accepted(name, about, parts, expected(sent, 640))


def _frames() -> Iterator[Vector]:
    sent = golden_frame()
    bare = replace(sent, instances=None, model=None, pts=None, image=None, canvas=None, ended=())
    yield _sent("not segmented", "what a frame lacks is null", bare)
    nothing = replace(sent, instances=Instances.none(48, 64), dropped={}, stages_ms={})
    yield _sent("nothing seen", "an empty array is a result", nothing)
    yield _sent("no class names", "labels are null", replace(sent, model=Model("n", "w", ())))
    names = ('a\\b"c', "línea\n2", "\U0001f6b2")
    yield _sent("odd class names", "escapes of JSON", replace(sent, model=Model("n", "w", names)))
    largest = 2**53 - 1
    far = replace(sent, seq=largest, epoch=largest, pts=2**63 - 1, captured_utc_ns=2**63 - 1)
    yield _sent("largest numbers", "counters end at 2^53 - 1, times at 2^63 - 1", far)
    past = replace(sent, pts=-(2**63), captured_utc_ns=-1, time_base=Fraction(1001, 30000))
    yield _sent("times before zero", "a clock that is not set", past)
    for name in ("straße 7", "\U0001f6b2", "x" * 255, "é" * 127, "a b", '"', "v1"):
        yield _sent(f"stream {name[:20]}", "names of streams", replace(sent, stream=name))
    wide = replace(picture(), sample_aspect=Fraction(64, 45))
    yield _sent("pixels not square", "image.sar", replace(sent, image=wide))


def _masks() -> Iterator[Vector]:
    for name, rows in SHAPES.items():
        crop = np.array([[mark == "#" for mark in row] for row in rows], np.bool_)
        for about, x, y in (("inside", 5, 3), ("in the last corner", 64, 48)):
            at = (min(x, 64 - crop.shape[1]), min(y, 48 - crop.shape[0]), crop)
            yield _sent(f"mask: {name}, {about}", "one mask", _with(48, 64, [at]))
    noise = np.random.default_rng(11).random((3, 21, 34)) < [[[0.2]], [[0.5]], [[0.9]]]
    yield _sent("mask: noise", "three at one place", _with(48, 64, [(1, 2, n) for n in noise]))
    all_of_it = np.ones((48, 64), np.bool_)
    yield _sent("mask: the whole picture", "the first run is 0", _with(48, 64, [(0, 0, all_of_it)]))
    large = ellipse(900, 700)
    yield _sent("mask: large", "numbers of many groups", _with(1080, 1920, [(40, 90, large)]))
    line = np.ones((1, 1920), np.bool_)
    yield _sent(
        "mask: a row", "", _with(1080, 1920, [(0, 7, line), (3, 1, line[:, :1080].T[:900])])
    )
    yield from _loose_crop()


def _loose_crop() -> Iterator[Vector]:
    """Our publisher sends tight crops; a recording that a tool has edited may not."""
    fields = header()
    dense = np.zeros((48, 64), np.bool_)
    dense[7, 6] = True
    crop = np.zeros((5, 6), np.bool_)
    crop[2, 1] = True
    counts = _text(encode_mask(crop))
    fields["instances"][0] |= {"mask": {"origin": [5, 5], "size": [5, 6], "counts": counts}}
    expect = expected(golden_frame(), 640)
    expect["instances"][0]["mask"] = mask_facts(Masks.from_dense(dense[None]), 0)
    parts = [TOPIC, json.dumps(fields).encode()]
    yield accepted("mask: a crop that is not tight", "the mask counts, not the crop", parts, expect)


def _with(height: int, width: int, crops: list[tuple[int, int, Bits]]) -> Frame:
    masks = Masks.from_crops(height, width, crops)
    found = Instances.detected(
        masks, np.full(len(crops), 0.5, np.float32), np.zeros(len(crops), np.int32)
    )
    return frame(812, epoch=3, image=picture(height, width), canvas=None, instances=found)


def _unknown() -> Iterator[Vector]:
    """What later versions of v1 may add."""
    plain = expected(golden_frame(), 640)
    fields = header(later={"a": [1, None, {"b": 1e300}]})
    fields["time"]["later"] = fields["image"]["later"] = fields["model"]["later"] = True
    fields["instances"][0]["depth_m"] = fields["instances"][0]["mask"]["later"] = 2.5
    parts = [TOPIC, json.dumps(fields).encode()]
    yield accepted("unknown fields", "are ignored, everywhere", parts, plain)
    yield accepted("unknown parts", "are ignored", [*parts, b"\x00\xff", b""], plain)
    reasons = header(dropped={"eaten by a goose": 3})
    yield accepted(
        "unknown drop reason",
        "is counted like the others",
        [TOPIC, json.dumps(reasons).encode()],
        plain | {"dropped": {"eaten by a goose": 3}},
    )
    status = replace(STATUS, state="meditating", messages={"meta": 3, "hologram": 4})
    sent = encode_status(status, publisher=PUBLISHER, pseq=17)
    yield accepted("unknown state and kind", "", sent, _status(json.loads(sent[1])))
    waiting = encode_status(
        replace(STATUS, epoch=None, seq=None, age_ms=None, model=None), publisher=PUBLISHER, pseq=0
    )
    yield accepted("status before frames", "null", waiting, _status(json.loads(waiting[1])))

    for word in ("curve", "a moat"):
        locked = encode_status(replace(STATUS, security=word), publisher=PUBLISHER, pseq=17)
        about = "security: curve, local, insecure, and whatever comes later"
        yield accepted(f"status, locked by {word}", about, locked, _status(json.loads(locked[1])))

    old = json.loads(sent[1])
    for name in ("delivery", "lossless", "security"):
        old.pop(name, None)
    expect = _status(dict(old)) | {"delivery": "", "lossless": [], "security": ""}
    parts = [sent[0], json.dumps(old).encode()]
    yield accepted("status without what was added later", "", parts, expect)
    welcome = {"v": 1, "kind": "welcome", "publisher": PUBLISHER, "pictures": "ipc:///x"}
    part_of_it = b"welcome/v1/" + json.dumps(welcome).encode()
    said = {"kind": "welcome", "publisher": PUBLISHER, "pictures": "ipc:///x", "delivery": ""}
    yield accepted("welcome without what was added later", "", [part_of_it], said)


def _spellings() -> Iterator[Vector]:
    """JSON that says the same in other bytes: do not match bytes."""
    plain = expected(golden_frame(), 640)
    fields = header()
    backwards = json.dumps(dict(reversed(fields.items())), indent=None, separators=(" ,\t", " : "))
    yield accepted("other order and spaces", "", [TOPIC, backwards.encode()], plain)
    escaped = json.dumps(fields).replace("person", "\\u0070erson").replace('"kind"', '"k\\u0069nd"')
    yield accepted("escaped letters", "", [TOPIC, escaped.encode()], plain)
    twice = json.dumps(fields).replace('"seq": 812', '"seq": 5, "seq": 812')
    yield accepted("a name that comes twice", "the last one counts", [TOPIC, twice.encode()], plain)
    number = json.dumps(fields).replace("0.93", "930e-3").replace('"score": 0.5', '"score": 5E-1')
    yield accepted("numbers with exponents", "", [TOPIC, number.encode()], plain)
