"""Two ways that messages come: what the publisher sends to everybody, and what was asked for."""

from collections.abc import Iterable
from typing import Protocol

from ..clock import Clock
from ..wire import WELCOME, Status, decode_welcome, open_envelope
from .books import Books
from .mailbox import Letter
from .sockets import Parts, Sockets, Wanted


class Transport(Protocol):
    """For the one thread that receives; ``acknowledge`` may be called from any."""

    def receive(self, timeout_ms: int) -> Iterable[Parts]:
        """What is there, or comes in time.

        :raises EndpointError: when nothing can be had from there.
        """
        ...

    def open(self, parts: Parts) -> Letter | None:
        """What came, as a letter; None when it was for the transport itself.

        :raises StreamError: when it is none of this protocol.
        """
        ...

    def learn(self, status: Status, publisher: str) -> None:
        """A status came: where the publisher's sockets are, its streams, and what it has sent.

        :raises EndpointError: when it says no address.
        """
        ...

    def is_over(self) -> bool:
        """If nothing that is wanted can come any more."""
        ...

    def acknowledge(self, letter: Letter) -> None:
        """The program is done with it, and with all before it."""
        ...

    def void(self, letter: Letter) -> None:
        """It could not be understood: the program will never see it."""
        ...

    def close(self) -> None:
        """Close the sockets."""
        ...


class Broadcast:
    """What is sent to everybody: records and pictures by subscription.

    :raises EndpointError: when an endpoint cannot be connected to.
    """

    def __init__(self, wanted: Wanted, books: Books, clock: Clock) -> None:
        self._sockets = Sockets(wanted)
        self._clock = clock
        self._books = books
        self.receive = self._sockets.receive
        self.close = self._sockets.close

    def open(self, parts: Parts) -> Letter | None:
        if parts[0].startswith(WELCOME):
            self._sockets.follow(decode_welcome(parts[0]).pictures, ())
            return None
        return Letter(open_envelope(parts), parts)

    def learn(self, status: Status, publisher: str) -> None:
        self._books.catch_up(status, publisher)
        self._sockets.follow(status.pictures, status.streams)

    def is_over(self) -> bool:
        return self._books.all_over(self._clock.now_ns())

    def acknowledge(self, letter: Letter) -> None:
        """Nobody waits for it."""

    def void(self, letter: Letter) -> None:
        """Nobody waits for it."""
