"""Subscriber: connect, filter, iterate Frames, see gaps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ..clock import Clock, SystemClock
from ..errors import EndpointError, WireError
from ..frame import Frame
from ..wire import (
    DELIVERY_MODES,
    FRAME_KINDS,
    DeliveryMode,
    FrameKind,
    Message,
    Position,
    Status,
    check_stream,
    unpack,
)
from ..wire.endpoints import Endpoint, parse_endpoint
from .books import Books, Statistics
from .mailbox import Letter, Mailbox, Mode
from .order import order_of
from .receiver import Receiver
from .requested import Requested
from .sockets import Wanted, read_lock
from .transport import Broadcast, Transport

SILENCE_POLL_S = 0.1


class Subscriber:
    """The frames of a publisher, one for each message, for one thread to iterate::

        with Subscriber("tcp://127.0.0.1:5555", kinds=("meta", "annotated")) as subscriber:
            for frame in subscriber:
                print(frame.stream, frame.seq, frame.instances, frame.canvas)

    Every kind carries the same header, so each frame has its instances, tracks and counts:
    ``meta`` nothing else, ``annotated`` also ``canvas`` and ``image`` also ``image``, as JPEG.
    Frames of several kinds that show the same moment have the same (stream, epoch, seq).

    ``streams``: names, all by default. ``mode``: ``latest`` (live: of each stream and kind the
    newest, older ones are skipped and counted) or ``all`` (in order, up to ``waiting`` messages,
    then the oldest are skipped and counted), or asked for on the delivery socket: ``credit`` (live:
    the publisher sends the newest when there is room) or ``lossless`` (every message once; he waits
    for who is slow). There, ``credit`` messages (1; 16) may be on their way. A message is
    acknowledged when the next one is taken. ``name``: of a lossless subscriber, one of
    ``publish.lossless``. ``resume_after``: the ``position`` of the last message whose results the
    former life of this program wrote down. ``until_end``: stop when the publisher says that all
    wanted streams have ended; a publisher that vanishes says nothing and is waited for.
    ``timeout_s``: longest silence, not even a status, that iterating puts up with.
    ``pictures``, ``delivery``: their endpoints, when those announced cannot be reached from here (a
    tunnel). ``keys`` (a .key file) and ``server_key`` (the publisher's public key, or its .pub
    file): for a publisher that is locked.

    A thread of its own receives from construction to ``close``.

    :raises EndpointError: when an endpoint is none.
    :raises WireError: when a stream's name is none.
    :raises AccessError: for keys that cannot be used; iterating raises it when the publisher
        will not let us in, or not any more.
    """

    def __init__(
        self,
        endpoint: str,
        streams: Sequence[str] | None = None,
        kinds: Sequence[FrameKind] = ("meta",),
        *,
        mode: Mode | DeliveryMode = "latest",
        waiting: int = 256,
        credit: int | None = None,
        name: str = "",
        resume_after: tuple[str, int] | None = None,
        until_end: bool = True,
        timeout_s: float | None = None,
        pictures: str | None = None,
        delivery: str | None = None,
        keys: str | Path | None = None,
        server_key: str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        _check_choice("kinds", kinds, FRAME_KINDS)
        _check_choice("mode", [mode], ("latest", "all", *DELIVERY_MODES))
        if mode == "all" and not waiting >= 1:
            raise ValueError(f"waiting must be 1 or more, got {waiting}")
        order = order_of(mode, credit, name, resume_after)
        if isinstance(streams, str):  # a sequence of names, each of one letter
            raise ValueError(f"streams must be a list of names, got {streams!r}")
        for stream in streams or ():
            check_stream(stream)
        wanted = Wanted(
            records=_endpoint(endpoint),
            pictures=_endpoint(pictures) if pictures else None,
            streams=None if streams is None else tuple(streams),
            kinds=tuple(kinds),
            delivery=_endpoint(delivery) if delivery else None,
            lock=read_lock(keys, server_key),
        )
        self._endpoint = str(wanted.records)
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._mailbox = Mailbox(mode, order.credit if order else waiting)
        self._books = Books(wanted.streams, wanted.kinds)
        self._taken: Letter | None = None
        self._position: Position | None = None
        self._transport: Transport = (
            Requested(wanted, order, self._books, self._clock)
            if order
            else Broadcast(wanted, self._books, self._clock)
        )
        self._receiver = Receiver(
            self._transport,
            wanted.kinds,
            self._mailbox,
            self._books,
            self._clock,
            until_end=until_end,
        )

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the end or ``close``.

        :raises EndpointError: when the publisher was silent for ``timeout_s``.
        """
        for message in self.messages():
            if message.frame is not None:
                yield message.frame

    def messages(self) -> Iterator[Message]:
        """As iterating, with what a Frame has no place for: kind, publisher, pseq, header.

        :raises EndpointError: when the publisher was silent for ``timeout_s``.
        """
        patience_s = None if self._timeout_s is None else SILENCE_POLL_S
        while not self._mailbox.finished:
            message = self.take(patience_s)
            if message is not None:
                yield message
            else:
                self.check_silence()

    def take(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None when none came in time or none will come.

        The one before is acknowledged by that, where this is asked for.

        :raises EndpointError: when the publisher will not have this subscriber.
        """
        message: Message | None = None
        while message is None:
            self.ack()
            self._taken = letter = self._mailbox.take(timeout_s)
            if letter is None:
                return None
            message = self._open(letter)
        return message

    def ack(self) -> None:
        """The program is done with the message that it took last. Taking the next one says so too.

        Only the modes ``credit`` and ``lossless`` make use of it. For the thread that iterates.
        """
        letter, self._taken = self._taken, None
        if letter is not None:
            self._transport.acknowledge(letter)

    @property
    def position(self) -> Position | None:
        """Of the message taken last, to be written down with its results; None where messages have
        no numbers. It can be given as ``resume_after`` to the next life of the program."""
        return self._position

    def notify(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called, by the receiving thread, when ``take`` may have something new or
        nothing more will come. For loops that must not wait here."""
        self._mailbox.notify(tell)

    @property
    def ended(self) -> bool:
        """If nothing will come any more."""
        return self._mailbox.finished

    def statuses(self) -> dict[str, Status]:
        """The last status of each wanted stream. Any thread may ask."""
        return self._books.statuses()

    def statistics(self) -> Statistics:
        """What was received, skipped, lost and dropped so far. Any thread may ask."""
        return self._books.statistics()

    def close(self) -> None:
        """Stop receiving; iterating ends after what is already here. May be called twice."""
        self._receiver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, letter: Letter) -> Message | None:
        """The whole of a message; None, and counted, when the inside is damaged."""
        if letter.number is not None:
            self._position = Position(letter.envelope.publisher, letter.number)
        try:
            message = unpack(letter.envelope, letter.parts)
        except WireError as error:
            self._books.spoiled(letter.envelope)
            self._receiver.reject(error)
            return None
        self._books.delivered(letter.envelope)
        frame = message.frame
        if frame is None or frame.model is None:
            return message
        model = self._books.model(frame.stream, frame.model)
        return replace(message, frame=replace(frame, model=model))

    def check_silence(self) -> None:
        """See that the publisher was not silent for ``timeout_s``, as iterating does.

        :raises EndpointError: when it was.
        """
        silent_s = (self._clock.now_ns() - self._receiver.heard_ns) / 1e9
        if self._timeout_s is None or silent_s < self._timeout_s or self.ended:
            return
        raise EndpointError(
            where=f"subscriber to {self._endpoint}",
            wanted="a status at least each second",
            got=f"nothing for {silent_s:.1f} s",
            remedy="Is the publisher running, and is this the endpoint that it printed?",
        )


def _endpoint(address: str) -> Endpoint:
    endpoint = parse_endpoint(address, "subscriber")
    if endpoint.port != 0:
        return endpoint
    raise EndpointError(
        where="subscriber",
        wanted="the publisher's port",
        got=repr(address),
        remedy="Take the endpoint that the publisher prints when it starts",
    )


def _check_choice(name: str, chosen: Sequence[str], known: Sequence[str]) -> None:
    if isinstance(chosen, str) or not chosen or not set(chosen) <= set(known):
        raise ValueError(f"{name} must be of {', '.join(known)}, got {chosen!r}")
