"""Train solov2-nano: ``python -m stages.learning.train --media DIR --out DIR --minutes 90``.

A run that was stopped (Ctrl-C, SIGTERM, a power cut) goes on from ``OUT/state.pt`` when the same
command is given again.
"""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer

from pipeline.errors import CheckpointMismatch, StreamError
from stages.learning.batches import TrainingBatch, batches
from stages.learning.losses import Losses
from stages.learning.mixture import bundled_mixture
from stages.learning.schedule import Budget
from stages.learning.trainer import Recipe, Trainer
from stages.networks.checkpoint import Metadata, Preprocessing, load, save
from stages.networks.solov2.nano import NANO, Solov2Nano

log = logging.getLogger("maskstream.learning")
STATE = "state.pt"
ORIGIN = {
    "card": "docs/MODEL_CARD.md",
    "data": "a small part of COCO, Penn-Fudan, people cut out of CCP, synthetic things",
    "backbone": "from NanoDet-m's ShuffleNetV2 (Apache-2.0), where --backbone gave it",
}
"""What a file of weights says about where it comes from."""
LINE_EVERY = 50
SAVE_EVERY_S = 180.0


def train(
    trainer: Trainer,
    source: Iterator[TrainingBatch],
    budget: Budget,
    now_s: Callable[[], float],
    after_step: Callable[[Losses, float, float], None],
) -> None:
    """Step until the budget is spent; time spent in earlier runs counts.

    ``after_step`` gets the losses, the progress (0 to 1) and the seconds waited for the batch.
    """
    before_s = trainer.elapsed_s
    start_s = now_s()
    while (progress := budget.progress(trainer.iteration, trainer.elapsed_s)) < 1:
        asked_s = now_s()
        batch = next(source)
        waited_s = now_s() - asked_s
        losses = trainer.step(batch, progress)
        trainer.elapsed_s = before_s + now_s() - start_s
        after_step(losses, progress, waited_s)


def export(trainer: Trainer, path: Path, notes: dict[str, str]) -> None:
    """Write the averaged weights in half precision, with what one must know to use them."""
    spec = trainer.network.spec
    tensors = {
        key: value.half() if value.is_floating_point() else value
        for key, value in trainer.averaged().items()
        if not key.endswith("num_batches_tracked")
    }
    preprocessing = Preprocessing(spec.channel_order, spec.mean, spec.std)
    told = {
        "iterations": str(trainer.iteration),
        "training_minutes": f"{trainer.elapsed_s / 60:.1f}",
    }
    save(path, tensors, Metadata(spec.name, spec.classes, preprocessing, notes | told))


class Progress:
    """Says a line now and then, and saves."""

    def __init__(self, trainer: Trainer, out: Path, notes: dict[str, str]) -> None:
        self._trainer, self._out, self._notes = trainer, out, notes
        self._saved_s = self._said_s = trainer.elapsed_s
        self._sums, self._steps = [0.0] * 4, 0

    def __call__(self, losses: Losses, progress: float, waited_s: float) -> None:
        new = (losses.classes.item(), losses.masks.item(), losses.positive_cells, waited_s)
        self._sums = [total + value for total, value in zip(self._sums, new, strict=True)]
        self._steps += 1
        if self._trainer.iteration % LINE_EVERY == 0:
            self._say(progress)
        if self._trainer.elapsed_s - self._saved_s > SAVE_EVERY_S:
            self.save()

    def _say(self, progress: float) -> None:
        classes, masks, cells, waited_s = (total / self._steps for total in self._sums)
        elapsed_s = self._trainer.elapsed_s
        step_s = (elapsed_s - self._said_s) / self._steps
        log.info(
            "iteration %d  %.1f min  %.0f %%  class loss %.3f  mask loss %.3f  cells %.0f  "
            "%.2f s/it  waiting %.2f s",
            self._trainer.iteration, elapsed_s / 60, 100 * progress,
            classes, masks, cells, step_s, waited_s,
        )  # fmt: skip
        self._sums, self._steps, self._said_s = [0.0] * 4, 0, elapsed_s

    def save(self) -> None:
        """The state to go on from, and the averaged weights."""
        self._saved_s = self._trainer.elapsed_s
        self._trainer.save(self._out / STATE)
        export(self._trainer, self._out / f"{NANO.name}.safetensors", self._notes)


app = typer.Typer(add_completion=False)


@app.command()
def command(
    *,
    media: Annotated[Path, typer.Option(help="Folder with coco_mini, pennfudan, ccp_person.")],
    out: Annotated[Path, typer.Option(help="Where the state and the weights go.")],
    backbone: Annotated[
        Path | None, typer.Option(help="ShuffleNetV2 weights to start from (torchvision's keys).")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train this long.")] = None,
    iterations: Annotated[int | None, typer.Option(help="Train this many iterations.")] = None,
    batch: Annotated[int, typer.Option(help="Pictures a batch.")] = 8,
    seed: Annotated[int, typer.Option(help="Of weights and pictures.")] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads of the network.")] = 1,
    workers: Annotated[int, typer.Option(help="Processes that make batches.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train solov2-nano on people and synthetic things."""
    if minutes is None and iterations is None:
        raise typer.BadParameter("say how long: --minutes or --iterations")
    budget = Budget(iterations, minutes * 60 if minutes is not None else None)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(_network(backbone), Recipe(), torch.device(device))
    if (out / STATE).exists():
        trainer.resume(out / STATE)
        log.info("going on from iteration %d", trainer.iteration)
    notes = ORIGIN | {"seed": str(seed), "batch": str(batch)}
    notes |= {name: str(value) for name, value in asdict(trainer.recipe).items()}
    progress = Progress(trainer, out, notes)
    mixture = bundled_mixture(media, batch, seed)
    source = batches(mixture, NANO, first=trainer.iteration, workers=workers)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        train(trainer, source, budget, time.monotonic, progress)
    except KeyboardInterrupt:
        log.info("stopped at iteration %d", trainer.iteration)
    finally:
        signal.signal(signal.SIGTERM, before)
        progress.save()


def _network(backbone: Path | None) -> Solov2Nano:
    network = Solov2Nano()
    if backbone is not None:
        try:
            network.backbone.load_state_dict(load(backbone).tensors)
        except RuntimeError as error:
            raise CheckpointMismatch(
                where=str(backbone),
                wanted="the stages of a ShuffleNetV2 1.0x under torchvision's names, no classifier",
                got=" ".join(str(error).split())[:300],
                remedy="Give such a file, or none and start from nothing.",
            ) from error
    return network


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, ``sys.argv``'s unless given; ends with ``SystemExit``.

    A failure that we know is one line on stderr and an exit code.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        app(arguments)
    except StreamError as error:
        typer.echo(str(error), err=True)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
