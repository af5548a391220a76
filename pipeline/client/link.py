"""The connection of a subscriber to a delivery socket, which comes and goes."""

import uuid

import zmq
from zmq.utils.monitor import parse_monitor_message

from ..errors import EndpointError
from ..wire.endpoints import Endpoint
from .sockets import Socket, Wanted, connect, open_socket

WATCHED = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class Link:
    """A DEALER and what is known of its connection: ``is_up``, as of the last ``came_up``.
    ``sockets``: what becomes readable.

    Nothing is said while nobody is connected: it would be old when somebody is. ZMQ_IMMEDIATE sees
    to that too, but with it libzmq throws away what came and was not read when a connection ends,
    such as the end. Belongs to one thread.

    :raises EndpointError: when ``at`` is no address.
    """

    def __init__(self, context: "zmq.Context[Socket]", wanted: Wanted, at: Endpoint) -> None:
        self.at = at
        self.dealer = open_socket(context, zmq.DEALER, wanted, at)
        self.is_up = False
        address = f"inproc://link-{uuid.uuid4()}"
        self.dealer.monitor(address, WATCHED)
        self._events: Socket = context.socket(zmq.PAIR)
        self._events.linger = 0
        self._events.rcvhwm = 0  # libzmq's own thread waits where an event has no room
        self._events.connect(address)
        try:
            connect(self.dealer, at)
        except EndpointError:
            self.close(0)
            raise

    @property
    def sockets(self) -> list[Socket]:
        return [self.dealer, self._events]

    def came_up(self) -> bool:
        """Look what happened; if the connection is another one than at the last time."""
        is_new = False
        while self._events.poll(0):
            told = parse_monitor_message(self._events.recv_multipart())
            self.is_up = told["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED
            is_new = self.is_up
        return is_new

    def send(self, part: bytes) -> bool:
        """False when nobody is connected, or he does not read."""
        if not self.is_up:
            return False
        try:
            self.dealer.send(part, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def close(self, linger_ms: int) -> None:
        """Give the last words ``linger_ms`` to leave."""
        self.dealer.close(linger_ms)
        self._events.close(0)
