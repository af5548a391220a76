"""``run_stream.py play``: recordings, published again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from .driver import assignments, execute

if TYPE_CHECKING:
    from .program import Program, ProgramSettings

STANDARD_INPUT = 0


def play(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="A .jsonl file of `run --record`.")
    ],
    video: Annotated[
        list[str] | None,
        typer.Option(help="Its annotated video, one a FILE, or none; else the .mp4 beside it."),
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option(help="The video that was its source, one a FILE.")
    ] = None,
    publish: Annotated[
        str | None, typer.Option(help="Endpoint to publish on.", metavar="ENDPOINT")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The .key file of this publisher, as in run.")
    ] = None,
    allow: Annotated[
        Path | None, typer.Option(help="A file or folder: the public keys of who may subscribe.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let in who has no keys.")] = False,
    speed: Annotated[str | None, typer.Option(help="2: twice as fast; max.")] = None,
    step: Annotated[bool, typer.Option("--step", help="A frame for each press of Enter.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Again and again.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Begin when somebody subscribes.")] = False,
    metrics: Annotated[
        int | None, typer.Option(help="Port of /metrics and /healthz.", metavar="PORT")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file, as for run.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As in run.")
    ] = None,
) -> None:
    """Publish recordings again: in their own time, faster, or step by step. No network runs."""

    def recorded(settings: "ProgramSettings", _console: Console) -> "Program":
        from .playback import assemble_playback, tapes  # noqa: PLC0415  (--help does without)

        tape = tapes(files, video or [], image or [])
        return assemble_playback(tape, settings, keys=STANDARD_INPUT)

    overrides = {
        "publish.endpoint": publish,
        "publish.keys": str(keys) if keys else None,
        "publish.allowed": str(allow) if allow else None,
        "publish.insecure": insecure or None,
        "replay.speed": speed,
        "replay.step": step or None,
        "replay.loop": loop or None,
        "replay.wait": wait or None,
        "metrics.port": metrics,
    }
    raise typer.Exit(execute(recorded, config, [*assignments(overrides), *(changes or [])]))
