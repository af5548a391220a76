"""How the program's thread wakes the one that receives."""

import contextlib
import socket


class Waking:
    """A pair of sockets, one end of which becomes readable. ``wake`` may be called from any thread,
    also after ``close``."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def fileno(self) -> int:
        """What to poll."""
        return self._ours.fileno()

    def wake(self) -> None:
        with contextlib.suppress(OSError):  # it is full, so he wakes anyway; or it is closed
            self._theirs.send(b"\0")

    def clear(self) -> None:
        """Everything is taken note of."""
        with contextlib.suppress(BlockingIOError):
            while self._ours.recv(4096):
                pass

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
