"""The command ``view``: its options, and what they are called."""

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from .watch_cli import ClientKeys, ServerKey


def view(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Where a run publishes.")],
    port: Annotated[
        int, typer.Option(help="Of the page; 0: any free one.", min=0, max=65535)
    ] = 8080,
    host: Annotated[
        str, typer.Option(help="Address to serve on; other machines need the token then.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(help="What a browser must bring; by default made, and printed."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the token: others see what commands say.")
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Open the page in a browser.")
    ] = False,
    keys: ClientKeys = None,
    server_key: ServerKey = None,
) -> None:
    """Show what a run publishes on a web page, until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from .viewer import command  # noqa: PLC0415  (--help needs no web server)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with suppress(KeyboardInterrupt):  # that is how one stops viewing
        command.view(
            endpoint,
            host=host,
            port=port,
            token=command.read_token(token_file) if token_file else token,
            open_browser=open_browser,
            keys=keys,
            server_key=server_key,
            say=say,
        )
