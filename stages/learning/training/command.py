"""``run_stream.py train``: the command line in front of ``TrainSettings``."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from pipeline.config import load
from pipeline.config_page import INTRODUCTION, page

from .settings import TrainSettings

train_app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
)
REMEDY = "The keys and their meaning are in docs/TRAINING.md"
EPILOG = """Examples:
  run_stream.py train labels.json
  run_stream.py train labels.json=pictures more.json --validation held.json --out out/forklifts
  run_stream.py train instances.json --classes person,car --epochs 40
  run_stream.py train labels.json --network solov2-light-r18 --backbone resnet18 --device cuda
  run_stream.py train --config mine.toml --set learn.optimizer=sgd
  torchrun --nproc-per-node 2 run_stream.py train labels.json"""


@train_app.command(epilog=EPILOG)
def train(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATA",
            help="COCO instance files; FILE=FOLDER where the pictures lie elsewhere.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file with any of the keys.")] = None,
    network: Annotated[str | None, typer.Option(help="solov2-nano or another solov2-….")] = None,
    validation: Annotated[
        str | None, typer.Option(help="A COCO file to measure on; else a part is held out.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes to learn, with commas; else all in the data.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Start from these, as run takes them; none: from nothing.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="Start from a backbone: a file, or resnet50 and the like.")
    ] = None,
    freeze: Annotated[
        str | None, typer.Option(help="Parts that stay as they are, with commas.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where everything goes; goes on from it.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(help="Length in steps.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Length in rounds through the data.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length by the clock.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures in a batch.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same weights.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    mistakes: Annotated[
        str | None, typer.Option(help="stop at wrong annotations, or drop them.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change any key of the settings."),
    ] = None,
    settings: Annotated[
        bool, typer.Option("--settings", help="Show every key, its value and meaning, and end.")
    ] = False,
) -> None:
    """Train a network on your own labelled pictures, or go on with a training that was stopped."""
    overrides = {
        "data.training": data or None,
        "data.validation": validation,
        "data.classes": _parts(classes),
        "data.mistakes": mistakes,
        "network": network,
        "start.weights": weights,
        "start.backbone": backbone,
        "start.freeze": _parts(freeze),
        "save.folder": str(out) if out else None,
        "learn.iterations": iterations,
        "learn.epochs": epochs,
        "learn.minutes": minutes,
        "learn.batch": batch,
        "seed": seed,
        "device": device,
    }
    given = [
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in overrides.items()
        if value is not None
    ]
    checked = load(TrainSettings, config, [*given, *(changes or [])], REMEDY)
    if settings:
        print(page(checked).removeprefix(INTRODUCTION), end="")
        return
    if not checked.data.training:
        raise typer.BadParameter("say what to learn from: DATA, or data.training in --config")
    _run(checked)


def _parts(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _run(settings: TrainSettings) -> None:
    from .session import train_network  # noqa: PLC0415  (--help needs no torch)

    console = Console(stderr=True)
    log_to(console)
    train_network(settings, console)


def log_to(console: Console) -> None:
    """Log lines above the bar on a terminal, and as plain lines elsewhere."""
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, log_time_format="[%X]")
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    else:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
