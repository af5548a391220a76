#!/usr/bin/env python3
"""maskstream: segments every frame of video streams and publishes what it sees over ZeroMQ."""

import sys
from importlib.util import find_spec
from pathlib import Path

HOME = Path(__file__).resolve().parent


def refuse_foreign_rooms() -> None:
    """Stop when another distribution shadows one of our two top-level packages.

    ``pipeline`` and ``stages`` are generic names; loading somebody else's would fail obscurely.
    """
    for room in ("pipeline", "stages"):
        spec = find_spec(room)
        found = Path(spec.origin).resolve().parent if spec and spec.origin else None
        if found != HOME / room:
            sys.exit(
                f"run_stream.py: wanted the package {room} at {HOME / room}, got {found}. Another "
                "distribution shadows it: run in an environment of its own, with "
                "`uv run run_stream.py`"
            )


refuse_foreign_rooms()

from typing import Annotated  # noqa: E402

import typer  # noqa: E402

from pipeline.errors import StreamError  # noqa: E402
from pipeline.keys_cli import keys_app  # noqa: E402
from pipeline.view_cli import view  # noqa: E402
from pipeline.watch_cli import watch  # noqa: E402
from stages.driver import assignments, execute, segmented  # noqa: E402
from stages.play_command import play  # noqa: E402

DEMO = HOME / "configs" / "demo.toml"


def examples(*commands: str) -> str:
    """Examples for the end of a help text, each on a line of its own."""
    return "\n".join(["Examples:", *(f"  run_stream.py {command}" for command in commands)])


app = typer.Typer(
    help=__doc__,
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Without a command the demo runs: a synthetic scene → out/demo.mp4, out/demo.jsonl, "
    "and publishing on tcp://127.0.0.1:5555.",
)


PASSED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
"""For commands that read their own arguments."""


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """The demo, when no command is given."""
    if context.invoked_subcommand is None:
        run(config=DEMO)


@app.command(
    epilog=examples(
        "run holiday.mp4 --record out",
        "run holiday.mp4 --record out --record-as coco,mots",
        "run gate=rtsp://cam/stream --max-frames 500",
        "run webcam:0 --set segment.filter_threshold=0.4",
        "run clips/*.mp4 --publish none",
        "run gate=rtsp://cam/stream --publish tcp://0.0.0.0:5555 --keys gate.key --allow allowed",
        "run --config configs/cameras.toml",
    )
)
def run(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            help="A video file, picture, folder or glob, rtsp://…, http://…, "
            "/dev/video0, webcam:0 or synthetic:demo?size=640x360&fps=25&seed=0; "
            "write name=SOURCE to name its stream.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file; configs/ has examples.")] = None,
    network: Annotated[
        str | None, typer.Option(help="Network; by default the one of the weights.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="A file, an address, or an alias of `weights list`.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    publish: Annotated[
        str | None, typer.Option(help="Endpoint to publish on, or none.", metavar="ENDPOINT")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(help="The .key file of this publisher, of `keys new`.")
    ] = None,
    allow: Annotated[
        Path | None, typer.Option(help="A file or folder: the public keys of who may subscribe.")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Let in who has no keys.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write <stream>.mp4 and <stream>.jsonl there.")
    ] = None,
    record_as: Annotated[
        str | None, typer.Option(help="Also write coco (results), mots (tracks), or coco,mots.")
    ] = None,
    max_frames: Annotated[
        int | None, typer.Option(help="End each source after so many frames.")
    ] = None,
    metrics: Annotated[
        int | None, typer.Option(help="Port of /metrics and /healthz.", metavar="PORT")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change any key of the configuration."),
    ] = None,
) -> None:
    """Segment, track, publish and record SOURCEs until they end, or until Ctrl-C."""
    overrides = {
        "sources": sources,
        "segment.network": network,
        "segment.weights": weights,
        "segment.device": device,
        "record.directory": str(record) if record else None,
        "record.enabled": True if record or record_as else None,
        "record.formats": record_as.split(",") if record_as else None,
        "publish.enabled": publish != "none" if publish else None,
        "publish.endpoint": publish if publish != "none" else None,
        "publish.keys": str(keys) if keys else None,
        "publish.allowed": str(allow) if allow else None,
        "publish.insecure": insecure or None,
        "decode.max_frames": max_frames,
        "metrics.port": metrics,
    }
    raise typer.Exit(execute(segmented, config, [*assignments(overrides), *(changes or [])]))


app.command(
    epilog=examples(
        "play out/gate.jsonl --publish tcp://127.0.0.1:5555",
        "play out/gate.jsonl --speed max --wait",
        "play out/gate.jsonl --step",
        "play out/gate.jsonl out/yard.jsonl --loop",
    )
)(play)
app.command(
    epilog=examples(
        "watch tcp://127.0.0.1:5555",
        "watch tcp://127.0.0.1:5555 --json | jq .seq",
        "watch tcp://127.0.0.1:5555 --stream gate-2 --save seen",
        "watch tcp://gate:5555 --keys me.key --server-key gate.pub",
    )
)(watch)
app.command(
    epilog=examples(
        "view tcp://127.0.0.1:5555 --open",
        "view tcp://127.0.0.1:5555 --host 0.0.0.0",
        "view tcp://gate:5555 --keys me.key --server-key gate.pub --port 9000",
    )
)(view)
app.add_typer(keys_app, name="keys")


@app.command(context_settings=PASSED_ON)
def weights(context: typer.Context) -> None:
    """List, fetch, convert and inspect weights; `weights --help` says how."""
    from stages.networks.weights_cli import weights_app  # noqa: PLC0415  (it brings torch)

    weights_app(context.args, prog_name="run_stream.py weights", standalone_mode=False)


@app.command(context_settings=PASSED_ON)
def train(context: typer.Context) -> None:
    """Train on your own labelled pictures; `train --help` says how."""
    from stages.learning.training.command import train_app  # noqa: PLC0415  (it brings torch)

    train_app(context.args, prog_name="run_stream.py train", standalone_mode=False)


@app.command(context_settings=PASSED_ON)
def evaluate(context: typer.Context) -> None:
    """Evaluate masks, tracks, or the whole program; `evaluate --help` says how."""
    from stages.evaluation.cli import evaluate_app  # noqa: PLC0415  (only this command needs it)

    evaluate_app(context.args, prog_name="run_stream.py evaluate", standalone_mode=False)


@app.command(name="config", epilog=examples("config > mine.md", "config --set segment.batch=1"))
def show_config(
    config: Annotated[Path | None, typer.Option(help="A TOML file, to see its values.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As in run.")
    ] = None,
) -> None:
    """Show every configuration key, its value and its meaning, as Markdown."""
    from pipeline.config import load  # noqa: PLC0415  (as in execute)
    from pipeline.config_page import page  # noqa: PLC0415
    from stages.program import ProgramSettings  # noqa: PLC0415

    print(page(load(ProgramSettings, config, changes or [])), end="")


def main_guarded() -> None:
    """The program: errors that a user can settle are one line and an exit code of their own."""
    try:
        app()
    except StreamError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main_guarded()
