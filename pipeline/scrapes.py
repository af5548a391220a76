"""A small HTTP server on the loopback interface, for scrapers and for what watches over processes.

WSGI of the standard library: a thread a request, no dependency, and nothing that is read but the
path. It answers GET and HEAD.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication

from .errors import EndpointError

LOOPBACK = "127.0.0.1"
SILENCE_S = 10.0
"""Who connects and asks nothing is cut off."""
PLAIN = ("Content-Type", "text/plain; charset=utf-8")


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that went away is none of our errors."""


class _Handler(WSGIRequestHandler):
    timeout = SILENCE_S

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: a scrape every few seconds would fill the log."""


@contextmanager
def served(port: int, pages: Mapping[str, WSGIApplication]) -> Iterator[int]:
    """Answer ``pages`` by their path while the context lasts.

    Yields the port, which is a free one when 0 was asked for.

    :raises EndpointError: when the port cannot be had.
    """
    server = _bound(port, pages)
    thread = Thread(target=server.serve_forever, name="maskstream-metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def check_port(port: int) -> None:
    """See that ``served`` could have the port at this moment.

    :raises EndpointError: when not.
    """
    _bound(port, {}).server_close()


def _bound(port: int, pages: Mapping[str, WSGIApplication]) -> WSGIServer:
    try:
        return make_server(LOOPBACK, port, by_path(pages), _Server, _Handler)
    except (OSError, OverflowError) as error:
        raise EndpointError(
            where=f"metrics on {LOOPBACK}:{port}",
            wanted="a free port",
            got=getattr(error, "strerror", None) or str(error),
            remedy="Choose another port, or 0 for any.",
        ) from error


def by_path(pages: Mapping[str, WSGIApplication]) -> WSGIApplication:
    """An application that hands on to the page of a path."""

    def answer(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"])
        if page is None:
            start("404 Not Found", [PLAIN])
            return [f"Here are {', '.join(pages)}\n".encode()]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            start("405 Method Not Allowed", [PLAIN, ("Allow", "GET, HEAD")])
            return [b"GET or HEAD\n"]
        body = page({**environ, "REQUEST_METHOD": "GET"}, start)  # prometheus-client knows no HEAD
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body

    return answer


def page(content: Callable[[], tuple[bool, bytes]], kind: str) -> WSGIApplication:
    """A page that is made anew each time: 200 or 503, and its bytes of the type ``kind``."""

    def answer(_environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        good, body = content()
        start(
            "200 OK" if good else "503 Service Unavailable",
            [
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [body]

    return answer
