"""What is said on the delivery socket: docs/PROTOCOL.md, section 12. One small JSON object each.

Subscribers send requests, the publisher answers. Both are parsed strictly: whatever comes either is
one or raises WireError.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from .decoding import parse_header
from .encoding import dump
from .fields import Fields, refused, wrong
from .topics import FRAME_KINDS, VERSION, FrameKind, Kind, check_stream

DeliveryMode = Literal["credit", "lossless"]
DELIVERY_MODES: tuple[DeliveryMode, ...] = get_args(DeliveryMode)
LARGEST_REQUEST_BYTES = 4_096
MOST_CREDIT = 64
MOST_STREAMS_ASKED = 100
LONGEST_TEXT = 1_000
PING_S, SILENCE_S = 2.0, 6.0
"""How often a subscriber says that he lives; after what silence either side is taken for gone."""


class Position(NamedTuple):
    """A message of a subscription: the publisher's run, and the number that it gave to it."""

    publisher: str
    number: int


@dataclass(frozen=True)
class Hello:
    """What a subscriber wants. ``name`` and ``after`` belong to ``lossless``."""

    mode: DeliveryMode
    kinds: tuple[FrameKind, ...]
    credit: int
    streams: tuple[str, ...] | None = None
    name: str = ""
    after: Position | None = None

    def wants(self, stream: str, kind: Kind) -> bool:
        """If he asked for it; a status comes with each stream that he asked for."""
        return (self.streams is None or stream in self.streams) and (
            kind == "status" or kind in self.kinds
        )


@dataclass(frozen=True)
class Ack:
    """Everything up to message ``number`` has been dealt with."""

    number: int


@dataclass(frozen=True)
class Ping:
    """A sign of life, to be answered."""


@dataclass(frozen=True)
class Bye:
    """The subscriber goes for good."""


@dataclass(frozen=True)
class Greeting:
    """The answer to a hello: who publishes, and the number of the message that is next."""

    publisher: str
    next: int


@dataclass(frozen=True)
class Delivery:
    """The first part of a message. No ``number``: a status."""

    number: int | None = None
    skipped: int = 0


@dataclass(frozen=True)
class End:
    """All is sent; to be acknowledged like a message."""

    number: int


@dataclass(frozen=True)
class Pong:
    """The answer to a ping."""


@dataclass(frozen=True)
class Refusal:
    """What the publisher could not do, as a word for programs and a text for people."""

    error: str
    text: str


Request = Hello | Ack | Ping | Bye
Answer = Greeting | Delivery | End | Pong | Refusal


def encode_request(request: Request) -> bytes:
    """A request as its one part."""
    match request:
        case Hello():
            return _encode("hello", _hello_fields(request))
        case Ack(number):
            return _encode("ack", {"number": number})
        case Ping():
            return _encode("ping", {})
        case Bye():
            return _encode("bye", {})


def decode_request(part: bytes) -> Request:
    """What a subscriber sent.

    :raises WireError: when it is none of this protocol.
    """
    if len(part) > LARGEST_REQUEST_BYTES:
        raise refused("request", f"up to {LARGEST_REQUEST_BYTES} bytes", f"{len(part)} bytes")
    fields = parse_header(part)
    kind = fields.text("kind")
    match kind:
        case "ack":
            return Ack(fields.integer("number"))
        case "ping":
            return Ping()
        case "hello":
            return _hello(fields)
        case "bye":
            return Bye()
    raise wrong("request.kind", "hello, ack, ping or bye", kind)


def encode_answer(answer: Answer) -> bytes:
    """What the publisher says, as the first part of its message."""
    match answer:
        case Delivery(number, skipped):
            told = "" if number is None else f',"number":{number},"skipped":{skipped}'
            return f'{{"v":{VERSION},"kind":"message"{told}}}'.encode("ascii")
        case Greeting(publisher, following):
            return _encode("welcome", {"publisher": publisher, "next": following})
        case End(number):
            return _encode("end", {"number": number})
        case Pong():
            return _encode("pong", {})
        case Refusal(error, text):
            return _encode("error", {"error": error, "text": text[:LONGEST_TEXT]})


def decode_answer(part: bytes) -> Answer:
    """The first part of what a publisher sent.

    :raises WireError: when it is none of this protocol.
    """
    if len(part) > LARGEST_REQUEST_BYTES:
        raise refused("answer", f"up to {LARGEST_REQUEST_BYTES} bytes", f"{len(part)} bytes")
    fields = parse_header(part)
    kind = fields.text("kind")
    match kind:
        case "message":
            if not fields.given("number"):
                return Delivery()
            return Delivery(fields.integer("number"), fields.integer("skipped"))
        case "welcome":
            return Greeting(fields.name("publisher"), fields.integer("next"))
        case "end":
            return End(fields.integer("number"))
        case "pong":
            return Pong()
        case "error":
            return Refusal(fields.name("error"), fields.text("text")[:LONGEST_TEXT])
    raise wrong("answer.kind", "welcome, message, end, pong or error", kind)


def _encode(kind: str, fields: Mapping[str, object]) -> bytes:
    return dump({"v": VERSION, "kind": kind, **fields}, kind).encode("ascii")


def _hello_fields(hello: Hello) -> dict[str, object]:
    fields: dict[str, object] = {"mode": hello.mode}
    if hello.mode == "lossless":
        fields["name"] = hello.name
    fields["streams"] = None if hello.streams is None else list(hello.streams)
    fields |= {"kinds": list(hello.kinds), "credit": hello.credit}
    if hello.after is not None:
        fields["after"] = hello.after._asdict()
    return fields


def _hello(fields: Fields) -> Hello:
    text = fields.text("mode")
    mode = next((mode for mode in DELIVERY_MODES if mode == text), None)
    if mode is None:
        raise wrong(fields.path("mode"), " or ".join(DELIVERY_MODES), text)
    streams = fields.texts("streams", MOST_STREAMS_ASKED) if fields.given("streams") else None
    for stream in streams or ():
        check_stream(stream)
    credit = fields.integer("credit", 1, MOST_CREDIT)
    if mode == "credit":
        return Hello(mode, _kinds(fields), credit, streams)
    return Hello(mode, _kinds(fields), credit, streams, fields.name("name"), _after(fields))


def _after(fields: Fields) -> Position | None:
    if not fields.given("after"):
        return None
    after = fields.inner("after")
    return Position(after.name("publisher"), after.integer("number"))


def _kinds(fields: Fields) -> tuple[FrameKind, ...]:
    asked = fields.texts("kinds", len(FRAME_KINDS))
    if not asked or not set(asked) <= set(FRAME_KINDS):
        raise wrong(fields.path("kinds"), f"some of {', '.join(FRAME_KINDS)}", asked)
    return tuple(kind for kind in FRAME_KINDS if kind in asked)
