"""The publisher's side of the delivery socket: who asked for what, and what he is sent when.

Never waits, whoever is on the other side: a ROUTER that cannot send says so, and what comes in is
read up to a budget.
"""

import errno
from collections.abc import Iterator, Mapping, Sequence

import zmq

from pipeline.demand import Demand
from pipeline.errors import WireError
from pipeline.wire import FrameKind
from pipeline.wire import Listener as Told
from pipeline.wire.delivery import (
    SILENCE_S,
    Ack,
    Answer,
    Bye,
    Delivery,
    Greeting,
    Hello,
    Ping,
    Pong,
    Refusal,
    encode_answer,
)

from .lines import NewestLine, Parts
from .listener import Listener
from .peer import Peer
from .requests import BUDGET, PRICE_OF_RUBBISH, PRICES, read, rubbish
from .wishes import Wishes

MOST_PEERS = 100
STATUS = encode_answer(Delivery())


class Desk:
    """All subscribers of the delivery socket. Belongs to the stage's thread.

    It outlives the socket, which a stage that is run again opens anew: ``use`` tells it which.
    ``names``: the subscribers that are waited for; of each up to ``window`` messages are kept, and
    for ``grace_s`` it is waited for.
    """

    def __init__(
        self, publisher: str, demand: Demand, names: Sequence[str], window: int, grace_s: float
    ) -> None:
        self.rubbish = 0
        self.ignored = 0
        self._skipped = 0
        self._publisher = publisher
        self._wishes = Wishes(demand)
        self._listeners = {name: Listener(name, window, grace_s) for name in names}
        self._peers: dict[bytes, Peer] = {}
        self._router: zmq.Socket[bytes] | None = None
        self._ended = False

    def use(self, router: "zmq.Socket[bytes]", now_ns: int) -> None:
        """Begin, with a socket that is bound."""
        self._router, self._ended = router, False
        self._peers.clear()
        self._wishes.forget()
        for name, listener in self._listeners.items():
            listener.leave(now_ns)
            if not listener.settled:
                self._wishes.ask(name, listener.hello)

    def listen(self, now_ns: int) -> bool:
        """Hear what there is, forget who is silent, send what there is room for.

        Says if somebody new is here, to whom a status is owed.
        """
        someone_new = self._hear(now_ns)
        for peer in list(self._peers.values()):
            if peer.is_gone or now_ns - peer.heard_ns >= SILENCE_S * 1e9:
                self._forget(peer, now_ns)
            else:
                self._serve(peer)
        for name, listener in self._listeners.items():
            if listener.give_up_if_late(now_ns):
                self._wishes.withdraw(name)
                if listener.route is not None:
                    self._go_on(self._peers[listener.route])
        return someone_new

    def wait(self, timeout_s: float) -> None:
        """Until something comes in."""
        self._socket.poll(round(timeout_s * 1000))

    @property
    def held_up(self) -> bool:
        """If a subscriber must be waited for before the next frame is taken."""
        return any(listener.holds_up for listener in self._listeners.values())

    def keeps(self, stream: str, kind: FrameKind) -> bool:
        """If somebody may lose no message of these."""
        return any(listener.keeps(stream, kind) for listener in self._listeners.values())

    def told(self) -> tuple[Told, ...]:
        """The subscribers that are waited for, for the status."""
        return tuple(listener.told() for listener in self._listeners.values())

    def subscribers(self) -> dict[str, int]:
        """How many are here, by mode."""
        lossless = sum(peer.listener is not None for peer in self._peers.values())
        return {"credit": len(self._peers) - lossless, "lossless": lossless}

    def waiting(self) -> dict[str, int]:
        """Messages that are kept for them, by mode."""
        newest = sum(peer.line.kept for peer in self._peers.values() if peer.listener is None)
        return {"credit": newest, "lossless": sum(told.unacknowledged for told in self.told())}

    def skipped(self) -> dict[str, int]:
        """Messages that gave way to newer ones, or were given up, by mode."""
        return {"credit": self._skipped, "lossless": sum(told.lost for told in self.told())}

    def offer(self, stream: str, kind: FrameKind, parts: Parts) -> None:
        """A message is published: it is sent, kept or passed over, for each as he asked."""
        for listener in self._listeners.values():
            listener.offer(stream, kind, parts)
        for peer in list(self._peers.values()):
            if peer.hello.wants(stream, kind):
                if peer.listener is None:
                    self._skipped += peer.line.offer(stream, kind, parts)
                self._serve(peer)

    def tell(self, statuses: Mapping[str, Parts]) -> None:
        """Send the statuses of all streams, each to who wants the stream; they are not kept."""
        for peer in self._peers.values():
            peer.is_told = True
            for stream, parts in statuses.items():
                if peer.hello.wants(stream, "status"):
                    self._send(peer.route, [STATUS, *parts])

    def end(self, now_ns: int) -> None:
        """Everything was offered and told."""
        self._ended = True
        for listener in self._listeners.values():
            listener.end(now_ns)
        for peer in self._peers.values():
            peer.line.end()

    def settled(self) -> bool:
        """If all that may not be lost has been acknowledged, or given up."""
        return all(listener.settled for listener in self._listeners.values())

    def served(self) -> bool:
        """If nothing waits for anybody, and all who get only the newest have heard of the end."""
        return not any(
            peer.line.waits or (peer.listener is None and peer.line.under_way)
            for peer in self._peers.values()
        )

    def dismiss(self) -> None:
        """Tell all who get only the newest that the end is here, though they have no room."""
        for peer in self._peers.values():
            if isinstance(peer.line, NewestLine):
                peer.line.forget_waiting()
                if peer.line.waits and self._send(peer.route, peer.line.head()):
                    peer.line.sent()

    def _hear(self, now_ns: int) -> bool:
        """Hellos are answered last: what a subscriber has acknowledged on the connection before
        may be read behind the hello of the next one."""
        budget, someone_new, hellos = BUDGET, False, dict[bytes, Hello]()
        for route, parts in self._incoming():
            try:
                request = read(parts)
                if route in hellos:
                    someone_new |= self._welcome(route, hellos.pop(route), now_ns)
                if isinstance(request, Hello):
                    hellos[route] = request
                else:
                    self._answer(route, request, now_ns)
                budget -= PRICES[type(request)]
            except WireError as error:
                self.rubbish += 1
                self.ignored += 1
                budget -= PRICE_OF_RUBBISH
                self._say(route, Refusal("malformed", str(error)))
            if budget <= 0:
                break
        for route, hello in hellos.items():
            someone_new |= self._welcome(route, hello, now_ns)
        return someone_new

    def _incoming(self) -> Iterator[tuple[bytes, list[bytes]]]:
        while self._socket.poll(0):
            route, *parts = self._socket.recv_multipart()
            yield route, parts

    def _answer(self, route: bytes, request: Ack | Ping | Bye, now_ns: int) -> None:
        """Do what is asked.

        :raises WireError: when it cannot be meant.
        """
        peer = self._peers.get(route)
        if peer is None:
            self._say(route, Refusal("unknown", "say hello first"))
            return
        peer.heard_ns = now_ns
        match request:
            case Ack(number) if not peer.acknowledge(number):
                raise rubbish(f"an acknowledgement of {number}, which was not sent")
            case Ping():
                self._say(route, Pong())
            case Bye():
                self._leave(peer, now_ns)

    def _welcome(self, route: bytes, hello: Hello, now_ns: int) -> bool:
        """True for a subscriber who is here now."""
        if before := self._peers.get(route):
            self._forget(before, now_ns)
        listener = self._listeners.get(hello.name) if hello.mode == "lossless" else None
        if hello.mode == "lossless" and listener is None:
            self._say(route, Refusal("name", f"{hello.name!r} is not in publish.lossless"))
            return False
        if listener is None and len(self._peers) >= MOST_PEERS:
            self._say(route, Refusal("full", f"{len(self._peers)} subscribers are here"))
            return False
        if listener and not self._has(listener, hello, now_ns):
            self._say(route, Refusal("after", f"{hello.name!r} was not sent so much in this run"))
            return False
        line = listener.line if listener else NewestLine()
        # First of all: a connection that is gone, whose hello was read late, takes nobody's place.
        if not self._say(route, Greeting(self._publisher, line.following)):
            return False
        if listener:
            self._seat(listener, route, hello)
        elif self._ended:
            line.end()
        self._wishes.ask(listener.name if listener else route, hello)
        self._peers[route] = Peer(route, hello, line, now_ns, listener)
        return True

    def _has(self, listener: Listener, hello: Hello, now_ns: int) -> bool:
        """Take note of what it has already; False when that cannot be."""
        after = hello.after
        is_ours = after is not None and after.publisher == self._publisher
        return after is None or not is_ours or listener.acknowledge(after.number, now_ns)

    def _seat(self, listener: Listener, route: bytes, hello: Hello) -> None:
        """Put who may lose nothing on this connection, instead of any other."""
        if before := self._peers.pop(listener.route or b"", None):
            self._say(before.route, Refusal("taken", "another connection has this name now"))
        listener.arrive(route, hello)

    def _go_on(self, peer: Peer) -> None:
        """Tell who was given up while he is here that what was kept for him does not come."""
        self._say(peer.route, Greeting(self._publisher, peer.line.following))
        self._serve(peer)

    def _leave(self, peer: Peer, now_ns: int) -> None:
        """Nothing is kept for him."""
        if peer.listener:
            peer.listener.say_bye()
            self._wishes.withdraw(peer.listener.name)
        self._forget(peer, now_ns)

    def _forget(self, peer: Peer, now_ns: int) -> None:
        """The connection is gone. What a listener wanted is wanted until it is given up."""
        del self._peers[peer.route]
        if peer.listener:
            peer.listener.leave(now_ns)
        else:
            self._wishes.withdraw(peer.route)

    def _serve(self, peer: Peer) -> None:
        """Send what waits while there is room; the end not before the last status."""
        if self._ended and not peer.is_told:
            return
        while peer.line.waits and peer.line.under_way < peer.hello.credit:
            if not self._send(peer.route, peer.line.head()):
                return
            peer.line.sent()

    @property
    def _socket(self) -> "zmq.Socket[bytes]":
        assert self._router is not None
        return self._router

    def _say(self, route: bytes, answer: Answer) -> bool:
        return self._send(route, [encode_answer(answer)])

    def _send(self, route: bytes, parts: Parts) -> bool:
        """False when his connection is full or gone."""
        try:
            self._socket.send_multipart([route, *parts], zmq.DONTWAIT)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, errno.EHOSTUNREACH):
                raise
            if error.errno == errno.EHOSTUNREACH and (peer := self._peers.get(route)):
                peer.is_gone = True
            return False
        return True
