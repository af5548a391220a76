"""Mask AP of a network: ``python -m stages.learning.evaluate coco|scene … --weights FILE``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pipeline.errors import CheckpointMismatch, StreamError
from stages.learning.augment import LEAST_AREA_PX
from stages.learning.coco import Annotation, CocoPictures
from stages.learning.moving import Scene
from stages.learning.sample import Picture
from stages.learning.scenes import scene_of
from stages.learning.scoring import ClassScore, Scoring
from stages.networks.checkpoint import load
from stages.networks.segmenter import Segmenter
from stages.networks.solov2.model import Solov2Segmenter
from stages.networks.solov2.nano import NANO, Solov2Nano
from stages.networks.thresholds import Thresholds

AP_THRESHOLDS = Thresholds(score=0.02, filter=0.02)
"""AP ranks everything that is found, so nothing likely may be left out."""


@dataclass(frozen=True, eq=False)
class Example:
    """A picture, BGR (H, W, 3), and what is to be found in it."""

    picture: Picture
    truths: Sequence[Annotation]


def coco_examples(pictures: CocoPictures) -> Iterator[Example]:
    """All pictures of a COCO file."""
    for index in range(len(pictures)):
        yield Example(pictures.picture(index), pictures.annotations(index))


def scene_examples(scene: Scene, classes: Sequence[str], every: int = 5) -> Iterator[Example]:
    """One frame in ``every`` of a scene.

    Slivers (less than ``LEAST_AREA_PX`` pixels visible) count neither as found nor as missed.
    """
    for index in range(0, scene.frames, every):
        picture, truth = scene.render(index)
        truths = [
            Annotation(classes.index(label), truth.masks.dense(row).view(np.uint8), bool(sliver))
            for row, (label, sliver) in enumerate(
                zip(truth.labels, truth.masks.areas < LEAST_AREA_PX, strict=True)
            )
        ]
        yield Example(picture, truths)


def evaluate(
    segmenter: Segmenter, examples: Iterable[Example], device: torch.device | str = "cpu"
) -> list[ClassScore]:
    """Mask AP of each of the segmenter's classes; its thresholds should let unlikely ones pass.

    ``device``: where the segmenter expects the pixels. Pictures go through it one by one.
    """
    scoring = Scoring(segmenter.classes)
    for example in examples:
        batch = segmenter.prepare([example.picture])
        with torch.inference_mode():
            tensors = segmenter.detect(batch.pixels.to(device), batch.placements)
        on_host = {name: tensor.cpu() for name, tensor in tensors.items()}
        found = segmenter.collect(on_host, batch.placements)[0]
        height, width = example.picture.shape[:2]
        scoring.add(
            (height, width), example.truths, found.scores.tolist(), found.classes.tolist(),
            found.crops,
        )  # fmt: skip
    return scoring.scores()


def open_nano(
    weights: Path,
    *,
    size: tuple[int, int] = (NANO.long_px, NANO.short_px),
    thresholds: Thresholds = AP_THRESHOLDS,
    device: str = "cpu",
) -> Solov2Segmenter:
    """The small network with the weights of a file, at ``size`` (long, short side, px).

    :raises CheckpointMismatch: when the file holds another network.
    :raises WeightsError: when it cannot be read.
    """
    checkpoint = load(weights)
    network = Solov2Nano()
    keys = network.load_state_dict(checkpoint.tensors, strict=False)
    missing = [key for key in keys.missing_keys if not key.endswith("num_batches_tracked")]
    if missing or keys.unexpected_keys:
        raise CheckpointMismatch(
            where=str(weights),
            wanted=f"weights of {NANO.name}",
            got=f"{len(missing)} keys missing, {len(keys.unexpected_keys)} unexpected",
            remedy="Give a file that the training wrote.",
        )
    spec = replace(NANO, long_px=size[0], short_px=size[1])
    return Solov2Segmenter(network.eval(), spec, spec.classes, thresholds, device=device)


def table(title: str, scores: Sequence[ClassScore]) -> Table:
    """The scores in percent, as shown on a terminal."""
    result = Table("class", "instances", "mask AP", "AP50", title=title)
    for one in scores:
        percent = (f"{100 * value:.1f}" if one.instances else "–" for value in (one.ap, one.ap50))
        result.add_row(one.name, str(one.instances), *percent)
    return result


app = typer.Typer(add_completion=False, help="Mask AP (COCO) of solov2-nano.")
WeightsOption = Annotated[Path, typer.Option("--weights", help="A safetensors file.")]
SizeOption = Annotated[str, typer.Option("--size", help="Long x short side of the canvas, px.")]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, …")]


@app.command("coco")
def evaluate_coco(
    annotations: Annotated[Path, typer.Argument(help="A COCO instance file.")],
    folder: Annotated[Path, typer.Argument(help="What its file names are relative to.")],
    weights: WeightsOption,
    size: SizeOption = f"{NANO.long_px}x{NANO.short_px}",
    device: DeviceOption = "cpu",
) -> None:
    """On annotated pictures."""
    segmenter = _open(weights, size, device)
    pictures = CocoPictures(annotations, folder, segmenter.classes)
    _show(annotations.name, segmenter, coco_examples(pictures), len(pictures), device)


@app.command("scene")
def evaluate_scene(
    address: Annotated[str, typer.Argument(help="NAME[?size=640x360&fps=25&seed=0]")],
    weights: WeightsOption,
    size: SizeOption = f"{NANO.long_px}x{NANO.short_px}",
    device: DeviceOption = "cpu",
    every: Annotated[int, typer.Option(min=1, help="Take one frame in so many.")] = 5,
) -> None:
    """On a synthetic scene."""
    segmenter, scene = _open(weights, size, device), scene_of(address)
    count = len(range(0, scene.frames, every))
    _show(address, segmenter, scene_examples(scene, segmenter.classes, every), count, device)


def _open(weights: Path, size: str, device: str) -> Solov2Segmenter:
    try:
        long_px, short_px = (int(side) for side in size.split("x"))
    except ValueError as error:
        raise typer.BadParameter(f"wanted two sides such as 544x320, got {size}") from error
    return open_nano(weights, size=(long_px, short_px), device=device)


def _show(
    title: str, segmenter: Segmenter, examples: Iterator[Example], count: int, device: str
) -> None:
    shown = track(examples, "evaluating", total=count, console=Console(stderr=True))
    scores = evaluate(segmenter, shown, device)
    Console().print(table(f"{segmenter.name} on {title}, {count} pictures", scores))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, ``sys.argv``'s unless given; ends with ``SystemExit``.

    A failure that we know is one line on stderr and an exit code.
    """
    try:
        app(arguments)
    except StreamError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
