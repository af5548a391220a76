"""Between the publisher and the tabs: records always, pictures only of what somebody looks at."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..client import Subscriber
from ..clock import Clock
from ..errors import StreamError
from ..redact import redact
from ..wire import FrameKind, Message
from .board import MOST_STREAMS, Board, News
from .tab import Tab

PULSE_S = 0.25
"""How often states are judged and tabs are told."""
PATIENCE_S = 0.2
MOST_THREADS = MOST_STREAMS + 8
"""One waits for each subscriber."""
BARE_NS = 3_000_000_000
"""Where somebody looks and no picture came for this long, records are shown on an empty ground."""

Open = Callable[[list[str] | None, FrameKind], Subscriber]
"""Subscribes to one kind of some streams, or of all."""


@dataclass
class _Pictured:
    """When the last picture of a stream came, or the first look, and how many records since."""

    at_ns: int
    records: int = 0


class Feed:
    """Owns the subscribers. All but receiving happens in the loop that calls ``run``."""

    def __init__(self, endpoint: str, subscribe: Open, clock: Clock) -> None:
        self.endpoint = redact(endpoint)
        self.failure: StreamError | None = None
        self._subscribe = subscribe
        self._clock = clock
        self._board = Board()
        self._tabs: set[Tab] = set()
        self._group: asyncio.TaskGroup | None = None
        self._galleries: dict[str, asyncio.Task[None]] = {}
        self._pictured: dict[str, _Pictured] = {}

    @property
    def tabs(self) -> int:
        """How many tabs are open."""
        return len(self._tabs)

    async def run(self) -> None:
        """Receive until cancelled, or until ``failure``: the publisher does not let us in."""
        threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="maskstream-view")
        asyncio.get_running_loop().set_default_executor(threads)
        try:
            await self._receive()
        except* StreamError as errors:
            self.failure = next(e for e in errors.exceptions if isinstance(e, StreamError))

    async def _receive(self) -> None:
        async with self._following(None, "meta") as records, asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._pulse(records))
            while True:
                message = await self._next(records)
                if message is not None:
                    self._note(message)

    @asynccontextmanager
    async def tab(self) -> AsyncIterator[Tab]:
        """A new tab, as long as it is open."""
        tab = Tab(self._welcome(), self._tell, self._board.told())
        self._tabs.add(tab)
        try:
            yield tab
        finally:
            self._tabs.discard(tab)
            self.look()

    def look(self) -> None:
        """Subscribe to the pictures that some tab looks at, and to no others."""
        wanted = {name for tab in self._tabs for name in tab.looks} & self._board.streams
        for stream in self._galleries.keys() - wanted:
            self._galleries.pop(stream).cancel()
            self._pictured.pop(stream, None)
        if self._group is not None:
            for stream in wanted - self._galleries.keys():
                self._galleries[stream] = self._group.create_task(self._show(stream))

    async def _show(self, stream: str) -> None:
        """Hand on the pictures of ``stream`` until cancelled."""
        pictured = self._pictured[stream] = _Pictured(self._clock.now_ns())
        async with self._following([stream], "image") as pictures:
            while True:
                message = await self._next(pictures)
                if message is not None and message.frame is not None and message.frame.image:
                    pictured.at_ns, pictured.records = self._clock.now_ns(), 0
                    self._offer(message, message.frame.image.planes[0].tobytes())

    async def _pulse(self, records: Subscriber) -> None:
        while True:
            self._board.tell(records.statuses(), self._clock.now_ns(), self._now_ms())
            self.look()  # streams come and go
            for tab in self._tabs:
                tab.notify()
            await asyncio.sleep(PULSE_S)

    def _note(self, message: Message) -> None:
        now_ns = self._clock.now_ns()
        self._board.note(message, now_ns, self._now_ms())
        pictured = self._pictured.get(message.stream)
        if pictured is None:
            return
        pictured.records += 1
        # The first record after a pause may be just ahead of its picture.
        if pictured.records > 1 and now_ns - pictured.at_ns > BARE_NS:
            self._offer(message, b"")

    def _offer(self, message: Message, picture: bytes) -> None:
        packed = packed_picture(message.header, picture)
        for tab in self._tabs:
            tab.offer(message.stream, packed)

    def _welcome(self) -> str:
        welcome = {"type": "welcome", "endpoint": self.endpoint, **self._board.welcome()}
        return json.dumps(welcome, separators=(",", ":"))

    def _tell(self, known: News) -> tuple[str, News]:
        news = {"type": "news", "now": self._now_ms(), **self._board.news(known)}
        return json.dumps(news, separators=(",", ":")), self._board.told()

    def _now_ms(self) -> int:
        return self._clock.utc_ns() // 1_000_000

    @asynccontextmanager
    async def _following(
        self, streams: list[str] | None, kind: FrameKind
    ) -> AsyncIterator[Subscriber]:
        subscriber = self._subscribe(streams, kind)
        try:
            yield subscriber
        finally:  # it waits for its thread, which must not hold up the loop
            await asyncio.shield(asyncio.to_thread(subscriber.close))

    async def _next(self, subscriber: Subscriber) -> Message | None:
        return await asyncio.to_thread(subscriber.take, PATIENCE_S)


def packed_picture(header: bytes, picture: bytes) -> bytes:
    """A picture as a tab gets it: the header's length (4 bytes, big end first), header, JPEG."""
    return len(header).to_bytes(4, "big") + header + picture
