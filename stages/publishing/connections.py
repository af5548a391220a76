"""The connections to a publisher, and how much each of them may send.

libzmq bounds the size of a message and nothing else: not how many connections there are, not how
many subscriptions or bytes come over one. Whoever goes beyond what a subscriber can need is cut.
"""

import errno
import os
import resource
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

MOST_CONNECTIONS = 1_000
MOST_PREFIXES = 5_000
"""Different prefixes of one connection in its life."""
MOST_PREFIX_BYTES = 128 * 2**10
"""Of one connection: libzmq keeps them in a tree, a node a byte."""
ALLOWANCE_BYTES = 128 * 2**10
"""What a connection may send beyond its rate, all in all."""
MUCH_BYTES = 2 * 2**10
"""Who sent more since the last look is looked at again as soon as he sends, others after a rest."""
PENALTY_S = 10.0
"""How long nobody gets in from the address of who was cut. He would be back at once, and ending
the subscriptions of a connection keeps libzmq busy while frames wait."""
MOST_PENALTIES = 1_000
ACKNOWLEDGED_AT, INFO_BYTES = 120, 136
"""Where ``struct tcp_info`` of Linux has the bytes that the peer acknowledged, a 64-bit number; the
next one, to the end of what is asked for, is the bytes received."""


@dataclass(frozen=True)
class Measure:
    """How much one may send: ``rate``, bytes a second for long, and ``share`` of what he was sent.

    ``rest_s``: how long one who sends little is not looked at again.
    """

    rate: int
    share: float = 0.0
    rest_s: float = 0.01


@dataclass(eq=False)
class Connection:
    """One connection. ``endpoint``: the one of ours that it came to."""

    endpoint: str
    since_ns: int
    measure: Measure
    received: int = 0
    prefixes: set[bytes] = field(default_factory=set)
    prefix_bytes: int = 0


