"""The web server of the page: a few files, and a WebSocket for each tab."""

import asyncio
import json
import logging
import socket as sockets
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..errors import EndpointError
from .door import Connection, Door, token_matches
from .feed import Feed

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
MOST_TABS = 64
MOST_KNOCKS = 64
"""Connections that have not said their first word; they do not count as tabs. The oldest gives way:
a page says it at once."""
LONGEST_WORD_BYTES = 64 * 1024
"""Of what a tab says: names of streams, no more."""
KNOCK_S = 5.0
LOG_GAP_S = 60.0
PING_S = 5.0
WRONG_TOKEN, TOO_MANY = 4401, 4429

log = logging.getLogger("maskstream.viewer")


def application(feed: Feed, host: str, token: str | None, stop: Callable[[], None]) -> Door:
    """The page and its WebSocket, behind the door. ``stop`` is called when the feed has ended."""
    files = {path.name: path for path in PAGE.iterdir() if path.suffix in TYPES}
    live = Live(feed, token)

    async def page(request: Request) -> Response:
        return _file(files, request.path_params.get("name", "index.html"))

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        following = asyncio.create_task(feed.run())
        following.add_done_callback(lambda _task: stop())
        yield
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    routes = [Route("/", page), Route("/{name}", page), WebSocketRoute("/live", live.serve)]
    return Door(Starlette(routes=routes, lifespan=life), host)


def _file(files: Mapping[str, Path], name: str) -> Response:
    path = files.get(name)
    if path is None:
        return Response("There is no such page.\n", 404, media_type="text/plain")
    return Response(path.read_bytes(), media_type=TYPES[path.suffix])


class Live:
    """Answers WebSockets: a knock with the token, then a tab."""

    def __init__(self, feed: Feed, token: str | None) -> None:
        self._feed = feed
        self._token = token
        self._knocking: deque[asyncio.Timeout] = deque()
        self._refused = 0
        self._logged_s = -LOG_GAP_S

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from its beginning to its end."""
        await socket.accept()
        with suppress(WebSocketDisconnect):
            if not await self._knocks(socket):
                self._refuse()
                await socket.close(WRONG_TOKEN, "this viewer wants its token")
            elif self._feed.tabs >= MOST_TABS:
                await socket.close(TOO_MANY, f"{MOST_TABS} tabs are open already")
            else:
                await self._talk(socket)

    def _refuse(self) -> None:
        """Count whoever does not bring the token; log it once a minute."""
        self._refused += 1
        now_s = asyncio.get_running_loop().time()
        if now_s - self._logged_s >= LOG_GAP_S:
            self._logged_s = now_s
            log.warning("turned away %d that did not bring the token", self._refused)

    async def _talk(self, socket: WebSocket) -> None:
        async with self._feed.tab() as tab:
            sending = asyncio.create_task(tab.serve(socket))
            try:
                while True:
                    if tab.hear(await socket.receive_text()):
                        self._feed.look()
            except KeyError:  # bytes, where words were expected
                await socket.close(1003)
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await sending

    async def _knocks(self, socket: WebSocket) -> bool:
        """If the first message came in time and brings the token."""
        if len(self._knocking) >= MOST_KNOCKS:
            oldest = self._knocking.popleft()
            if not oldest.expired():
                oldest.reschedule(0)
        try:
            async with asyncio.timeout(KNOCK_S) as patience:
                self._knocking.append(patience)
                said = json.loads(await socket.receive_text())
        except (TimeoutError, ValueError, RecursionError, KeyError):
            return False
        finally:
            with suppress(ValueError):  # it gave way
                self._knocking.remove(patience)
        return isinstance(said, dict) and token_matches(self._token, said.get("token"))


def bound(host: str, port: int) -> sockets.socket:
    """A listening socket at ``host``; port 0 means any free one.

    :raises EndpointError: when it cannot be had.
    """
    try:
        family = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM)[0][0]
        return sockets.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise EndpointError(
            where=f"view --host {host} --port {port}",
            wanted="an address of this machine with a free port",
            got=str(error),
            remedy="Take another with --port, or 0 for any free one.",
        ) from error


def serve(feed: Feed, host: str, token: str | None, listening: sockets.socket) -> None:
    """Serve until SIGINT or SIGTERM.

    :raises KeyboardInterrupt: at the end, as uvicorn passes the signal on.
    :raises StreamError: when nothing can be received any more.
    """

    def stop() -> None:
        server.should_exit = True

    config = uvicorn.Config(
        application(feed, host, token, stop),
        http=Connection,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        ws_max_size=LONGEST_WORD_BYTES,
        ws_per_message_deflate=False,  # JPEG does not get smaller
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        timeout_graceful_shutdown=2,
        limit_concurrency=4 * MOST_TABS,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    if feed.failure is not None:
        raise feed.failure
