"""A Frame as bytes: the JSON header of protocol v1, and the parts around it.

The bytes are deterministic: keys in the order of docs/PROTOCOL.md, no spaces, ASCII only, scores
rounded to 4 decimals, boxes to 2, media time to 6, stage times to 3. A line of a recording is
exactly a ``meta`` header.
"""

import json
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import WireError
from ..frame import Frame, Image, Instances, Model, TrackState
from .topics import PICTURES, VERSION, FrameKind, check_stream, topic

STATE_NAMES = {state: state.name.lower() for state in TrackState}


def encode(
    frame: Frame, *, publisher: str, pseq: int, kind: FrameKind, picture: bytes | None = None
) -> list[bytes]:
    """``frame`` as the parts of one message: topic, header and, if given, a JPEG picture.

    :raises WireError: when the frame cannot be put into a header.
    """
    header = encode_header(frame, publisher=publisher, pseq=pseq, kind=kind)
    parts = [topic(frame.stream, kind), header]
    return parts if picture is None else [*parts, picture]


def encode_header(
    frame: Frame,
    *,
    publisher: str,
    pseq: int,
    kind: FrameKind = "meta",
    body: str | None = None,
) -> bytes:
    """The header of ``frame`` as one line of ASCII JSON, without the line's end.

    ``publisher``: the uuid of this run. ``pseq``: messages of this stream and kind so far.
    ``body``: ``encode_body(frame)``, for who sends one frame as several kinds.

    :raises WireError: when the frame cannot be put into a header.
    """
    check_stream(frame.stream)
    start: dict[str, object] = {
        "v": VERSION,
        "kind": kind,
        "publisher": publisher,
        "stream": frame.stream,
        "epoch": frame.epoch,
        "seq": frame.seq,
        "pseq": pseq,
    }
    if kind in PICTURES:
        start["picture"] = _picture(frame.canvas if kind == "annotated" else frame.image)
    body = encode_body(frame) if body is None else body
    return f"{dump(start, frame.stream)[:-1]},{body[1:]}".encode("ascii")


def encode_body(frame: Frame) -> str:
    """What the headers of all kinds of one frame have in common, as a JSON object.

    :raises WireError: when a number in it is not finite.
    """
    fields = {
        "dropped": dict(sorted(frame.dropped.items())),
        "time": _time(frame),
        "image": _image(frame),
        "model": _model(frame.model),
        "instances": None if frame.instances is None else _instances(frame),
        "ended": [int(track) for track in frame.ended],
    }
    return dump(fields, frame.stream)


def dump(fields: dict[str, Any], where: str) -> str:
    """``fields`` as the JSON of this protocol.

    :raises WireError: when a number in it is not finite.
    """
    try:
        return json.dumps(fields, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise WireError(
            where=f"header of stream {where}",
            wanted="finite numbers",
            got=str(error),
            remedy="Look for a network or a stage that makes NaN or infinity.",
        ) from error


def _picture(image: Image | None) -> dict[str, object] | None:
    if image is None:
        return None
    return {"format": "jpeg", "width": image.width, "height": image.height}


def _time(frame: Frame) -> dict[str, object]:
    seconds = frame.media_time_s
    return {
        "pts": frame.pts,
        "time_base": _ratio(frame.time_base),
        "media_s": None if seconds is None else round(seconds, 6),
        "captured_utc_ns": frame.captured_utc_ns,
        "clock": frame.clock,
        "stages_ms": {name: round(ms, 3) for name, ms in frame.stages_ms.items()},
    }


def _image(frame: Frame) -> dict[str, object] | None:
    image: Image | None = frame.image or frame.canvas
    if image is not None:
        size: dict[str, object] = {"width": image.width, "height": image.height}
        square = image.sample_aspect == 1
        return size if square else size | {"sar": _ratio(image.sample_aspect)}
    if frame.instances is not None:
        return {"width": frame.instances.masks.width, "height": frame.instances.masks.height}
    return None


def _ratio(ratio: Fraction) -> list[int]:
    return [ratio.numerator, ratio.denominator]


def _model(model: Model | None) -> dict[str, object] | None:
    return None if model is None else {"name": model.name, "weights": model.weights}


def _instances(frame: Frame) -> list[dict[str, object]]:
    instances = frame.instances
    assert instances is not None
    labels = () if frame.model is None else frame.model.classes
    columns = zip(
        instances.track_ids.tolist(),
        instances.states.tolist(),
        instances.classes.tolist(),
        np.round(instances.scores.astype(np.float64), 4).tolist(),
        _boxes_xywh(instances),
        instances.masks.areas.tolist(),
        instances.masks.origins.tolist(),
        strict=True,
    )
    return [
        {
            "track": None if track < 0 else track,
            "state": STATE_NAMES[TrackState(state)],
            "class": category,
            "label": labels[category] or None if 0 <= category < len(labels) else None,
            "score": score,
            "box": box,
            "area": area,
            "mask": _mask(instances, index, origin),
        }
        for index, (track, state, category, score, box, area, origin) in enumerate(columns)
    ]


def _boxes_xywh(instances: Instances) -> list[list[float]]:
    boxes = instances.boxes.astype(np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    xywh: list[list[float]] = np.round(np.concatenate([boxes[:, :2], sides], axis=1), 2).tolist()
    return xywh


def _mask(instances: Instances, index: int, origin: list[int]) -> dict[str, object]:
    rle = instances.masks.crop_rle(index)
    counts = rle["counts"]
    text = counts if isinstance(counts, str) else counts.decode("ascii")
    return {"origin": origin, "size": list(rle["size"]), "counts": text}
