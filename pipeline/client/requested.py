"""The modes ``credit`` and ``lossless``: what was asked for on the delivery socket.

What is said there is in docs/PROTOCOL.md, section 12. The records socket is needed only for the
welcome, which says where the delivery socket is.
"""

import logging
import threading
from collections.abc import Iterator

import zmq

from ..clock import Clock
from ..errors import EndpointError
from ..wire import WELCOME, Status, Welcome, decode_welcome, open_envelope
from ..wire.delivery import (
    PING_S,
    SILENCE_S,
    Ack,
    Bye,
    Delivery,
    End,
    Greeting,
    Ping,
    Pong,
    Refusal,
    Request,
    decode_answer,
    encode_request,
)
from ..wire.endpoints import Endpoint, parse_endpoint
from ..wire.fields import wrong
from .books import Books
from .link import Link
from .mailbox import Letter
from .order import Order, check, hello_of
from .progress import Progress
from .sockets import BURST, Parts, Wanted, connect, open_socket, receive_message, watch_handshakes
from .waking import Waking

LEAVING_MS = 1_000
"""What the last acknowledgement gets to leave."""
FATAL = {
    "name": ("a name in the publisher's publish.lossless", "Add it there, or take another mode"),
    "taken": ("to be the only one of this name", "Give each lossless subscriber its own name"),
    "after": (
        "to go on after a message that this publisher has sent under this name",
        "Is what was written down of another name? Correct it, or leave resume_after out",
    ),
}

log = logging.getLogger("maskstream.client")


