"""Names on the wire: the protocol's version, the kinds of message, and the topic of each.

A topic is ``v1/<stream>/<kind>/``. It ends with a slash because ZMQ matches prefixes: without it,
``v1/gate-1`` would also bring ``gate-10``.
"""

from typing import Literal, get_args

from ..errors import WireError

VERSION = 1

FrameKind = Literal["meta", "annotated", "image"]
Kind = Literal["meta", "annotated", "image", "status"]

FRAME_KINDS: tuple[FrameKind, ...] = get_args(FrameKind)
RECORDS: tuple[Kind, ...] = ("meta", "status")
"""The kinds on the endpoint that a user is given."""
PICTURES: tuple[Kind, ...] = ("annotated", "image")
"""The kinds with a picture part, on a socket of their own: their backlog delays no record."""

WELCOME = b"welcome/v1/"
"""Starts the one-part message that a publisher sends to each new connection. Not below ``v1/``, so
that who subscribes to that gets messages of topic and header only."""

LONGEST_NAME_BYTES = 255


def topic(stream: str, kind: str) -> bytes:
    """The topic of one kind of message of one stream.

    :raises WireError: when ``stream`` cannot be part of a topic.
    """
    return f"{stream_topics(stream).decode()}{kind}/".encode()


def stream_topics(stream: str) -> bytes:
    """What all topics of one stream start with.

    :raises WireError: when ``stream`` cannot be part of a topic.
    """
    check_stream(stream)
    return f"v{VERSION}/{stream}/".encode()


def check_stream(stream: str) -> None:
    """Refuse a name that would break a topic.

    :raises WireError: unless it is 1 to 255 bytes of printable characters without a slash.
    """
    fits = len(stream) > 0 and stream.isprintable() and "/" not in stream
    if fits and len(stream.encode()) <= LONGEST_NAME_BYTES:
        return
    raise WireError(
        where="stream name",
        wanted="1 to 255 bytes of printable characters, no slash",
        got=repr(stream[:LONGEST_NAME_BYTES]),
        remedy="Name the source: run gate-2=ADDRESS",
    )
