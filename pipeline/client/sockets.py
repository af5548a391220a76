"""A subscriber's two sockets: records at the endpoint that the user gave, pictures where the
publisher says they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zmq

from ..errors import AccessError, EndpointError
from ..keys import Keys, lock_client, read_keys, read_public
from ..wire import PICTURES, WELCOME, FrameKind, topic
from ..wire.endpoints import Endpoint, parse_endpoint
from ..wire.status import MOST_STREAMS
from .handshake import Handshakes

RECEIVE_HWM = 1_000
"""Room for bursts; the thread keeps it empty. Small ones leave the backlog in kernel buffers."""
LARGEST_PART_BYTES = 64 * 2**20
MOST_PARTS = 16
"""Of a message that are kept; more may come with later versions, but not without end."""
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2_000, 6_000
RECONNECT_MS = 200
BURST = 500
"""Messages of one socket before the other has its turn."""

Parts = list[bytes]
Socket = zmq.Socket[bytes]


@dataclass(frozen=True)
class Lock:
    """What a locked publisher asks for: this subscriber's keys, and the publisher's public one."""

    keys: Keys
    server_key: str


def read_lock(keys: str | Path | None, server_key: str | Path | None) -> Lock | None:
    """The keys in a .key file, and a public key or .pub file of the publisher; None without both.

    :raises AccessError: when one is missing or cannot be used.
    """
    if not keys and not server_key:
        return None
    if not keys or not server_key:
        raise AccessError(
            where="subscriber",
            wanted="keys (--keys) and the publisher's public key (--server-key) together",
            got="one without the other",
            remedy="See docs/SECURITY.md",
        )
    return Lock(read_keys(Path(keys)), read_public(server_key))


@dataclass(frozen=True)
class Wanted:
    """What to subscribe to. ``streams`` None means all that the publisher has; ``pictures``,
    ``delivery``: their endpoints, when the announced ones do not lead there. ``lock``: the keys,
    where the publisher is locked."""

    records: Endpoint
    pictures: Endpoint | None
    streams: tuple[str, ...] | None
    kinds: tuple[FrameKind, ...]
    delivery: Endpoint | None = None
    lock: Lock | None = None


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
        pictures = wanted.pictures or wanted.records
        self._records = open_socket(self._context, zmq.SUB, wanted, wanted.records)
        self._pictures = open_socket(self._context, zmq.SUB, wanted, pictures)
        self._handshakes = [
            watch_handshakes(self._context, sock, wanted)
            for sock in (self._records, self._pictures)
        ]
        self._subscribe()
        try:
            connect(self._records, wanted.records)
            if wanted.pictures:
                self._connect_pictures(wanted.pictures)
        except EndpointError:
            self.close()
            raise

    def receive(self, timeout_ms: int) -> Iterator[Parts]:
        """What is there, or comes within ``timeout_ms``: of both sockets, each in its order.

        :raises AccessError: when the publisher will not let us in.
        """
        for handshakes in self._handshakes:
            handshakes.check()
        poller = zmq.Poller()
        poller.register(self._records, zmq.POLLIN)
        poller.register(self._pictures, zmq.POLLIN)
        for sock, _ in poller.poll(timeout_ms):
            for _ in range(BURST):
                if not sock.poll(0):
                    break
                yield receive_message(sock)

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
        for handshakes in self._handshakes:
            handshakes.close()
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
        if stream not in self._pictures_of and len(self._pictures_of) < MOST_STREAMS:
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


def open_socket(
    context: "zmq.Context[zmq.Socket[bytes]]", kind: int, wanted: Wanted, at: Endpoint
) -> Socket:
    """A socket of a subscriber, ready to connect to an address like ``at``."""
    sock: Socket = context.socket(kind)
    sock.linger = 0
    sock.rcvhwm = RECEIVE_HWM
    sock.set(zmq.MAXMSGSIZE, LARGEST_PART_BYTES)
    sock.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    sock.set(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    sock.set(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
    sock.set(zmq.RECONNECT_IVL, RECONNECT_MS)
    sock.set(zmq.IPV6, int(at.is_ipv6))
    if wanted.lock:
        lock_client(sock, wanted.lock.keys, wanted.lock.server_key)
    return sock


def watch_handshakes(
    context: "zmq.Context[zmq.Socket[bytes]]", sock: Socket, wanted: Wanted
) -> Handshakes:
    """Watch a socket that will connect. It has to be checked now and then, and closed."""
    return Handshakes(context, sock, str(wanted.records), locked=wanted.lock is not None)


def receive_message(sock: Socket) -> Parts:
    """The message that is there; of one with too many parts only the first ones."""
    parts = [sock.recv()]
    while sock.rcvmore:
        part = sock.recv()
        if len(parts) < MOST_PARTS:
            parts.append(part)
    return parts


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
