"""The command ``keys``: making a pair, and showing the public half of one."""

from pathlib import Path
from typing import Annotated

import typer

keys_app = typer.Typer(
    help="Keys of publishers and subscribers; docs/SECURITY.md says how they go together.",
    no_args_is_help=True,
    add_completion=False,
    epilog="Examples:\n  run_stream.py keys new gate\n  run_stream.py keys show gate.pub",
)


@keys_app.command("new")
def new(
    name: Annotated[
        Path,
        typer.Argument(metavar="NAME|PATH", help="Without ending: gate, or /etc/maskstream/me"),
    ],
) -> None:
    """Make a pair: NAME.key, which stays with its owner, and NAME.pub, to be given to others."""
    from .keys import new_keys  # noqa: PLC0415  (--help needs no pyzmq)

    private, shown = new_keys(name)
    print(
        f"{private}  secret: leave it here, give it to nobody\n{shown}  public: give it to others"
    )


@keys_app.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="A .pub or .key file.")],
) -> None:
    """Show the public key of a pair."""
    from .keys import read_public  # noqa: PLC0415  (as in new)

    print(read_public(file))
