"""The bound sockets of a publisher: records on one, pictures on another, delivery on a third.

A backlog of pictures then never delays a record. XPUB drops for a subscriber that does not keep up
and never waits for one; it also says who subscribes to what, which goes into the Demand. What is
said on the third one is for ``delivery``.
"""

import errno
import socket
from collections.abc import Sequence

import zmq

from pipeline.demand import Demand
from pipeline.errors import EndpointError
from pipeline.wire import PICTURES, RECORDS, Kind, Welcome, encode_welcome
from pipeline.wire.delivery import MOST_CREDIT
from pipeline.wire.endpoints import Endpoint, parse_endpoint

HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 2_000, 6_000
LARGEST_SUBSCRIPTION_BYTES = 4_096
"""Whoever sends more is cut off. libzmq keeps subscriptions in a tree, a byte a level, and walks it
recursively: one of 10 MB overflows the stack."""
ROUTER_WAITING = 4 * MOST_CREDIT
"""Messages and statuses that wait for one subscriber; no more messages than this are under way."""
MOST_HEARD = 2_000
"""Messages that one ``listen`` takes at most, so that a flood of rubbish cannot hold up frames."""

EXPOSED = "Use tcp://127.0.0.1:PORT (and a tunnel), or say publish.insecure=true"
REASONS = {
    errno.EADDRINUSE: ("one that is in use", "End the other program or take tcp://127.0.0.1:*"),
    errno.EADDRNOTAVAIL: ("one that this machine does not have", "Take tcp://127.0.0.1:PORT"),
    errno.ENODEV: ("one that this machine does not have", "Take tcp://127.0.0.1:PORT"),
}


