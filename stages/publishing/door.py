"""The door of a publisher: it asks who comes for his key, and turns out who asks for too much.

libzmq asks for keys by ZAP (RFC 27) over a socket inside the process, once for each handshake. So
a key that is withdrawn later is noticed here, and whoever owns the sockets has to open them anew.
"""

import logging
import math
import threading
from collections.abc import Container, Iterator

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from pipeline.clock import Clock
from pipeline.keys import HANDSHAKE_MS, KEY_BYTES, ZAP_DOMAIN, Keys, lock_server

from .allowed import AllowList
from .connections import Connections, Measure

ZAP = "inproc://zeromq.zap.01"
ALLOWED, DENIED = b"200", b"400"
REQUEST_PARTS = 8
"""Of a request about a CURVE key: route, delimiter, version, number, domain, address, identity,
mechanism; then the key."""
LOOK_MS = 200
"""How often the list of who is allowed is read, and all connections are looked at: whose words are
read at once by libzmq, of him the kernel need not tell."""
MOST_AT_ONCE = 200
LOG_GAP_NS = 60_000_000_000
WATCHED = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED

Socket = zmq.Socket[bytes]

log = logging.getLogger("maskstream.publish")


class Door:
    """Watches the sockets of one context from a thread of its own, from ``open`` until the context
    is terminated. With ``keys``, only who is in ``allowed`` gets in.

    ``connections``: who is here. ``failure``: what ended its thread; nobody is watched then, and
    where there are keys nobody gets in.
    """

    def __init__(
        self,
        context: "zmq.Context[Socket]",
        clock: Clock,
        keys: Keys | None = None,
        allowed: AllowList | None = None,
    ) -> None:
        self.connections = Connections()
        self.failure: Exception | None = None
        self._context = context
        self._clock = clock
        self._keys = keys
        self._allowed = allowed
        self._lock = threading.Lock()
        self._let_in: set[str] = set()
        self._revoked = False
        self._refused, self._last_refused = 0, ""
        self._logged_ns = clock.now_ns() - LOG_GAP_NS
        self._zap: Socket = context.socket(zmq.ROUTER)
        self._zap.linger = 0
        self._zap.bind(ZAP)
        self._monitors: dict[Socket, Measure] = {}
        self._thread = threading.Thread(target=self._run, name="maskstream-door", daemon=True)

    def guard(self, sock: Socket, measure: Measure) -> None:
        """Lock and watch a socket that is about to be bound. Before ``open``.

        ``measure``: what a peer may send to it.
        """
        sock.set(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        if self._keys:
            lock_server(sock, self._keys)
        address = f"inproc://maskstream-door-{len(self._monitors)}"
        sock.monitor(address, WATCHED)
        monitor: Socket = self._context.socket(zmq.PAIR)
        # Without a limit: libzmq's thread waits, and everything with it, where events have no room.
        monitor.rcvhwm = 0
        monitor.linger = 0
        monitor.connect(address)
        self._monitors[monitor] = measure

    def open(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def subscribes(self, descriptor: int, prefix: bytes) -> None:
        """A subscription came over a connection. Any thread may tell."""
        self.connections.subscribes(descriptor, prefix, self._clock.now_ns())

    def take_revoked(self) -> bool:
        """If somebody is in whose key was withdrawn. True once: all have to come in anew then."""
        with self._lock:
            revoked, self._revoked = self._revoked, False
            if revoked:
                self._let_in.clear()
            return revoked

    def close(self) -> None:
        """Let go of the context, which is then terminated. An open door closes by that itself."""
        if not self._thread.is_alive():
            self._close()

    def _run(self) -> None:
        poller = zmq.Poller()
        for sock in self._sockets():
            poller.register(sock, zmq.POLLIN)
        poller.register(self.connections, zmq.POLLIN)
        look_ns, rest_s = self._clock.now_ns() + LOOK_MS * 1e6, None
        try:
            while True:
                wait_s = LOOK_MS / 1e3 if rest_s is None else rest_s
                ready = dict(poller.poll(math.ceil(wait_s * 1e3)))
                self._note_connections(ready)
                if self._zap in ready:
                    self._answer_requests()
                now_ns = self._clock.now_ns()
                rest_s = self.connections.heed(now_ns)
                if now_ns >= look_ns:
                    look_ns = now_ns + LOOK_MS * 1e6
                    self._look(now_ns)
        except zmq.ContextTerminated:  # that is how it ends
            self._close()
        except Exception as error:  # it belongs to the stage's thread, which closes the sockets
            self.failure = error

    def _close(self) -> None:
        for sock in self._sockets():
            sock.close(0)
        self.connections.close()

    def _sockets(self) -> list[Socket]:
        return [self._zap, *self._monitors]

    def _note_connections(self, ready: Container[object]) -> None:
        for monitor in self._monitors:
            if monitor not in ready:
                continue
            for parts in _waiting(monitor):
                told = parse_monitor_message(parts)
                if told["event"] == zmq.EVENT_ACCEPTED:
                    endpoint, now_ns = told["endpoint"].decode(), self._clock.now_ns()
                    measure = self._monitors[monitor]
                    self.connections.came(told["value"], endpoint, now_ns, measure)
                elif told["event"] == zmq.EVENT_DISCONNECTED:
                    self.connections.went(told["value"])

    def _answer_requests(self) -> None:
        for parts in _waiting(self._zap):
            if len(parts) < REQUEST_PARTS:
                continue
            route, _, version, number, domain, address, _, mechanism, *credentials = parts
            asked = (version, domain, mechanism) == (b"1.0", ZAP_DOMAIN, b"CURVE")
            key = credentials[0] if len(credentials) == 1 else b""
            name = z85.encode(key).decode() if asked and len(key) == KEY_BYTES else ""
            code, text = (ALLOWED, b"") if self._lets_in(name) else (DENIED, b"not allowed")
            if code == DENIED:
                self._refused += 1
                self._last_refused = f"{name} from {address.decode('ascii', 'replace')}"
            answer = [route, b"", b"1.0", number, code, text, name.encode(), b""]
            self._zap.send_multipart(answer)

    def _lets_in(self, key: str) -> bool:
        if self._allowed is None or key not in self._allowed.keys:
            return False
        with self._lock:
            self._let_in.add(key)
        return True

    def _look(self, now_ns: int) -> None:
        self.connections.look(now_ns)
        if self._allowed:
            withdrawn = self._allowed.look()
            with self._lock:
                self._revoked |= not withdrawn.isdisjoint(self._let_in)
        if now_ns - self._logged_ns >= LOG_GAP_NS and (self._refused or self.connections.cut):
            self._logged_ns = now_ns
            self._log()

    def _log(self) -> None:
        if self._refused:
            told = "refused %d connections whose keys are not allowed, at last %s"
            log.warning(told, self._refused, self._last_refused)
            self._refused = 0
        if self.connections.cut:
            log.warning("cut %d connections that asked for too much", self.connections.cut)
            self.connections.cut = 0


def _waiting(sock: Socket) -> Iterator[list[bytes]]:
    """What is there, but not more than a fair share."""
    for _ in range(MOST_AT_ONCE):
        if not sock.poll(0):
            return
        yield sock.recv_multipart()
