"""Frames and status as ZeroMQ messages, protocol v1, and back. The text is docs/PROTOCOL.md.

Needs only numpy and pycocotools: it is part of what a subscriber installs.
"""

from .encoding import encode, encode_body, encode_header
from .topics import (
    FRAME_KINDS,
    PICTURES,
    RECORDS,
    VERSION,
    WELCOME,
    FrameKind,
    Kind,
    check_stream,
    stream_topics,
    topic,
)

__all__ = [
    "FRAME_KINDS",
    "PICTURES",
    "RECORDS",
    "VERSION",
    "WELCOME",
    "FrameKind",
    "Kind",
    "check_stream",
    "encode",
    "encode_body",
    "encode_header",
    "stream_topics",
    "topic",
]
