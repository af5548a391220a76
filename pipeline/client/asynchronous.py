"""AsyncSubscriber: the Subscriber for programs of asyncio, ``async for frame in …``."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from ..frame import Frame
from ..wire import FrameKind, Message, Status
from .books import Statistics
from .subscriber import SILENCE_POLL_S, Subscriber


class AsyncSubscriber:
    """The frames of a publisher, one for each message, for one task to iterate::

        async with AsyncSubscriber("tcp://127.0.0.1:5555", kinds=("meta",)) as subscriber:
            async for frame in subscriber:
                print(frame.stream, frame.seq, frame.instances)

    Takes what ``Subscriber`` takes and is one underneath: one thread receives, whatever comes, and
    the loop is told when there is something. A message is opened in the loop, when it is taken.

    Leaving the block closes it, and so does leaving the iteration, by its end, an error, ``break``
    or cancellation. To go on after a ``break``, use ``take``.

    :raises EndpointError, WireError, ValueError: as ``Subscriber``.
    """

    def __init__(
        self,
        endpoint: str,
        streams: Sequence[str] | None = None,
        kinds: Sequence[FrameKind] = ("meta",),
        **options: Any,
    ) -> None:
        self._subscriber = Subscriber(endpoint, streams, kinds, **options)
        self._patience_s = None if options.get("timeout_s") is None else SILENCE_POLL_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Frames until the end or ``aclose``.

        :raises EndpointError: when the publisher was silent for ``timeout_s``.
        """
        async for message in self.messages():
            if message.frame is not None:
                yield message.frame

    async def messages(self) -> AsyncIterator[Message]:
        """As iterating, with what a Frame has no place for: kind, publisher, pseq, header.

        :raises EndpointError: when the publisher was silent for ``timeout_s``.
        """
        try:
            while not self._subscriber.ended:
                await asyncio.sleep(0)  # other tasks have a turn, however much waits here
                message = await self.take(self._patience_s)
                if message is not None:
                    yield message
                else:
                    self._subscriber.check_silence()
        finally:
            await self.aclose()

    async def take(self, timeout_s: float | None = None) -> Message | None:
        """The next message; None when none came in time or none will come. Being cancelled loses
        no message.

        :raises EndpointError: when the publisher will not have this subscriber.
        """
        self._listen()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    self._news.clear()
                    message = self._subscriber.take(0)
                    if message is not None or self._subscriber.ended:
                        return message
                    await self._news.wait()
        return None

    def ack(self) -> None:
        """As ``Subscriber.ack``."""
        self._subscriber.ack()

    @property
    def position(self) -> tuple[str, int] | None:
        """As ``Subscriber.position``."""
        return self._subscriber.position

    @property
    def ended(self) -> bool:
        """If nothing will come any more."""
        return self._subscriber.ended

    def statuses(self) -> dict[str, Status]:
        """The last status of each wanted stream."""
        return self._subscriber.statuses()

    def statistics(self) -> Statistics:
        """What was received, skipped, lost and dropped so far."""
        return self._subscriber.statistics()

    async def aclose(self) -> None:
        """Stop receiving, even if the task that waits for it is cancelled. May be called twice."""
        await asyncio.shield(asyncio.to_thread(self._subscriber.close))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _listen(self) -> None:
        """Have this loop told of news, from the first wait on."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._news = loop, asyncio.Event()
            self._subscriber.notify(self._tell)

    def _tell(self) -> None:
        """Called by the receiving thread, perhaps when the loop is gone."""
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._news.set)
