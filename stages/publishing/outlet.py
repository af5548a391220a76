"""The bound sockets of a publisher: records on one, pictures on another, delivery on a third.

A backlog of pictures then never delays a record. XPUB drops for a subscriber that does not keep up
and never waits for one; it also says who subscribes to what, which goes into the Demand. What is
said on the third one is for ``delivery``.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import zmq

from pipeline.clock import Clock, SystemClock
from pipeline.demand import Demand
from pipeline.errors import AccessError, EndpointError
from pipeline.keys import Keys, read_keys
from pipeline.wire import PICTURES, RECORDS, Kind, Welcome, encode_welcome
from pipeline.wire.delivery import MOST_CREDIT
from pipeline.wire.endpoints import Endpoint, parse_endpoint

from .allowed import AllowList
from .binding import bind, bind_again, checked
from .connections import Measure
from .door import Door
from .subscriptions import Subscriptions

SILENCE_MS, PROBE_S, PROBES = 6_000, 2, 2
"""How soon the kernel gives up a connection whose other end has vanished. Not libzmq's heartbeats:
while a peer who sends too much is not read, they abort the whole program when he leaves (libzmq
issues 4364 and 4767). Those of the subscribers are answered, and take effect on both sides."""
LARGEST_SUBSCRIPTION_BYTES = 4_096
"""Whoever sends more is cut off. libzmq keeps subscriptions in a tree, a byte a level, and walks it
recursively: one of 10 MB overflows the stack."""
ROUTER_WAITING = 4 * MOST_CREDIT
"""Messages and statuses that wait for one subscriber; no more messages than this are under way."""
MOST_HEARD = 300
"""Messages that one ``listen`` takes at most, so that a flood of rubbish cannot hold up frames."""
REVIEW_NS = 1_000_000_000

SUBSCRIPTIONS = Measure(rate=16 * 2**10)
"""What a subscriber may say: he has hardly anything to."""
REQUESTS = Measure(rate=4 * 2**10, share=0.5, rest_s=1.0)
"""Here he acknowledges messages, each of which is several times as long as its acknowledgement."""
HUNG_UP = -1
LOCKED_IO_THREADS = 2
"""One encrypts records while another encrypts pictures."""

log = logging.getLogger("maskstream.publish")


@dataclass(frozen=True)
class Lock:
    """What makes the sockets encrypted: the publisher's keys, and who may come in."""

    keys: Keys
    allowed: AllowList


def read_lock(keys: str, allowed: str) -> Lock | None:
    """The lock of the settings ``publish.keys`` and ``publish.allowed``; None without both.

    :raises AccessError: when one is missing or cannot be used.
    """
    if not keys and not allowed:
        return None
    if not keys or not allowed:
        raise AccessError(
            where="publish.keys" if not keys else "publish.allowed",
            wanted="keys (--keys) and a list of who is allowed (--allow) together",
            got="one without the other",
            remedy="See docs/SECURITY.md",
        )
    return Lock(read_keys(Path(keys)), AllowList(Path(allowed)))


