"""A bad line: a TCP proxy between a subscriber and a publisher that cuts, holds and delays."""

import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
SMALL_BUFFER_BYTES = 32_768
TURN_S = 0.005
MOST_PIECES = 50


@dataclass(eq=False)
class Way:
    """One direction of one connection."""

    source: socket.socket
    target: socket.socket
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)
    is_over: bool = False


class BadLine:
    """Forwards connections to ``port`` of this machine, in a thread of its own, until told not to.

    ``held``: nothing is read, as from a machine that hangs; connections stay. ``refusing``: new
    connections are closed at once. ``delay_s``: on top of each piece, in both directions.
    ``endpoint``: where to connect.
    """

    def __init__(self, port: int) -> None:
        self.held = self.refusing = False
        self.delay_s = 0.0
        self.cuts = self.connections = 0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ways: list[Way] = []
        self._forgotten: list[Way] = []
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bad-line")

    def cut(self) -> None:
        """Close every connection, whatever is under way."""
        with self._lock:
            self.cuts += 1
            for way in self._ways + self._forgotten:
                self._close(way)
            self._forgotten = []

    def forget(self) -> None:
        """Half-open: what is connected now is never heard of again, new connections work."""
        with self._lock:
            self._forgotten += self._ways
            self._ways = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.cut()
        self._listener.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            with selectors.DefaultSelector() as selector:
                with self._lock:  # who cuts closes sockets, in another thread
                    selector.register(self._listener, selectors.EVENT_READ)
                    for way in [] if self.held else filter(_has_room, self._ways):
                        selector.register(way.source, selectors.EVENT_READ, way)
                ready = [key.data for key, _ in selector.select(TURN_S)]
            with self._lock:
                self._turn(ready)

    def _turn(self, ready: list[Way | None]) -> None:
        for way in ready:
            if way is None:
                self._accept()
            elif way in self._ways:
                self._read(way)
        now_s = time.monotonic()
        for way in list(self._ways):
            while not self.held and way.under_way and way.under_way[0][0] <= now_s:
                self._send(way, way.under_way.popleft()[1])
            if way.is_over and not way.under_way:
                self._close(way)

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        if self.refusing:
            near.close()
            return
        far = socket.socket()
        # Small, so that a line that is held is soon noticed by who sends.
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
        try:
            far.connect(("127.0.0.1", self._port))
        except OSError:
            near.close()
            far.close()
            return
        self.connections += 1
        self._ways += [Way(near, far), Way(far, near)]

    def _read(self, way: Way) -> None:
        try:
            data = way.source.recv(CHUNK_BYTES)
        except OSError:
            data = b""
        if data:
            way.under_way.append((time.monotonic() + self.delay_s, data))
        else:
            way.is_over = True  # what is under way still arrives

    def _send(self, way: Way, data: bytes) -> None:
        try:
            way.target.sendall(data)
        except OSError:
            self._close(way)

    def _close(self, way: Way) -> None:
        pair = {way.source, way.target}
        for sock in pair:
            sock.close()
        self._ways = [each for each in self._ways if {each.source, each.target} != pair]


def _has_room(way: Way) -> bool:
    return not way.is_over and len(way.under_way) < MOST_PIECES
