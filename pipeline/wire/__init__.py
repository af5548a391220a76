"""Frames and status as ZeroMQ messages, protocol v1, and back. The text is docs/PROTOCOL.md.

Needs only numpy and pycocotools: it is part of what a subscriber installs.
"""

from .decoding import (
    Envelope,
    Message,
    decode,
    decode_header,
    decode_welcome,
    open_envelope,
    unpack,
)
from .encoding import encode, encode_body, encode_header
from .status import Status, Totals, Welcome, encode_status, encode_welcome
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
    "Envelope",
    "FrameKind",
    "Kind",
    "Message",
    "Status",
    "Totals",
    "Welcome",
    "check_stream",
    "decode",
    "decode_header",
    "decode_welcome",
    "encode",
    "encode_body",
    "encode_header",
    "encode_status",
    "encode_welcome",
    "open_envelope",
    "stream_topics",
    "topic",
    "unpack",
]
