"""What becomes of a subscriber's handshakes, so that a wrong key is an error and not silence."""

import logging

import zmq
from zmq.utils.monitor import parse_monitor_message

from ..errors import AccessError

Socket = zmq.Socket[bytes]

MOST_UNEXPLAINED, MOST_UNEXPLAINED_OPEN = 3, 10
"""Handshakes in a row that the publisher ends without a word, with keys and without: one when it
just stops, but each one when the server key is not its own, and most when it asks for keys. Once
one has succeeded we are known to be right: then a publisher is gone behind a tunnel, or has no
room, and is waited for."""
WATCHED = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
OPEN, LOCKED = "a publisher that is open to all", "a publisher with the given server key"
KEYS_NEEDED = "Give keys (--keys FILE, made by `run_stream.py keys new`) and its --server-key"
NOT_ALLOWED = "Give the publisher your .pub file, to put where its --allow says"
WRONG_SERVER = "Take the .pub file of this publisher; `run_stream.py keys show FILE` shows a key"

log = logging.getLogger("maskstream.client")


class Handshakes:
    """Watches one socket, from before it connects. Belongs to the thread of the socket.

    ``where``: the publisher's address, for the message. ``locked``: whether we have keys.
    """

    def __init__(
        self, context: "zmq.Context[Socket]", sock: Socket, where: str, *, locked: bool
    ) -> None:
        self._where = where
        self._locked = locked
        self._unexplained = 0
        self._was_in = False
        address = f"inproc://handshakes-{id(sock)}"
        sock.monitor(address, WATCHED)
        self._events: Socket = context.socket(zmq.PAIR)
        self._events.linger = 0
        self._events.rcvhwm = 0  # libzmq's own thread waits where an event has no room
        self._events.connect(address)

    def check(self) -> None:
        """Look what happened.

        :raises AccessError: when the publisher will not let us in.
        """
        while self._events.poll(0):
            told = parse_monitor_message(self._events.recv_multipart())
            self._judge(told["event"], told["value"])

    def close(self) -> None:
        self._events.close(0)

    def _judge(self, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._unexplained, self._was_in = 0, True
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            raise self._refused("to be allowed in", "a no: our key is not on its list", NOT_ALLOWED)
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._unexplained += 1
            if self._unexplained == (MOST_UNEXPLAINED if self._locked else MOST_UNEXPLAINED_OPEN):
                self._complain()
        elif value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            raise self._mismatch()
        elif value == zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
            got = "one that has another: the server key is another's"
            raise self._refused(LOCKED, got, WRONG_SERVER)

    def _complain(self) -> None:
        """Who asks for other keys than ours may hang up before his greeting is read."""
        got, wanted, remedy = "a connection that it ends each time: ", OPEN, KEYS_NEEDED
        if self._locked:
            got += "the server key is another's, or it is one that has no keys, or no room"
            wanted, remedy = LOCKED, WRONG_SERVER
        else:
            got += "it is one that asks for keys, or has no room, or a tunnel to nobody"
        if not self._was_in:
            raise self._refused(wanted, got, remedy)
        log.warning("subscriber to %s: let in before, now %s; trying on", self._where, got)

    def _mismatch(self) -> AccessError:
        if self._locked:
            got, remedy = "one that has no keys", "Leave out the keys, or is it another publisher?"
            return self._refused("a locked publisher", got, remedy)
        return self._refused(OPEN, "one that asks for keys", KEYS_NEEDED)

    def _refused(self, wanted: str, got: str, remedy: str) -> AccessError:
        where = f"subscriber to {self._where}"
        return AccessError(where=where, wanted=wanted, got=got, remedy=remedy)
