"""What a publisher says of itself: a status each second, a welcome to each connection."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..frame import Model
from .encoding import dump
from .fields import Fields
from .topics import VERSION, WELCOME, check_stream, topic

MOST_CLASSES = 65_536
MOST_STREAMS = 4_096
MOST_LISTENERS = 100


@dataclass(frozen=True)
class Totals:
    """Frames of one stream since the publisher began: captured = published + Σ dropped."""

    captured: int = 0
    published: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Listener:
    """A lossless subscriber as its publisher sees it.

    ``state``: expected, here, away, given_up, done. ``unacknowledged``: messages that are kept for
    it. ``lost``: messages that it should have had and that were not kept.
    """

    name: str
    state: str
    unacknowledged: int = 0
    lost: int = 0


@dataclass(frozen=True)
class Status:
    """How one stream is doing.

    ``state``: waiting, running, stalled, reconnecting, failed, ended; others may be added.
    ``epoch``, ``seq``: of the last published frame, None before the first; ``dropped``: its
    counts. ``fps_in``, ``fps_out``: captured and published frames per second since the last
    status. ``age_ms``: p50 and p95 of the time from capture to publishing, None without frames.
    ``messages``: published by kind, that is the next ``pseq`` of each. ``model``: with all its
    class names. ``pictures``: the endpoint of the kinds ``annotated`` and ``image``. ``streams``:
    all streams of the publisher. ``delivery``: the endpoint of the delivery socket, empty where
    there is none. ``lossless``: the subscribers for whom every message is kept. ``security``:
    curve, local, insecure; others may be added; empty where it is not said.
    """

    stream: str
    state: str
    utc_ns: int
    epoch: int | None = None
    seq: int | None = None
    reconnects: int = 0
    fps_in: float = 0.0
    fps_out: float = 0.0
    age_ms: tuple[float, float] | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    messages: Mapping[str, int] = field(default_factory=dict)
    model: Model | None = None
    pictures: str = ""
    streams: tuple[str, ...] = ()
    delivery: str = ""
    lossless: tuple[Listener, ...] = ()
    security: str = ""


@dataclass(frozen=True)
class Welcome:
    """The first thing that a new connection hears: who publishes, and where the rest is."""

    publisher: str
    pictures: str
    delivery: str = ""


def encode_status(status: Status, *, publisher: str, pseq: int) -> list[bytes]:
    """A status as the parts of one message: topic and header."""
    model, age = status.model, status.age_ms
    fields: dict[str, object] = {
        "v": VERSION,
        "kind": "status",
        "publisher": publisher,
        "stream": status.stream,
        "epoch": status.epoch,
        "seq": status.seq,
        "pseq": pseq,
        "utc_ns": status.utc_ns,
        "state": status.state,
        "reconnects": status.reconnects,
        "fps": {"in": round(status.fps_in, 2), "out": round(status.fps_out, 2)},
        "age_ms": None if age is None else {"p50": round(age[0], 3), "p95": round(age[1], 3)},
        "dropped": dict(sorted(status.dropped.items())),
        "totals": {
            "captured": status.totals.captured,
            "published": status.totals.published,
            "dropped": dict(sorted(status.totals.dropped.items())),
        },
        "messages": dict(status.messages),
        "model": None if model is None else {"name": model.name, "weights": model.weights},
        "classes": None if model is None else list(model.classes),
        "pictures": status.pictures,
        "streams": list(status.streams),
        "delivery": status.delivery,
        "lossless": [asdict(listener) for listener in status.lossless],
    }
    if status.security:
        fields["security"] = status.security
    return [topic(status.stream, "status"), dump(fields, status.stream).encode("ascii")]


def status_of(fields: Fields, stream: str) -> Status:
    """The status in a header whose envelope was checked.

    :raises WireError: for a missing or wrong field.
    """
    fps, totals = fields.inner("fps"), fields.inner("totals")
    return Status(
        stream=stream,
        state=fields.name("state"),
        utc_ns=fields.integer64("utc_ns"),
        epoch=fields.integer("epoch") if fields.known("epoch") else None,
        seq=fields.integer("seq") if fields.known("seq") else None,
        reconnects=fields.integer("reconnects"),
        fps_in=fps.number("in"),
        fps_out=fps.number("out"),
        age_ms=_ages(fields),
        dropped=fields.counts("dropped"),
        totals=Totals(
            totals.integer("captured"), totals.integer("published"), totals.counts("dropped")
        ),
        messages=fields.counts("messages"),
        model=_model(fields),
        pictures=fields.text("pictures"),
        streams=_streams(fields),
        delivery=fields.text("delivery") if fields.has("delivery") else "",
        lossless=_listeners(fields),
        security=fields.name("security") if fields.has("security") else "",
    )


def _listeners(fields: Fields) -> tuple[Listener, ...]:
    if not fields.has("lossless"):
        return ()
    each = [Fields(item, "lossless") for item in fields.items("lossless", MOST_LISTENERS)]
    return tuple(
        Listener(
            listener.name("name"),
            listener.name("state"),
            listener.integer("unacknowledged"),
            listener.integer("lost"),
        )
        for listener in each
    )


def _streams(fields: Fields) -> tuple[str, ...]:
    names = fields.texts("streams", MOST_STREAMS)
    for name in names:
        check_stream(name)
    return names


def _ages(fields: Fields) -> tuple[float, float] | None:
    if not fields.known("age_ms"):
        return None
    ages = fields.inner("age_ms")
    return ages.number("p50"), ages.number("p95")


def _model(fields: Fields) -> Model | None:
    if not (fields.known("model") or fields.known("classes")):
        return None
    classes = fields.texts("classes", MOST_CLASSES)
    if not fields.known("model"):
        return None
    model = fields.inner("model")
    return Model(model.text("name"), model.text("weights"), classes)


def encode_welcome(welcome: Welcome) -> bytes:
    """The one part of a welcome: its topic and its header, joined (ZMQ allows it no second)."""
    fields = {
        "v": VERSION,
        "kind": "welcome",
        "publisher": welcome.publisher,
        "pictures": welcome.pictures,
        "delivery": welcome.delivery,
    }
    return WELCOME + dump(fields, "welcome").encode("ascii")