class Connections:
    """All connections by their file descriptor. Safe to share between threads.

    ``fileno`` is readable when somebody sends something, who is then to be looked at with ``heed``.
    ``most``: how many there may be; MOST_CONNECTIONS, or fewer where the system allows few files.
    """

    def __init__(self, most: int | None = None) -> None:
        self.cut = 0
        self._lock = threading.Lock()
        self._all: dict[int, Connection] = {}
        self._out_until_ns: dict[str, float] = {}  # by address
        self._sending = select.epoll()
        self._resting: dict[int, float] = {}  # until when, ns
        # Half of the descriptors are left to sources, files and libzmq.
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = most or min(MOST_CONNECTIONS, files // 2)

    def __len__(self) -> int:
        with self._lock:
            return len(self._all)

    def __contains__(self, descriptor: object) -> bool:
        with self._lock:
            return descriptor in self._all

    def at(self, endpoint: str) -> int:
        """How many there are at one endpoint of ours.

        Known by its port or path: one that is bound to all addresses is told of with the address
        that was reached.
        """
        with self._lock:
            places = [connection.endpoint.rpartition(":")[2] for connection in self._all.values()]
        return places.count(endpoint.rpartition(":")[2])

    def fileno(self) -> int:
        """What to poll."""
        return self._sending.fileno()

    def close(self) -> None:
        """Look at nobody any more."""
        self._sending.close()

    def came(self, descriptor: int, endpoint: str, now_ns: int, measure: Measure) -> None:
        """A connection was accepted. It is cut at once when there are too many."""
        with self._lock:
            self._all[descriptor] = Connection(endpoint, now_ns, measure)
            with suppress(OSError), _shared(descriptor, endpoint) as sock:
                out_until_ns = self._out_until_ns.get(_peer(sock), 0)
                if now_ns < out_until_ns or len(self._all) > self._most:
                    self._cut(descriptor)
                elif sock is not None:
                    self._await(descriptor)

    def went(self, descriptor: int) -> None:
        """A connection has ended."""
        with self._lock:
            self._forget(descriptor)

    def subscribes(self, descriptor: int, prefix: bytes, now_ns: int) -> None:
        """A subscription came. Who has too many is cut, and they end with the connection."""
        with self._lock:
            connection = self._all.get(descriptor)
            if connection is None or prefix in connection.prefixes:
                return
            connection.prefixes.add(prefix)
            connection.prefix_bytes += len(prefix)
            too_long = connection.prefix_bytes > MOST_PREFIX_BYTES
            if too_long or len(connection.prefixes) > MOST_PREFIXES:
                self._cut(descriptor, now_ns)

    def heed(self, now_ns: int) -> float | None:
        """Look at those who have sent something; in how many seconds again, None: when told to."""
        with self._lock:
            for descriptor in [fd for fd, until_ns in self._resting.items() if until_ns <= now_ns]:
                del self._resting[descriptor]
                self._await(descriptor)
            for descriptor, _ in self._sending.poll(0):
                connection = self._all.get(descriptor)
                if connection is None:
                    continue
                if self._look_at(descriptor, connection, now_ns) >= MUCH_BYTES:
                    self._await(descriptor)
                else:
                    self._resting[descriptor] = now_ns + connection.measure.rest_s * 1e9
            if not self._resting:
                return None
            return max(0.0, (min(self._resting.values()) - now_ns) / 1e9)

    def look(self, now_ns: int) -> None:
        """Cut who has sent more than any subscriber has to say; forget who is not there any more.

        (Where a socket is unbound, libzmq ends the connections without a word.)
        """
        with self._lock:
            for descriptor, connection in list(self._all.items()):
                self._look_at(descriptor, connection, now_ns)

    def _look_at(self, descriptor: int, connection: Connection, now_ns: int) -> int:
        """What he sent since the last time, bytes."""
        measure, before = connection.measure, connection.received
        with suppress(OSError), _shared(descriptor, connection.endpoint) as sock:
            if sock is None:
                self._forget(descriptor)
                return 0
            acknowledged, connection.received = _moved_bytes(sock)
            allowed = ALLOWANCE_BYTES + measure.rate * (now_ns - connection.since_ns) / 1e9
            if connection.received > allowed + measure.share * acknowledged:
                self._cut(descriptor, now_ns)
        return connection.received - before

    def _await(self, descriptor: int) -> None:
        """Be told once when something comes over the connection."""
        told = select.EPOLLIN | select.EPOLLONESHOT
        if descriptor in self._all:
            with suppress(OSError):  # it was closed, of which we have yet to hear
                try:
                    self._sending.modify(descriptor, told)
                except FileNotFoundError:
                    self._sending.register(descriptor, told)

    def _forget(self, descriptor: int) -> Connection | None:
        self._resting.pop(descriptor, None)
        return self._all.pop(descriptor, None)

    def _cut(self, descriptor: int, culprit_at_ns: int | None = None) -> None:
        """Shut it down; libzmq, whose it is, then closes it as any that the peer has left.

        ``culprit_at_ns``: when the peer was found to have asked for too much.
        """
        connection = self._all.get(descriptor)
        if connection is None:
            return
        with suppress(OSError), _shared(descriptor, connection.endpoint) as sock:
            self._forget(descriptor)
            self.cut += 1
            if sock is not None:
                if culprit_at_ns is not None and (peer := _peer(sock)):
                    self._out_until_ns[peer] = culprit_at_ns + PENALTY_S * 1e9
                    while len(self._out_until_ns) > MOST_PENALTIES:
                        del self._out_until_ns[next(iter(self._out_until_ns))]
                with suppress(OSError):  # the peer was quicker
                    sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def _shared(descriptor: int, endpoint: str) -> Iterator[socket.socket | None]:
    """The connection behind a file descriptor of libzmq; None when it is another file's by now.

    :raises OSError: when no descriptor is left to look at it by, so that nobody can tell.
    """
    try:
        own = os.dup(descriptor)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        yield None
        return
    try:
        sock = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        yield None
        return
    with sock:
        yield sock if _is_at(sock, endpoint) else None


def _is_at(sock: socket.socket, endpoint: str) -> bool:
    name = sock.getsockname()
    if isinstance(name, tuple):
        return endpoint.endswith(f":{name[1]}")
    return endpoint.endswith(str(name))


def _peer(sock: socket.socket | None) -> str:
    """The address at the other end; nothing for paths, and when it is gone."""
    with suppress(OSError):
        name = sock.getpeername() if sock else None
        if isinstance(name, tuple):
            return str(name[0])
    return ""


def _moved_bytes(sock: socket.socket) -> tuple[int, int]:
    """What the peer acknowledged and what he sent over a TCP connection so far; 0 for others."""
    if sock.family == socket.AF_UNIX:
        return 0, 0
    known = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)
    if len(known) < INFO_BYTES:  # an older kernel
        return 0, 0
    acknowledged, received = struct.unpack_from("QQ", known, ACKNOWLEDGED_AT)
    return acknowledged, received