class Requested:
    """What was asked for; implements ``transport.Transport``.

    :raises ValueError: when no publisher would understand what is asked for.
    :raises EndpointError: when an endpoint cannot be connected to.
    """

    def __init__(self, wanted: Wanted, order: Order, books: Books, clock: Clock) -> None:
        check(wanted, order)
        self._wanted = wanted
        self._order = order
        self._books = books
        self._clock = clock
        self._progress = Progress(order.mode, order.after)
        self._lock = threading.Lock()
        self._done_with: Letter | None = None
        self._waking = Waking()
        self._failure: EndpointError | None = None
        self._link: Link | None = None
        self._welcomed = self._gave_up = False
        self._heard_ns = self._asked_ns = self._pinged_ns = 0
        self._context = zmq.Context()
        self._records = open_socket(self._context, zmq.SUB, wanted, wanted.records)
        self._handshakes = watch_handshakes(self._context, self._records, wanted)
        self._records.subscribe(WELCOME)
        try:
            connect(self._records, wanted.records)
            if wanted.delivery:
                self._go(wanted.delivery)
        except EndpointError:
            self.close()
            raise

    def receive(self, timeout_ms: int) -> Iterator[Parts]:
        if self._failure:
            raise self._failure
        self._handshakes.check()
        self._keep_alive()
        self._pass_on()
        poller = zmq.Poller()
        sockets = [self._records] + ([self._link.dealer] if self._link else [])
        for sock in [self._records, *(self._link.sockets if self._link else ())]:
            poller.register(sock, zmq.POLLIN)
        poller.register(self._waking.fileno(), zmq.POLLIN)
        ready = dict(poller.poll(timeout_ms))
        self._waking.clear()
        for sock in sockets:
            for _ in range(BURST if sock in ready else 0):
                if sock.closed or not sock.poll(0):
                    break
                yield receive_message(sock)

    def open(self, parts: Parts) -> Letter | None:
        if parts[0].startswith(WELCOME):
            self._follow(decode_welcome(parts[0]))
            return None
        self._heard_ns, self._gave_up = self._clock.now_ns(), False
        answer = decode_answer(parts[0])
        match answer:
            case Delivery(None, _):
                return Letter(open_envelope(parts[1:]), parts[1:])
            case Delivery():
                return self._message(answer, parts[1:])
            case Greeting():
                self._welcomed = True
                self._progress.greet(answer)
            case End(number):
                self._progress.end(number)
                is_credit = self._order.mode == "credit"
                self._books.settle(self._progress.session if is_credit else None)
            case Refusal():
                self._heed(answer)
            case Pong():
                pass
        return None

    def learn(self, status: Status, publisher: str) -> None:
        """A status overtakes what waits, and the welcome said where the socket is."""

    def is_over(self) -> bool:
        self._pass_on()
        if self._progress.ended or (self._progress.heard_end and self._is_left()):
            return True
        named = self._wanted.streams is not None
        return named and self._progress.idle and self._books.all_over(None)

    def acknowledge(self, letter: Letter) -> None:
        with self._lock:
            self._done_with = letter
        self._waking.wake()

    def void(self, letter: Letter) -> None:
        if letter.number is not None:
            self._progress.void(letter.number)

    def close(self) -> None:
        self._pass_on()
        if self._order.mode == "credit" or not self._progress.ended:
            self._leave()
        self._records.close(0)
        if self._link:
            self._link.close(LEAVING_MS)
        self._handshakes.close()
        self._context.term()
        self._waking.close()

    def _leave(self) -> None:
        """Say bye, unless the publisher should wait for this subscriber's next life."""
        everything = self._wanted.streams is not None and self._books.all_over(None)
        if self._order.mode == "credit" or (everything and self._progress.idle):
            self._send(Bye())

    def _message(self, delivery: Delivery, parts: Parts) -> Letter | None:
        number = delivery.number
        assert number is not None
        if not self._progress.receive(number):
            return None  # it was sent again, and is here already
        try:
            envelope = open_envelope(parts)
            if envelope.kind not in self._wanted.kinds:
                raise wrong("message.kind", " or ".join(self._wanted.kinds), envelope.kind)
        except BaseException:
            self._progress.void(number)  # nobody will take it, so nobody will acknowledge it
            raise
        return Letter(envelope, parts, number, delivery.skipped, self._progress.session)

    def _heed(self, refusal: Refusal) -> None:
        """Do what an error asks for."""
        if refusal.error in FATAL:
            wanted, remedy = FATAL[refusal.error]
            where = f"subscriber {self._order.name!r} to {self._wanted.records}"
            got = repr(refusal.text)
            self._failure = EndpointError(where=where, wanted=wanted, got=got, remedy=remedy)
        elif refusal.error == "unknown":
            self._asked_ns = 0 if self._welcomed else self._asked_ns
            self._welcomed = False
        else:
            log.warning("the publisher says: %r", refusal.text)

    def _follow(self, welcome: Welcome) -> None:
        """Go where the delivery socket is said to be; a publisher that is new must be asked anew.

        :raises EndpointError: when that is no address.
        """
        at = self._wanted.delivery
        if at is None and welcome.delivery:
            announced = parse_endpoint(welcome.delivery, "publisher's announcement of its delivery")
            at = announced.seen_through(self._wanted.records)
        if at is None:
            self._failure = EndpointError(
                where=f"subscriber to {self._wanted.records}",
                wanted=f"a publisher that delivers on request, for the mode {self._order.mode}",
                got="one of an older version",
                remedy="Take another mode, or a newer publisher",
            )
        elif self._link is None or at != self._link.at or self._is_another(welcome.publisher):
            self._go(at)

    def _go(self, at: Endpoint) -> None:
        """Connect anew."""
        if self._link:
            self._link.close(0)
            self._link = None
        self._link = Link(self._context, self._wanted, at)
        self._welcomed, self._asked_ns = False, 0
        self._heard_ns = self._clock.now_ns()

    def _is_another(self, publisher: str) -> bool:
        """If it took the place of the one who answered; before any did, the first hello is out."""
        return self._progress.session > 0 and self._progress.publisher != publisher

    def _is_left(self) -> bool:
        """If the publisher did not wait for us, as he does only where nothing may be lost, and
        there only so long."""
        if self._gave_up and self._progress.done:
            return True
        is_up = self._link is not None and self._link.is_up
        return self._order.mode == "credit" and not is_up

    def _keep_alive(self) -> None:
        now_ns = self._clock.now_ns()
        if self._link and now_ns - self._heard_ns >= SILENCE_S * 1e9:
            self._gave_up = True
            self._go(self._link.at)
        if self._link and self._link.came_up():
            self._welcomed, self._asked_ns = False, 0  # libzmq connects to who may not know us
        if not self._welcomed:
            hello = hello_of(self._wanted, self._order, self._progress.position())
            if now_ns - self._asked_ns >= PING_S * 1e9 and self._send(hello):
                self._asked_ns = now_ns
        elif now_ns - self._pinged_ns >= PING_S * 1e9 and self._send(Ping()):
            self._pinged_ns = now_ns

    def _pass_on(self) -> None:
        """Acknowledge what the program is done with, and what it will never see."""
        with self._lock:
            letter, self._done_with = self._done_with, None
        if letter is not None:
            self._progress.done_with(letter)
        number = self._progress.owed()
        if number is not None and self._welcomed and self._send(Ack(number)):
            self._progress.told(number)

    def _send(self, request: Request) -> bool:
        """False when nobody is connected."""
        return self._link is not None and self._link.send(encode_request(request))
