"""The conformance vectors of ``tests/data/wire`` are current, and our own client passes them."""

import base64
import hashlib
from typing import Any

import numpy as np
import pytest

from pipeline import errors
from pipeline.client import Subscriber
from pipeline.frame import Frame, TrackState
from pipeline.masks import Masks, decode
from pipeline.polygons import Polygon, filled
from pipeline.wire import FRAME_KINDS, WELCOME, Message, Status, decode_welcome
from pipeline.wire import decode as decode_message
from pipeline.wire.delivery import (
    Delivery,
    Greeting,
    Hello,
    Refusal,
    decode_answer,
    decode_request,
)
from tests import vectors
from tests.station import Puppet
from tests.vector_cases import Vector

ACCEPTED = vectors.read("accepted.jsonl")
REFUSED = vectors.read("refused.jsonl")
SAYINGS = vectors.read("delivery.jsonl")
ANSWERS: dict[type, str] = {Greeting: "welcome", Delivery: "message", Refusal: "error"}


def parts_of(vector: Vector) -> list[bytes]:
    return [part_of(each) for each in vector["parts"]]


def part_of(written: Any) -> bytes:
    if isinstance(written, str):
        return base64.b64decode(written)
    return base64.b64decode(written["base64"]) * int(written["times"])


def understand_saying(sender: str, said: bytes) -> Vector:
    """A request or an answer of the delivery socket, in the words of the vectors."""
    if sender == "subscriber":
        request = decode_request(said)
        fields = dict(vars(request))
        if isinstance(request, Hello):
            fields["kinds"] = list(request.kinds)
            fields["streams"] = None if request.streams is None else list(request.streams)
            fields["after"] = request.after and request.after._asdict()
        return {"kind": type(request).__name__.lower(), **fields}
    answer = decode_answer(said)
    kind = ANSWERS.get(type(answer), type(answer).__name__.lower())
    if answer == Delivery():
        return {"kind": kind}
    return {"kind": kind, **vars(answer)}


def understand(parts: list[bytes]) -> Vector:
    """What our client makes of a message, in the words of the vectors."""
    if parts and parts[0].startswith(WELCOME):
        welcome = decode_welcome(parts[0])
        return {"kind": "welcome", **vars(welcome)}
    message = decode_message(parts)
    start = {
        "kind": message.kind,
        "publisher": message.publisher,
        "stream": message.stream,
        "pseq": message.pseq,
    }
    if message.status is not None:
        return start | told(message.status)
    assert message.frame is not None
    return start | seen(message.frame) | picture(message)


def told(status: Status) -> Vector:
    model = status.model
    age, totals = status.age_ms, status.totals
    return {
        "epoch": status.epoch,
        "seq": status.seq,
        "utc_ns": str(status.utc_ns),
        "state": status.state,
        "reconnects": status.reconnects,
        "fps": {"in": status.fps_in, "out": status.fps_out},
        "age_ms": age and {"p50": age[0], "p95": age[1]},
        "dropped": status.dropped,
        "totals": vars(totals),
        "messages": status.messages,
        "model": model and [model.name, model.weights, list(model.classes)],
        "pictures": status.pictures,
        "streams": list(status.streams),
        "delivery": status.delivery,
        "security": status.security,
        "lossless": [vars(listener) for listener in status.lossless],
    }


def seen(frame: Frame) -> Vector:
    return {
        "epoch": frame.epoch,
        "seq": frame.seq,
        "dropped": frame.dropped,
        "pts": None if frame.pts is None else str(frame.pts),
        "time_base": [frame.time_base.numerator, frame.time_base.denominator],
        "captured_utc_ns": str(frame.captured_utc_ns),
        "clock": frame.clock,
        "stages_ms": frame.stages_ms,
        "model": frame.model and [frame.model.name, frame.model.weights],
        "ended": list(frame.ended),
        "instances": None if frame.instances is None else rows(frame),
    }


