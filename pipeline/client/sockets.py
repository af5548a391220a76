"""A subscriber's two sockets: records at the endpoint that the user gave, pictures where the
publisher says they are."""

from collections.abc import Iterator
from dataclasses import dataclass

import zmq

from ..errors import EndpointError
from ..wire import PICTURES, WELCOME, FrameKind, topic
from ..wire.endpoints import Endpoint, parse_endpoint

RECEIVE_HWM = 1_000
"""Room for bursts; the thread keeps it empty. Small ones leave the backlog in kernel buffers."""
LARGEST_PART_BYTES = 64 * 2**20
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2_000, 6_000
RECONNECT_MS = 200
BURST = 500
"""Messages of one socket before the other has its turn."""

Parts = list[bytes]
Socket = zmq.Socket[bytes]


@dataclass(frozen=True)
class Wanted:
    """What to subscribe to. ``streams`` None means all that the publisher has; ``pictures``,
    ``delivery``: their endpoints, when the announced ones do not lead there."""

    records: Endpoint
    pictures: Endpoint | None
    streams: tuple[str, ...] | None
    kinds: tuple[FrameKind, ...]
    delivery: Endpoint | None = None


class Sockets:
    """Connected and subscribed; they belong to one thread after that.

    :raises EndpointError: when an endpoint cannot be connected to.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._kinds = [kind for kind in wanted.kinds if kind in PICTURES]
        self._pictures_at: Endpoint | None = None
        self._pictures_of: set[str] = set()
        self._context = zmq.Context()
        self._records = open_socket(self._context, zmq.SUB, wanted)
        self._pictures = open_socket(self._context, zmq.SUB, wanted)
        self._subscribe()
        try:
            connect(self._records, wanted.records)
            if wanted.pictures:
                self._connect_pictures(wanted.pictures)
        except EndpointError:
            self.close()
            raise

    def receive(self, timeout_ms: int) -> Iterator[Parts]:
        """What is there, or comes within ``timeout_ms``: of both sockets, each in its order."""
        poller = zmq.Poller()
        poller.register(self._records, zmq.POLLIN)
        poller.register(self._pictures, zmq.POLLIN)
        for sock, _ in poller.poll(timeout_ms):
            for _ in range(BURST):
                if not sock.poll(0):
                    break
                yield sock.recv_multipart()

    def follow(self, announced: str, streams: tuple[str, ...]) -> None:
        """Go where the pictures are said to be, and subscribe to those of new streams.

        :raises EndpointError: when that is no address.
        """
        if not self._kinds:
            return
        if self._wanted.streams is None:
            for stream in streams:
                self._subscribe_pictures(stream)
        if not self._wanted.pictures and announced:
            at = parse_endpoint(announced, "publisher's announcement of its pictures")
            self._connect_pictures(at.seen_through(self._wanted.records))

    def close(self) -> None:
        self._records.close(0)
        self._pictures.close(0)
        self._context.term()

    def _subscribe(self) -> None:
        """Before connecting: a welcome is only heard by who has subscribed to it."""
        self._records.subscribe(WELCOME)
        if self._wanted.streams is None:
            self._records.subscribe(b"v1/")
        for stream in self._wanted.streams or ():
            self._records.subscribe(topic(stream, "status"))
            if "meta" in self._wanted.kinds:
                self._records.subscribe(topic(stream, "meta"))
            self._subscribe_pictures(stream)

    def _subscribe_pictures(self, stream: str) -> None:
        """Kind by kind: a publisher encodes what is subscribed to, and nothing else."""
        if stream not in self._pictures_of:
            self._pictures_of.add(stream)
            for kind in self._kinds:
                self._pictures.subscribe(topic(stream, kind))

    def _connect_pictures(self, at: Endpoint) -> None:
        if at == self._pictures_at:
            return
        connect(self._pictures, at)
        if self._pictures_at is not None:  # the publisher came back at another port
            self._pictures.disconnect(str(self._pictures_at))
        self._pictures_at = at


def open_socket(context: "zmq.Context[zmq.Socket[bytes]]", kind: int, wanted: Wanted) -> Socket:
    """A socket of a subscriber, ready to connect."""
    sock: Socket = context.socket(kind)
    sock.linger = 0
    sock.rcvhwm = RECEIVE_HWM
    sock.set(zmq.MAXMSGSIZE, LARGEST_PART_BYTES)
    sock.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    sock.set(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    sock.set(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
    sock.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    sock.set(zmq.IPV6, int(wanted.records.is_ipv6))
    return sock


def connect(sock: Socket, endpoint: Endpoint) -> None:
    """Connect, now or as soon as somebody is there.

    :raises EndpointError: when that is no address.
    """
    try:
        sock.connect(str(endpoint))
    except zmq.ZMQError as error:
        raise EndpointError(
            where="subscriber",
            wanted="an address to connect to",
            got=f"{endpoint}: {error.strerror}",
            remedy="Take the endpoint that the publisher prints when it starts",
        ) from error
