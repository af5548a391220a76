"""Bytes as a Message, strictly: whatever comes from a socket either is one or raises WireError.

Fields and parts that this version does not know are ignored. Sizes are bounded before anything is
allocated, so that a short message cannot ask for much memory.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, get_args

import numpy as np

from ..errors import Truncated, UnsupportedVersion
from ..frame import ClockName, Frame, Image
from .fields import REMEDY, Fields, refused, shown, wrong
from .instances import LONGEST_SIDE_PX, MOST_INSTANCES, instances_of, model_of
from .status import Status, Welcome, status_of
from .topics import PICTURES, VERSION, WELCOME, FrameKind, Kind, check_stream, topic

LARGEST_HEADER_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Envelope:
    """What every header has: enough to route a message and to account for it."""

    kind: Kind
    publisher: str
    stream: str
    pseq: int
    fields: Fields


@dataclass(frozen=True)
class Message:
    """One message. ``frame`` for the kinds meta, annotated and image; ``status`` for status.

    ``header``: the bytes as they came, with all fields, also the unknown ones.
    A frame's ``captured_ns`` is 0: the publisher's monotonic clock means nothing here.
    """

    kind: Kind
    publisher: str
    stream: str
    pseq: int
    header: bytes
    frame: Frame | None = None
    status: Status | None = None


def decode(parts: Sequence[bytes]) -> Message:
    """A message from its parts: topic, header and, for pictures, the JPEG file.

    :raises UnsupportedVersion: for a header of another protocol version.
    :raises Truncated: when a part or a field is missing.
    :raises WireError: for anything else that is not a message of this protocol.
    """
    envelope = open_envelope(parts)
    return unpack(envelope, parts)


def decode_header(header: bytes) -> Message:
    """A message from its header alone, such as a line of a recording. Pictures stay empty.

    :raises WireError: as ``decode``.
    """
    return _message(_envelope(header), header, None)


def open_envelope(parts: Sequence[bytes]) -> Envelope:
    """Check a message's outside: its parts, version, kind, stream, and that topic and header agree.

    :raises WireError: as ``decode``.
    """
    if len(parts) < 2:
        raise _missing(f"message of {len(parts)} parts", "a topic and a header")
    envelope = _envelope(parts[1])
    if parts[0] != topic(envelope.stream, envelope.kind):
        wanted = f"the topic of stream {envelope.stream!r}, kind {envelope.kind!r}"
        raise wrong("topic", wanted, parts[0])
    if envelope.kind in PICTURES and len(parts) < 3:
        raise _missing(f"message of kind {envelope.kind}", "a picture as the third part")
    return envelope


def unpack(envelope: Envelope, parts: Sequence[bytes]) -> Message:
    """The rest of a message whose envelope was opened.

    :raises WireError: as ``decode``.
    """
    picture = parts[2] if envelope.kind in PICTURES else None
    if picture is not None and not picture.startswith(b"\xff\xd8"):
        raise refused("picture", "a JPEG file", f"{len(picture)} bytes that are none")
    return _message(envelope, parts[1], picture)


def decode_welcome(part: bytes) -> Welcome:
    """A publisher's welcome.

    :raises WireError: as ``decode``.
    """
    if not part.startswith(WELCOME):
        raise wrong("welcome", f"a part that begins with {WELCOME.decode()}", part)
    fields = parse_header(part.removeprefix(WELCOME))
    if fields.text("kind") != "welcome":
        raise wrong("header.kind", "welcome", fields.text("kind"))
    delivery = fields.text("delivery") if fields.has("delivery") else ""
    return Welcome(fields.name("publisher"), fields.text("pictures"), delivery)


def parse_header(header: bytes) -> Fields:
    """A header as JSON of this protocol's version.

    :raises WireError: when it is none.
    """
    if len(header) > LARGEST_HEADER_BYTES:
        raise refused("header", f"up to {LARGEST_HEADER_BYTES} bytes", f"{len(header)} bytes")
    try:
        value = json.loads(header.decode("ascii"), parse_constant=_no_constant)
        if b"\n" in header or b"\r" in header:
            raise ValueError("it has several lines")
    except (ValueError, RecursionError) as error:
        got = f"{len(header)} bytes that are none: {error}"
        raise refused("header", "JSON in one line of ASCII", got) from error
    fields = Fields(value, "header")
    version = fields.take("v")
    if type(version) is not int or version != VERSION:  # True == 1, but is none
        raise UnsupportedVersion(
            where="header",
            wanted=f"protocol version {VERSION}",
            got=shown(version),
            remedy="Install the client that belongs to the publisher.",
        )
    return fields


def _envelope(header: bytes) -> Envelope:
    fields = parse_header(header)
    text = fields.text("kind")
    kind: Kind | None = next((kind for kind in get_args(Kind) if kind == text), None)
    if kind is None:
        raise wrong("header.kind", f"one of {', '.join(get_args(Kind))}", text)
    stream = fields.text("stream")
    check_stream(stream)
    return Envelope(kind, fields.name("publisher"), stream, fields.integer("pseq"), fields)


def _message(envelope: Envelope, header: bytes, picture: bytes | None) -> Message:
    kind, fields = envelope.kind, envelope.fields
    same = (kind, envelope.publisher, envelope.stream, envelope.pseq, header)
    if kind == "status":
        return Message(*same, status=status_of(fields, envelope.stream))
    return Message(*same, frame=_frame(fields, envelope.stream, kind, picture))


def _frame(fields: Fields, stream: str, kind: FrameKind, picture: bytes | None) -> Frame:
    time, aspect = fields.inner("time"), _aspect(fields)
    image = None if picture is None else _picture(fields, picture, aspect)
    return Frame(
        stream=stream,
        epoch=fields.integer("epoch"),
        seq=fields.integer("seq"),
        pts=_pts(time),
        time_base=time.ratio("time_base"),
        captured_ns=0,
        captured_utc_ns=time.integer64("captured_utc_ns"),
        clock=_clock(time),
        image=image if kind == "image" else None,
        instances=instances_of(fields),
        ended=fields.any_integers("ended", MOST_INSTANCES),
        canvas=image if kind == "annotated" else None,
        model=model_of(fields),
        dropped=fields.counts("dropped"),
        stages_ms=time.milliseconds("stages_ms"),
    )


def _pts(time: Fields) -> int | None:
    """The timestamp; the seconds beside it are for human readers, yet numbers they must be."""
    if time.known("media_s"):
        time.number("media_s")
    return time.integer64("pts") if time.known("pts") else None


def _clock(time: Fields) -> ClockName:
    text = time.text("clock")
    clock: ClockName | None = next((name for name in get_args(ClockName) if name == text), None)
    if clock is None:
        raise wrong(time.path("clock"), f"one of {', '.join(get_args(ClockName))}", text)
    return clock


def _aspect(fields: Fields) -> Fraction:
    """The shape of the source's pixels. Its size must be sound, even where nothing refers to it."""
    if not fields.known("image"):
        return Fraction(1)
    image = fields.inner("image")
    image.integer("width", 1, LONGEST_SIDE_PX)
    image.integer("height", 1, LONGEST_SIDE_PX)
    return image.ratio("sar") if image.has("sar") else Fraction(1)


def _picture(fields: Fields, picture: bytes, aspect: Fraction) -> Image:
    size = fields.inner("picture")
    if size.text("format") != "jpeg":
        raise wrong(size.path("format"), "jpeg", size.text("format"))
    return Image(
        "jpeg",
        (np.frombuffer(picture, np.uint8),),
        size.integer("width", 1, LONGEST_SIDE_PX),
        size.integer("height", 1, LONGEST_SIDE_PX),
        sample_aspect=aspect,
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _missing(where: str, wanted: str) -> Truncated:
    return Truncated(where=where, wanted=wanted, got="fewer", remedy=REMEDY)
