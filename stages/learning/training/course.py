"""Beside the loop: show, measure, draw, save. Only the first of several processes has one."""

import logging
import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from .card import Record
from .keeping import Keeper, save_state, save_weights
from .loop import Step
from .resuming import Prints
from .settings import TrainSettings
from .showing import Averages, Events, Show
from .trainer import Trainer
from .validation import Measured, Validation

log = logging.getLogger("maskstream.learning")
STATE, BEST, LAST = "state.pt", "best.safetensors", "last.safetensors"
MEASUREMENTS = 5
"""In a training that was not told how often."""
MOST_SPOILT = 1000
LOSS_LINES = 20


def tell_skipped(step: Step) -> None:
    """Say which pictures this process left out; all that the others of several have to say."""
    for message in step.spoilt:
        log.warning("skipped: %s", message)


class Course:
    """Follows one training. ``facts`` go into the weights' files."""

    def __init__(
        self,
        trainer: Trainer,
        settings: TrainSettings,
        validation: Validation | None,
        epoch_iterations: float,
        keeper: Keeper,
        show: Show,
        events: Events,
        record: Record,
        facts: Callable[[], dict[str, str]],
        prints: Prints,
    ) -> None:
        self._trainer, self._settings, self._validation = trainer, settings, validation
        self._epoch, self._keeper = epoch_iterations, keeper
        self._show, self._events = show, events
        self.record, self._facts, self._prints = record, facts, prints
        self._folder = settings.save.folder
        self._averages = Averages()
        self._saved_s = trainer.elapsed_s

    def after_step(self, step: Step) -> None:
        """Show the step, and measure and save when it is time."""
        self._note(step)
        if self._is_time_to_measure(step) and step.after < 1:
            self.measure()
        if self._trainer.elapsed_s - self._saved_s >= self._settings.save.every_s:
            self.save()

    def _note(self, step: Step) -> None:
        report, number = step.report, self._trainer.iteration
        values = {
            "loss/classes": report.class_loss,
            "loss/masks": report.mask_loss,
            "cells": float(report.positive_cells),
            "rate": report.rate,
            "seconds/iteration": step.whole_s,
            "seconds/waiting": step.waited_s,
        }
        self._averages.add(values)
        self._show.step(step.after, self._text(step.after))
        if number % self._settings.watch.line_every == 0:
            self._events.add(number, values)
        if math.floor(step.after * LOSS_LINES) > math.floor(step.before * LOSS_LINES):
            means = self._averages
            self.record.losses.append((number, means["loss/classes"], means["loss/masks"]))
        self.record.skips += step.skips
        tell_skipped(step)
        for message in step.spoilt:
            if message not in self.record.spoilt and len(self.record.spoilt) < MOST_SPOILT:
                self.record.spoilt.append(message)

    def _text(self, progress: float) -> str:
        means = self._averages
        left_s = self._trainer.elapsed_s * (1 - progress) / progress
        return (
            f"iteration {self._trainer.iteration}  class loss {means['loss/classes']:.3f}  "
            f"mask loss {means['loss/masks']:.3f}  {means['seconds/iteration']:.2f} s/it "
            f"(waiting {means['seconds/waiting']:.2f})  {timedelta(seconds=round(left_s))} left"
        )

    def _is_time_to_measure(self, step: Step) -> bool:
        if (every := self._settings.watch.every_epochs) is None:
            return math.floor(step.after * MEASUREMENTS) > math.floor(step.before * MEASUREMENTS)
        now, before = (n / (every * self._epoch) for n in self._numbers())
        return math.floor(now) > math.floor(before)

    def _numbers(self) -> tuple[int, int]:
        return self._trainer.iteration, self._trainer.iteration - 1

    def measure(self) -> None:
        """AP of the averaged weights; the best ones so far are kept."""
        if self._validation is None:
            return
        number, watch, device = self._trainer.iteration, self._settings.watch, self._trainer.device
        weights = self._trainer.averaged()
        measured, segmenter = self._validation.measure(
            self._trainer.network, weights, number, most=watch.pictures, device=device
        )
        log.info("iteration %d: %s", number, measured.line())
        self.record.measured.append(measured.plain())
        self._events.add(number, {"validation/mask AP": measured.mean("mask.AP")})
        if watch.sheet:
            sheet, validation = self._folder / "sheets" / f"{number:06d}.jpg", self._validation
            self._keeper.keep(
                sheet, lambda path: validation.draw(segmenter, path, watch.sheet, device)
            )
        self._keep_if_best(measured)

    def _keep_if_best(self, measured: Measured) -> None:
        ap = measured.mean("mask.AP")
        ap = 0.0 if math.isnan(ap) else ap  # no instance among the first pictures
        is_best = self.record.best_ap is None or ap > self.record.best_ap
        if is_best and self.write_weights(BEST):
            self.record.best_ap, self.record.best_iteration = ap, measured.iteration

    def write_weights(self, name: str) -> bool:
        """Write the averaged weights, for ``run`` to take; whether there was room."""
        trainer = self._trainer
        facts = self._facts()
        return self._keeper.keep(
            self._folder / name,
            lambda path: save_weights(path, trainer.averaged(), trainer.network.spec, facts),
        )

    def save(self) -> None:
        """Write all that is needed to go on from here."""
        self._saved_s = self._trainer.elapsed_s
        state: dict[str, Any] = {
            "trainer": self._trainer.state(),
            "record": asdict(self.record),
            "settings": self._prints.settings,
            "labels": self._prints.labels,
        }
        self._keeper.keep(self._folder / STATE, lambda path: save_state(path, state))

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._show.close()
