"""Who may come in: names against DNS rebinding, a token, and headers that tie the page down."""

import asyncio
import hmac
import ipaddress
import secrets
import socket

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SHORTEST_TOKEN = 16
SILENCE_S = 5.0
"""Who connects and asks for nothing is cut off."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",
}


def new_token() -> str:
    """A token that nobody guesses: 192 bits."""
    return secrets.token_urlsafe(24)


def token_matches(wanted: str | None, got: object) -> bool:
    """Compare in constant time; without a wanted one everybody may come in."""
    if wanted is None:
        return True
    return isinstance(got, str) and hmac.compare_digest(wanted.encode(), got.encode())


def is_loopback(host: str) -> bool:
    """If only this machine reaches ``host``."""
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


class Connection(H11Protocol):
    """HTTP for who asks for something; uvicorn by itself waits for ever for the first request.

    Without this a stranger without the token shuts everybody out with a few hundred connections.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(SILENCE_S, self._look)

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.loop.call_later(SILENCE_S, self._look)
        elif self.transport.get_protocol() is self:  # and not a WebSocket by now
            self.transport.close()


class Door:
    """Lets in who calls us by a name of ours, and stamps the headers on every answer.

    A foreign page can point its own name at our address (DNS rebinding); what it cannot do is call
    us by an address or by our name. A WebSocket must also come from a page of ours.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._loopback = is_loopback(host)
        self._names = {"localhost", host.lower()}
        if not self._loopback:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self.knows(headers.get("host", "")):
            answer = PlainTextResponse("This is not the name of this viewer.\n", 421)
            await answer(scope, receive, send)
        elif scope["type"] == "websocket" and not _same_origin(headers):
            await PlainTextResponse("Not from that page.\n", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, _stamped(send))

    def knows(self, host: str) -> bool:
        """If the header ``host``, with or without a port, names this viewer."""
        name = _without_port(host.lower())
        if name in self._names:
            return True
        address = _address(name)
        return address is not None and (address.is_loopback or not self._loopback)


def _stamped(send: Send) -> Send:
    async def stamp(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return stamp


def _same_origin(headers: Headers) -> bool:
    """A browser says where the page came from; a program that says nothing is no browser."""
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers["host"].lower()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