class Outlet:
    """Two bound XPUB sockets and a ROUTER. They belong to the one thread that calls.

    ``records``, ``pictures``, ``delivery``: where they are bound. ``router``: the third one, which
    raises when it cannot send.

    :raises EndpointError: when an endpoint is bad, in use, or reaches beyond this machine
        without ``insecure``.
    """

    def __init__(
        self,
        records: str,
        pictures: str,
        *,
        publisher: str,
        demand: Demand,
        insecure: bool,
        waiting: tuple[int, int],
        delivery: str = "",
    ) -> None:
        self._demand = demand
        self._context = zmq.Context()
        self._bound: list[zmq.Socket[bytes]] = []
        self._sockets: dict[Kind, zmq.Socket[bytes]] = {}
        self._subscriptions: dict[Kind, set[bytes]] = {"meta": set(), "annotated": set()}
        self.rubbish = 0
        try:
            wanted = _checked(records, "publish.endpoint", insecure)
            sock, self.records = self._open(zmq.XPUB, wanted, "publish.endpoint", waiting[0])
            self._sockets |= dict.fromkeys(RECORDS, sock)
            self.pictures = self._open_pictures(wanted, pictures, insecure, waiting[1])
            self.delivery = self._open_delivery(wanted, delivery, insecure)
            said = Welcome(publisher, str(self.pictures), str(self.delivery))
            self._sockets["meta"].set(zmq.XPUB_WELCOME_MSG, encode_welcome(said))
        except BaseException:
            self.close(linger_s=0)
            raise

    def send(self, kind: Kind, parts: Sequence[bytes]) -> None:
        """Send one message to whom it concerns. Never waits."""
        self._sockets[kind].send_multipart(parts)

    def listen(self) -> bool:
        """Take note of who came and went; say if somebody new wants records. Never waits."""
        self._hear("annotated", PICTURES)
        return self._hear("meta", RECORDS)

    def close(self, linger_s: float) -> None:
        """Close the sockets, giving what is under way ``linger_s`` to leave."""
        for sock in self._bound:
            sock.close(linger=round(linger_s * 1000))
        self._demand.clear((*RECORDS, *PICTURES))
        self._context.term()

    def _open_pictures(
        self, records: Endpoint, pictures: str, insecure: bool, waiting: int
    ) -> Endpoint:
        where = "publish.pictures"
        wanted = _checked(pictures, where, insecure) if pictures else records.for_pictures()
        sock, at = self._open_beside(zmq.XPUB, wanted, where, waiting, asked=bool(pictures))
        self._sockets |= dict.fromkeys(PICTURES, sock)
        return at

    def _open_delivery(self, records: Endpoint, delivery: str, insecure: bool) -> Endpoint:
        where = "publish.delivery"
        wanted = _checked(delivery, where, insecure) if delivery else records.for_delivery()
        self.router, at = self._open_beside(
            zmq.ROUTER, wanted, where, ROUTER_WAITING, asked=bool(delivery)
        )
        return at

    def _open_beside(
        self, kind: int, wanted: Endpoint, where: str, waiting: int, *, asked: bool
    ) -> "tuple[zmq.Socket[bytes], Endpoint]":
        try:
            return self._open(kind, wanted, where, waiting)
        except EndpointError:
            if asked or wanted.port is None:
                raise
        # Nobody asked for this port; subscribers are told which one it became.
        return self._open(kind, Endpoint("tcp", wanted.place, 0), where, waiting)

    def _open(
        self, kind: int, wanted: Endpoint, where: str, waiting: int
    ) -> "tuple[zmq.Socket[bytes], Endpoint]":
        sock: zmq.Socket[bytes] = self._context.socket(kind)
        sock.linger = 0
        sock.sndhwm = waiting
        sock.set(zmq.MAXMSGSIZE, LARGEST_SUBSCRIPTION_BYTES)
        if kind == zmq.XPUB:
            # Every subscription is reported, also the second of a kind: see _hear.
            sock.set(zmq.XPUB_VERBOSE, 1)
        else:
            sock.set(zmq.ROUTER_MANDATORY, 1)
        sock.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        sock.set(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        sock.set(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
        sock.set(zmq.IPV6, int(wanted.is_ipv6))
        try:
            _bind(sock, wanted, where)
        except EndpointError:
            sock.close()
            raise
        self._bound.append(sock)
        return sock, parse_endpoint(sock.getsockopt_string(zmq.LAST_ENDPOINT), where)

    def _hear(self, socket_of: Kind, kinds: Sequence[Kind]) -> bool:
        """Drain what subscribers sent.

        XPUB tells of the end of a prefix when nobody is left who wants it. A set of prefixes is
        therefore exact, whatever twice-subscribers and senders of rubbish do; a count is not.
        """
        sock, known = self._sockets[socket_of], self._subscriptions[socket_of]
        someone_new = False
        for _ in range(MOST_HEARD):
            if not sock.poll(0):
                break
            parts = sock.recv_multipart()
            prefix = parts[0][1:]
            if len(parts) > 1 or parts[0][:1] not in (b"\x00", b"\x01"):
                self.rubbish += 1
            elif parts[0][0] == 1:
                someone_new = True
                if prefix not in known and self._demand.add(prefix, kinds):
                    known.add(prefix)
            elif prefix in known:
                known.remove(prefix)
                self._demand.remove(prefix, kinds)
        return someone_new


def _checked(address: str, where: str, insecure: bool) -> Endpoint:
    endpoint = parse_endpoint(address, where)
    if not endpoint.is_local and not insecure:
        raise EndpointError(
            where=where,
            wanted="an address that only this machine reaches",
            got=f"{endpoint}, which others reach, and nothing is encrypted",
            remedy=EXPOSED,
        )
    return endpoint


def _bind(sock: "zmq.Socket[bytes]", wanted: Endpoint, where: str) -> None:
    if wanted.scheme == "ipc" and _answers(wanted.place):
        got, remedy = REASONS[errno.EADDRINUSE]
        raise EndpointError(where=where, wanted=_free(wanted), got=got, remedy=remedy)
    name = "127.0.0.1" if wanted.place == "localhost" else wanted.place  # bind resolves no names
    try:
        sock.bind(str(Endpoint(wanted.scheme, name, wanted.port)))
    except zmq.ZMQError as error:
        unknown = (zmq.strerror(error.errno or 0), "Take tcp://127.0.0.1:5555")
        got, remedy = REASONS.get(error.errno or 0, unknown)
        raise EndpointError(where=where, wanted=_free(wanted), got=got, remedy=remedy) from error


def _free(wanted: Endpoint) -> str:
    return f"{wanted} to be a free address of this machine"


def _answers(path: str) -> bool:
    """If a program listens on a Unix socket. libzmq would take the path away from it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
