"""Make the bundled weights again: ``python -m stages.learning.bundled --media DIR --out DIR``.

The trainer, the loop and the files are those of ``run_stream.py train``; only the pictures are
mixed as no user needs it (people cut out and pasted, synthetic things), see docs/MODEL_CARD.md.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipeline.config import load
from pipeline.errors import StreamError
from pipeline.folders import check_writable

from .mixture import CLASSES, bundled_mixture
from .nanodet import adopted
from .training.command import log_to
from .training.keeping import claimed
from .training.ranks import Ranks
from .training.session import Material, conduct, prepare_machine
from .training.settings import TrainSettings
from .training.start import begin

DATA = ("a small part of COCO, Penn-Fudan, people cut out of CCP, synthetic things",)
RECIPE = (
    'start.weights="none"',
    'start.freeze=["backbone.conv1", "backbone.stage2"]',
    'start.norms="backbone"',
    "learn.rate=1e-3",
    "learn.backbone_rate=2e-4",
    "learn.warmup_iterations=200",
    "save.every_s=180",
    "watch.line_every=50",
)
"""What differs from the defaults; ``--set`` comes after it."""
EPOCH_PICTURES = 671
"""Photographs in the mixture: what an epoch means there."""

app = typer.Typer(add_completion=False)


@app.command()
def command(
    *,
    media: Annotated[Path, typer.Option(help="Folder with coco_mini, pennfudan, ccp_person.")],
    out: Annotated[Path, typer.Option(help="Where the state and the weights go.")],
    backbone: Annotated[
        Path | None, typer.Option(help="ShuffleNetV2 weights to start from (torchvision's keys).")
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(help="NanoDet-m (ncnn's .param) that the class branch starts from."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train this long.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Train this many iterations.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of `train --settings`."),
    ] = None,
) -> None:
    """Train solov2-nano on people and synthetic things."""
    if (minutes is None) == (iterations is None):
        raise typer.BadParameter("say how long: --minutes or --iterations")
    length = f"learn.minutes={minutes}" if minutes else f"learn.iterations={iterations}"
    own = [f"save.folder='{out}'", length]
    start = [f"start.backbone='{backbone}'"] if backbone else []
    settings = load(TrainSettings, None, [*RECIPE, *own, *start, *(changes or [])])
    check_writable(out, "--out")
    with claimed(out):
        device = prepare_machine(settings)
        mixture = bundled_mixture(media, settings.learn.batch, settings.seed)
        first = begin(settings.network, CLASSES, settings.start)
        if detector is not None:
            first = adopted(first, detector)
        material = Material(first, mixture, EPOCH_PICTURES, None, DATA)
        conduct(settings, material, Console(stderr=True), device, Ranks())


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, ``sys.argv``'s unless given; ends with ``SystemExit``.

    A failure that we know is one line on stderr and an exit code.
    """
    log_to(Console(stderr=True))
    try:
        app(arguments)
    except StreamError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
