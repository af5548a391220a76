"""``run_stream.py view``: what it needs to know, and what it says."""

import os
import webbrowser
from collections.abc import Callable
from pathlib import Path

from ..client import Subscriber
from ..client.mailbox import Mode
from ..clock import SystemClock
from ..errors import ConfigError, Mistake
from ..wire import FrameKind
from .door import SHORTEST_TOKEN, is_loopback, new_token
from .feed import Feed
from .server import bound, serve

TOKEN_VARIABLE = "MASKSTREAM_VIEW_TOKEN"

Say = Callable[[str], None]


def view(
    endpoint: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
    open_browser: bool = False,
    keys: Path | None = None,
    server_key: str | None = None,
    say: Say,
) -> None:
    """Show what ``endpoint`` publishes on a page at ``host``:``port`` until Ctrl-C.

    ``token``: what a browser must bring; beyond loopback one is made when none is given.
    ``keys``, ``server_key``: as of a Subscriber. ``say`` gets the page's address.

    :raises EndpointError: when ``endpoint`` is none, or ``host`` and ``port`` cannot be had.
    :raises AccessError: for keys that cannot be used, or that the publisher does not take.
    :raises ConfigError: when the token is too short to be one.
    """
    if token is None:
        token = os.environ.get(TOKEN_VARIABLE) or None
    if token is None and not is_loopback(host):
        token = new_token()
    if token is not None:
        _check(token)

    def subscribe(streams: list[str] | None, kind: FrameKind) -> Subscriber:
        mode: Mode = (
            "all" if kind == "meta" else "latest"
        )  # of records, who came and who left counts
        return Subscriber(
            endpoint,
            streams,
            (kind,),
            mode=mode,
            until_end=False,
            keys=keys,
            server_key=server_key,
        )

    subscribe(None, "meta").close()  # a wrong endpoint is said before a page is promised
    feed = Feed(endpoint, subscribe, SystemClock())
    with bound(host, port) as listening:
        address = _address(host, listening.getsockname()[1], token)
        say(f"viewing {feed.endpoint} on {address}")
        if open_browser:
            webbrowser.open(address)
        serve(feed, host, token, listening)


def read_token(path: Path) -> str:
    """The token in a file.

    :raises ConfigError: when it cannot be read.
    """
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        mistake = Mistake(f"--token-file {path}", "a file with the token", str(error))
        raise ConfigError("view", [mistake], "Write one there, readable by you alone.") from error


def _address(host: str, port: int, token: str | None) -> str:
    """Where the page is. The fragment stays in the browser: no server, no log ever sees it."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}/" + (f"#token={token}" if token else "")


def _check(token: str) -> None:
    if len(token) >= SHORTEST_TOKEN and token.isascii() and token.isprintable():
        return
    wanted = f"at least {SHORTEST_TOKEN} printable ASCII characters"
    mistake = Mistake("token", wanted, f"{len(token)} characters")
    raise ConfigError("view", [mistake], "Leave it out, and one is made.")