class Outlet:
    """Two bound XPUB sockets and a ROUTER. They belong to the one thread that calls.

    ``records``, ``pictures``, ``delivery``: where they are bound. ``router``: the third one, which
    raises when it cannot send.

    ``security``: in the words of the status.

    :raises EndpointError: when an endpoint is bad, in use, or reaches beyond this machine
        without a ``lock`` or ``insecure``.
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
        lock: Lock | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._demand = demand
        self._clock = clock = clock or SystemClock()
        self._context = zmq.Context(LOCKED_IO_THREADS if lock else 1)
        keys, allowed = (lock.keys, lock.allowed) if lock else (None, None)
        self._door = Door(self._context, clock, keys, allowed)
        self._bound: list[tuple[zmq.Socket[bytes], Endpoint]] = []
        self._sockets: dict[Kind, zmq.Socket[bytes]] = {}
        self._subscriptions: dict[Kind, Subscriptions] = {
            "meta": Subscriptions(demand, RECORDS),
            "annotated": Subscriptions(demand, PICTURES),
        }
        self._reviewed_ns = clock.now_ns()
        self.rubbish = 0
        self.ignored = 0
        try:
            open_to_all = insecure or lock is not None
            wanted = checked(records, "publish.endpoint", open_to_all)
            sock, self.records = self._open(zmq.XPUB, wanted, "publish.endpoint", waiting[0])
            self._sockets |= dict.fromkeys(RECORDS, sock)
            self.pictures = self._open_pictures(wanted, pictures, open_to_all, waiting[1])
            self.delivery = self._open_delivery(wanted, delivery, open_to_all)
            said = Welcome(publisher, str(self.pictures), str(self.delivery))
            self._sockets["meta"].set(zmq.XPUB_WELCOME_MSG, encode_welcome(said))
            self.security = self._security(locked=lock is not None)
            self._door.open()
        except BaseException:
            self.close(linger_s=0)
            raise

    def send(self, kind: Kind, parts: Sequence[bytes]) -> None:
        """Send one message to whom it concerns. Never waits."""
        self._sockets[kind].send_multipart(parts)

    def listen(self) -> bool:
        """Take note of who came and went; say if somebody new wants records. Never waits.

        Raises what has ended the door's thread.
        """
        if self._door.failure:
            raise self._door.failure
        if self._door.take_revoked():
            self._reopen()
        now_ns = self._clock.now_ns()
        if now_ns - self._reviewed_ns >= REVIEW_NS:
            self._reviewed_ns = now_ns
            for subscriptions in self._subscriptions.values():
                subscriptions.review(self._door.connections)
        self._hear("annotated")
        return self._hear("meta")

    def connections(self) -> int:
        """How many are connected to the records."""
        return self._door.connections.at(str(self.records))

    def close(self, linger_s: float) -> None:
        """Close the sockets, giving what is under way ``linger_s`` to leave."""
        for sock, _ in self._bound:
            sock.close(linger=round(linger_s * 1000))
        self._door.close()
        self._demand.clear((*RECORDS, *PICTURES))
        self._context.term()

    def _security(self, *, locked: bool) -> str:
        if locked:
            return "curve"
        exposed = [str(endpoint) for _, endpoint in self._bound if not endpoint.is_local]
        if not exposed:
            return "local"
        told = "insecure: %s can be reached by others, nothing is encrypted, nobody is asked"
        log.warning(told, ", ".join(exposed))
        return "insecure"

    def _reopen(self) -> None:
        """Cut all connections: keys are asked for at the handshake only, so all must do it anew.

        Who is still allowed is back after a moment, and sees what he missed by ``pseq``.
        """
        log.warning("a key was withdrawn: cutting all connections, the others may come in again")
        for sock, endpoint in self._bound:
            sock.unbind(str(endpoint))
        for sock, endpoint in self._bound:
            bind_again(sock, endpoint)

    def _open_pictures(
        self, records: Endpoint, pictures: str, insecure: bool, waiting: int
    ) -> Endpoint:
        where = "publish.pictures"
        wanted = checked(pictures, where, insecure) if pictures else records.for_pictures()
        sock, at = self._open_beside(zmq.XPUB, wanted, where, waiting, asked=bool(pictures))
        self._sockets |= dict.fromkeys(PICTURES, sock)
        return at

    def _open_delivery(self, records: Endpoint, delivery: str, insecure: bool) -> Endpoint:
        where = "publish.delivery"
        wanted = checked(delivery, where, insecure) if delivery else records.for_delivery()
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
        sock.set(zmq.TCP_KEEPALIVE, 1)
        sock.set(zmq.TCP_KEEPALIVE_IDLE, PROBE_S)
        sock.set(zmq.TCP_KEEPALIVE_INTVL, PROBE_S)
        sock.set(zmq.TCP_KEEPALIVE_CNT, PROBES)
        sock.set(zmq.TCP_MAXRT, SILENCE_MS)
        sock.set(zmq.IPV6, int(wanted.is_ipv6))
        # Without a limit: libzmq 4.3.5 aborts when a peer for whose messages there is no room hangs
        # up and a heartbeat is due. The door sees to it that nobody sends too much.
        sock.rcvhwm = 0
        self._door.guard(sock, REQUESTS if kind == zmq.ROUTER else SUBSCRIPTIONS)
        try:
            bind(sock, wanted, where)
        except EndpointError:
            sock.close()
            raise
        endpoint = parse_endpoint(sock.getsockopt_string(zmq.LAST_ENDPOINT), where)
        self._bound.append((sock, endpoint))
        return sock, endpoint

    def _hear(self, socket_of: Kind) -> bool:
        """Take what subscribers sent; say if somebody asked for something."""
        sock, subscriptions = self._sockets[socket_of], self._subscriptions[socket_of]
        someone_new = False
        for _ in range(MOST_HEARD):
            try:
                said = sock.recv(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                break
            # Part by part: XPUB may keep the last part of a message to itself, a subscription that
            # is none. Who waited for it would wait for the next subscriber, and swallow that one.
            verb, prefix, descriptor = said.bytes[:1], said.bytes[1:], _descriptor(said)
            if verb == b"\x01":
                someone_new = True
                self._door.subscribes(descriptor, prefix)
                subscriptions.add(prefix, descriptor)
            elif verb == b"\x00" and descriptor == HUNG_UP:
                subscriptions.end(prefix)
            elif verb == b"\x00":
                subscriptions.take_back(prefix, descriptor)
            else:
                self.rubbish += 1
                self.ignored += 1
        return someone_new


def _descriptor(frame: zmq.Frame) -> int:
    """The connection that a message came over; HUNG_UP for what libzmq says when one has ended."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return HUNG_UP