def rows(frame: Frame) -> list[Vector]:
    found = frame.instances
    assert found is not None
    names = frame.model.classes if frame.model else ()
    return [
        {
            "track": None if found.track_ids[i] < 0 else int(found.track_ids[i]),
            "state": TrackState(found.states[i]).name.lower(),
            "class": int(found.classes[i]),
            "label": (names[found.classes[i]] or None) if found.classes[i] < len(names) else None,
            "score": pytest.approx(float(found.scores[i]), rel=1e-6),
            "box": [x0, y0, x1 - x0, y1 - y0],
            "mask": mask(found.masks, i),
        }
        for i, (x0, y0, x1, y1) in enumerate(found.boxes.tolist())
    ]


def mask(masks: Masks, index: int) -> Vector:
    dense = masks.dense(index)
    rle = masks.to_coco(index)
    tight = Masks.from_dense(dense[None]).boxes[0].astype(int).tolist()
    polygons = masks.polygons(index)
    return {
        "size": [masks.height, masks.width],
        "pixels": int(masks.areas[index]),
        "box": [*tight[:2], tight[2] - tight[0], tight[3] - tight[1]],
        "sha256": hashlib.sha256(dense.tobytes()).hexdigest(),
        "counts": bytes(rle["counts"]).decode(),  # type: ignore[arg-type]
        "polygons": [[ring.tolist() for ring in (outer, *holes)] for outer, holes in polygons],
    }


def picture(message: Message) -> Vector:
    frame = message.frame
    assert frame is not None
    shown = frame.image or frame.canvas
    if shown is None:
        return {}
    size = {"width": shown.width, "height": shown.height, "bytes": shown.planes[0].nbytes}
    return {"picture": size}


@pytest.mark.parametrize("name", vectors.FILES)
def test_the_vectors_are_current(name: str) -> None:
    remedy = "python -m tests.vectors writes them anew; changed lines are a changed protocol"
    assert (vectors.FOLDER / name).read_text() == vectors.text(name), remedy


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["name"])
def test_what_must_be_understood_is(vector: Vector) -> None:
    assert understand(parts_of(vector)) == vector["expect"]


@pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["name"])
def test_what_must_be_refused_is(vector: Vector) -> None:
    with pytest.raises(getattr(errors, vector["error"])) as caught:
        understand(parts_of(vector))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("vector", SAYINGS, ids=lambda vector: vector["name"])
def test_what_is_said_about_delivery(vector: Vector) -> None:
    said = part_of(vector["part"])
    if "expect" in vector:
        assert understand_saying(vector["from"], said) == vector["expect"]
        return
    with pytest.raises(getattr(errors, vector["error"])) as caught:
        understand_saying(vector["from"], said)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["name"])
def test_the_expectations_agree_with_one_another(vector: Vector) -> None:
    """Polygons, run lengths and checksum are of the same mask."""
    for instance in vector["expect"].get("instances") or []:
        facts: dict[str, Any] = instance["mask"]
        height, width = facts["size"]
        dense = decode({"size": [height, width], "counts": facts["counts"]})
        assert np.count_nonzero(dense) == facts["pixels"]
        assert hashlib.sha256(dense.tobytes()).hexdigest() == facts["sha256"]
        shapes = [[np.array(ring, np.int32) for ring in rings] for rings in facts["polygons"]]
        again = filled([Polygon(r[0], tuple(r[1:])) for r in shapes], height, width)
        assert np.array_equal(again, dense)


def test_a_subscriber_counts_what_it_refuses_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    puppet = Puppet("first")
    with Subscriber(puppet.endpoint, kinds=FRAME_KINDS, mode="all", waiting=1_000) as subscriber:
        puppet.wait("meta")
        sent = 0
        for vector in REFUSED:
            parts = parts_of(vector)
            if parts and parts[0].startswith((b"v1/", WELCOME)):  # what is subscribed to
                puppet.send("meta", parts)
                sent += 1
        puppet.frame(7, 0)
        frame = next(iter(subscriber))
        rejected = subscriber.statistics().rejected
    puppet.outlet.close(0)
    assert frame.seq == 7
    assert rejected == sent > 200
    warnings = [record for record in caplog.records if record.name == "maskstream.client"]
    assert len(warnings) == 1, "one a minute"


def test_names_are_unique() -> None:
    names = [vector["name"] for vector in (*ACCEPTED, *REFUSED, *SAYINGS)]
    assert len(names) == len(set(names))
