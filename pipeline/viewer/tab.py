"""One browser tab: what it looks at, what waits for it, and how much is on its way."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable

from starlette.websockets import WebSocket

from .board import News

ON_THE_WAY = 2
"""Pictures of one stream that were sent and not yet drawn: a slow tab skips, it never queues."""
MOST_LOOKS = 256

Tell = Callable[[News], tuple[str, News]]
"""What happened since, as JSON, and what is known after it."""


class Tab:
    """Takes pictures and news at any rate and sends what its browser keeps up with.

    Of each stream the newest picture waits, of news only that there are some. So neither a slow
    browser nor a stuck one makes anything grow. For one thread.
    """

    def __init__(self, welcome: str, tell: Tell, known: News) -> None:
        self.looks: frozenset[str] = frozenset()
        self._welcome = welcome
        self._tell = tell
        self._known = known
        self._has_news = True
        self._waiting: dict[str, bytes] = {}
        self._on_the_way: Counter[str] = Counter()
        self._wake = asyncio.Event()
        self._wake.set()

    def offer(self, stream: str, picture: bytes) -> None:
        """The newest picture of ``stream``; an older one that still waits gives way."""
        if stream in self.looks:
            self._waiting[stream] = picture
            self._wake.set()

    def notify(self) -> None:
        """There are news."""
        self._has_news = True
        self._wake.set()

    def hear(self, text: str) -> bool:
        """What the page said; if it now looks at other streams. Nonsense is ignored."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return False
        match said:
            case {"type": "drawn", "stream": str(stream)} if self._on_the_way[stream] > 0:
                self._on_the_way[stream] -= 1
                self._wake.set()
            case {"type": "look", "streams": list(names)}:
                looks = frozenset(name for name in names[:MOST_LOOKS] if isinstance(name, str))
                return self._look(looks)
        return False

    async def serve(self, socket: WebSocket) -> None:
        """Send until the connection ends: the welcome, then what comes."""
        await socket.send_text(self._welcome)
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._send_news(socket)
            while (picture := self._next()) is not None:
                await socket.send_bytes(picture)
                await self._send_news(socket)

    async def _send_news(self, socket: WebSocket) -> None:
        if self._has_news:
            self._has_news = False
            text, self._known = self._tell(self._known)
            await socket.send_text(text)

    def _look(self, looks: frozenset[str]) -> bool:
        if looks == self.looks:
            return False
        self.looks = looks
        for stream in [stream for stream in self._waiting if stream not in looks]:
            del self._waiting[stream]
        for stream in [stream for stream in self._on_the_way if stream not in looks]:
            del self._on_the_way[stream]
        return True

    def _next(self) -> bytes | None:
        """The picture that has its turn; what goes out goes to the end of the line."""
        for stream in self._waiting:
            if self._on_the_way[stream] < ON_THE_WAY:
                self._on_the_way[stream] += 1
                return self._waiting.pop(stream)
        return None
