"""A whole training: data, network, loop, files. The command, and whoever has batches of his own."""

import logging
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pipeline.device import open_lane, usable_cores
from pipeline.errors import TrainingError
from pipeline.folders import check_writable
from stages.networks.checkpoint import load
from stages.weights.bar import download_progress

from ..batches import Samples, batches
from ..datasets import Prepared, prepare
from ..order import PictureOrder
from ..pictures import LabelledPictures
from .card import Card
from .course import BEST, LAST, STATE, Course, tell_skipped
from .keeping import Keeper, claimed
from .loop import stopping, train
from .ranks import Ranks, ranks
from .resuming import Prints, fingerprint, resume
from .schedule import Budget
from .settings import TrainSettings
from .showing import Bar, Events, Lines
from .start import Start, begin
from .trainer import Trainer
from .validation import Validation

log = logging.getLogger("maskstream.learning")


@dataclass(frozen=True, eq=False)
class Material:
    """What a training needs besides its settings.

    ``data`` describes it, a line each; ``digest`` is that of the files with the labels.
    """

    start: Start
    samples: Samples
    epoch_pictures: int
    validation: Validation | None
    data: Sequence[str]
    digest: str = ""


def train_network(settings: TrainSettings, console: Console) -> Path:
    """Train as the settings say, from labelled pictures; where the best weights are.

    :raises StreamError: for everything that a user can settle, before it starts where possible.
    """
    check_writable(settings.save.folder, "--out")
    device = prepare_machine(settings)
    with ranks(device) as among, claimed(settings.save.folder) if among.leads else nullcontext():
        own = device if device.type == "cpu" else torch.device("cuda", among.local)
        data = _prepare(settings)
        start = _begin(settings, data, among, console)
        material = _material(settings, data, start, among)
        for line in (*material.data, *start.remarks) if among.leads else ():
            log.info("%s", line)
        return conduct(settings, material, console, own, among)


def prepare_machine(settings: TrainSettings) -> torch.device:
    """Seed torch, set its threads, choose the device.

    :raises DeviceError: it is not there.
    """
    torch.set_num_threads(settings.threads or max(1, usable_cores() - settings.workers))
    torch.manual_seed(settings.seed)
    return open_lane(settings.device).device


def _prepare(settings: TrainSettings) -> Prepared:
    data = settings.data
    return prepare(
        data.training,
        data.validation,
        data.classes,
        share=data.hold_out,
        seed=settings.seed,
        drop_mistakes=data.mistakes == "drop",
    )


def _begin(settings: TrainSettings, data: Prepared, among: Ranks, console: Console) -> Start:
    """Number 0 first, so that a file is fetched once."""
    if not among.leads:
        among.agreed((0.0,))
    with download_progress(console) as report:
        start = begin(settings.network, data.classes, settings.start, report)
    if among.leads:
        among.agreed((0.0,))
    return start


def _material(settings: TrainSettings, data: Prepared, start: Start, among: Ranks) -> Material:
    order = PictureOrder(
        data.training, settings.seed, settings.data.empty_share, settings.data.balance
    )
    skip = settings.data.bad_pictures == "skip"
    samples = LabelledPictures(
        data.training,
        start.network.spec,
        order,
        settings.augment,
        batch=settings.learn.batch,
        seed=settings.seed,
        skip=skip,
        rank=among.rank,
        world=among.world,
    )
    validation = Validation(data.validation, settings.seed, skip=skip) if data.validation else None
    held = f"{len(validation)} pictures to measure on" if validation else "nothing to measure on"
    lines = (*data.remarks, f"{len(order)} pictures an epoch, {held}")
    return Material(start, samples, len(order), validation, lines, data.digest)


