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
from .delivery import DELIVERY_MODES, DeliveryMode, Position
from .encoding import encode, encode_body, encode_header
from .status import Listener, Status, Totals, Welcome, encode_status, encode_welcome
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
    "DELIVERY_MODES",
    "FRAME_KINDS",
    "PICTURES",
    "RECORDS",
    "VERSION",
    "WELCOME",
    "DeliveryMode",
    "Envelope",
    "FrameKind",
    "Kind",
    "Listener",
    "Message",
    "Position",
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
