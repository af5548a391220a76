"""The command ``watch``: its options, and what they are called."""

import sys
from pathlib import Path
from typing import Annotated

import typer

ClientKeys = Annotated[
    Path | None, typer.Option(help="Your .key file, of `keys new`, for a publisher with keys.")
]
ServerKey = Annotated[
    str | None, typer.Option(help="That publisher's public key, or its .pub file.")
]


def watch(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Where a run publishes.")],
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One meta header a line, as it came.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="A folder for records and annotated pictures.")
    ] = None,
    max_frames: Annotated[int | None, typer.Option(help="End after so many frames.")] = None,
    keys: ClientKeys = None,
    server_key: ServerKey = None,
) -> None:
    """Show what a run publishes, until it ends or until Ctrl-C."""
    from .watch import watch as show  # noqa: PLC0415  (--help needs neither numpy nor pyzmq)

    def warn(text: str) -> None:
        print(text, file=sys.stderr)

    show(
        endpoint,
        stream,
        as_json=as_json,
        save=save,
        max_frames=max_frames,
        keys=keys,
        server_key=server_key,
        warn=warn,
    )