def conduct(
    settings: TrainSettings,
    material: Material,
    console: Console,
    device: torch.device,
    among: Ranks,
) -> Path:
    """Train until the budget is spent or SIGINT or SIGTERM comes; where the best weights are.

    A state that lies in the folder is gone on from.

    :raises TrainingError: it cannot go on.
    """
    learn, folder = settings.learn, settings.save.folder
    trainer = Trainer(material.start, learn, settings.start, device, among)
    prints = Prints(fingerprint(settings), material.digest)
    record = resume(trainer, prints, folder / STATE)
    pictures = learn.batch * learn.accumulate * among.world
    epoch = material.epoch_pictures / pictures
    budget = Budget.of(learn, epoch)
    source = batches(
        material.samples,
        trainer.network.spec,
        first=trainer.iteration * learn.accumulate,
        workers=settings.workers,
    )
    if not among.leads:
        with stopping() as asked:
            train(trainer, source, budget, time.monotonic, tell_skipped, asked)
        return folder / BEST
    keeper = Keeper(settings.save.full_disk == "go-on")
    facts = _facts(trainer, settings, epoch)
    with Events(folder / "events", settings.watch.events, trainer.iteration) as events:
        show = Bar(console) if console.is_terminal else Lines(settings.watch.line_every)
        course = Course(
            trainer, settings, material.validation, epoch, keeper, show, events, record, facts,
            prints,
        )  # fmt: skip
        if budget.progress(trainer.iteration, trainer.elapsed_s) >= 1:
            log.info("this training is over; more of it: --iterations, another: --out")
        with closing(course), stopping() as asked:
            finished = train(trainer, source, budget, time.monotonic, course.after_step, asked)
            course.save()
            if not finished:
                log.info("stopped at iteration %d; the same command goes on", trainer.iteration)
                course.write_weights(LAST)
                return folder / LAST
            return _finish(course, settings, material, facts, keeper)


def _facts(trainer: Trainer, settings: TrainSettings, epoch: float) -> Callable[[], dict[str, str]]:
    def facts() -> dict[str, str]:
        heads, backbone = trainer.rates
        return {
            "iterations": str(trainer.iteration),
            "epochs": f"{trainer.iteration / epoch:.1f}",
            "training_minutes": f"{trainer.elapsed_s / 60:.1f}",
            "batch": f"{settings.learn.batch} x {settings.learn.accumulate} x "
            f"{trainer.ranks.world} (pictures, batches a step, processes)",
            "optimizer": f"{settings.learn.optimizer}, peak rates {heads:g} and {backbone:g}",
            "frozen": ", ".join(trainer.frozen) or "nothing",
            "seed": str(settings.seed),
            "device": f"{trainer.device}, {torch.get_num_threads()} threads",
            "versions": f"torch {torch.__version__}, Python {platform.python_version()}",
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    return facts


def _finish(
    course: Course,
    settings: TrainSettings,
    material: Material,
    facts: Callable[[], dict[str, str]],
    keeper: Keeper,
) -> Path:
    """Measure, write the last and the best weights and the card."""
    course.measure()
    course.write_weights(LAST)
    if material.validation is None:
        course.write_weights(BEST)
    final = _final(course, settings, material)
    card = Card(
        network=settings.network,
        classes=material.start.network.spec.classes,
        data=material.data,
        start=material.start.remarks,
        settings=settings.model_dump(mode="json"),
        facts=facts(),
        record=course.record,
        left_out=list(validation.spoilt.values()) if (validation := material.validation) else [],
        final=final,
        missed_files=keeper.missed,
    )
    keeper.keep(course.folder / "card.json", card.write_json)
    keeper.keep(course.folder / "card.md", card.write_markdown)
    if not (course.folder / BEST).exists():
        raise TrainingError(
            where=str(course.folder / BEST),
            wanted="to leave the best weights",
            got=f"no room for them, {keeper.missed} files missed",
            remedy="Make room and give the same command again: it goes on from the last state.",
        )
    log.info("%s: run_stream.py run SOURCE --weights %s", course.folder, course.folder / BEST)
    return course.folder / BEST


def _final(course: Course, settings: TrainSettings, material: Material) -> Mapping[str, Any] | None:
    """Figures of the best weights on all validation pictures."""
    validation, record = material.validation, course.record
    if validation is None or record.best_iteration is None:
        return None
    best = next(one for one in record.measured if one["iteration"] == record.best_iteration)
    if len(validation) <= settings.watch.pictures:
        return best
    tensors = load(course.folder / BEST).tensors
    network = material.start.network
    weights = network.state_dict() | {key: value.float() for key, value in tensors.items()}
    measured, _ = validation.measure(
        network,
        weights,
        record.best_iteration,
        most=len(validation),
        device=next(network.parameters()).device,
    )
    log.info("the best weights: %s", measured.line())
    return measured.plain()
