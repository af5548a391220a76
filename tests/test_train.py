"""Training: the loss falls, runs repeat and go on where they stopped, batches come in order."""

import itertools
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError, TrainingError
from stages.learning.batches import TrainingBatch, batches, make_batch
from stages.learning.sample import Sample
from stages.learning.training.keeping import load_state, save_state
from stages.learning.training.loop import Step, train
from stages.learning.training.schedule import Budget, rate_factor
from stages.learning.training.settings import LearnSettings, StartSettings
from stages.learning.training.start import Start, begin, fresh
from stages.learning.training.trainer import Trainer
from stages.networks.solov2.nano import NANO

QUICK = LearnSettings(warmup_iterations=3, average=0.5, rate=3e-3)
CPU = torch.device("cpu")


class Squares:
    """Bright squares on dark noise, on a canvas of 64x96 px."""

    def __init__(self, seed: int = 0, batch: int = 2) -> None:
        self._seed, self._batch = seed, batch
        self.spoilt: list[str] = []

    def batch(self, iteration: int) -> list[Sample]:
        return [self._sample(iteration * self._batch + slot) for slot in range(self._batch)]

    def _sample(self, number: int) -> Sample:
        rng = np.random.default_rng((self._seed, number))
        image = rng.integers(0, 60, (64, 96, 3), np.uint8)
        mask = np.zeros((1, 64, 96), np.uint8)
        x, y = rng.integers(0, 60), rng.integers(0, 30)
        mask[0, y : y + 32, x : x + 32] = 1
        image[mask[0] > 0] = 220
        nothing = np.zeros((64, 96), np.bool_)
        return Sample(image, mask, np.ones(1, np.int64), nothing, name=f"{number}.png")


def trainer(
    seed: int = 0, learn: LearnSettings = QUICK, parts: StartSettings | None = None
) -> Trainer:
    torch.manual_seed(seed)
    start = Start(fresh("solov2-nano", NANO.classes), True, False, ())
    return Trainer(start, learn, parts or StartSettings(), CPU)


def run(subject: Trainer, iterations: int, batch: int = 2) -> list[float]:
    """Train up to ``iterations``; the total loss of each."""
    totals: list[float] = []
    first = subject.iteration * subject.learn.accumulate
    source = batches(Squares(batch=batch), NANO, first=first, workers=0)

    def note(step: Step) -> None:
        totals.append(step.report.class_loss + step.report.mask_loss)

    train(subject, source, Budget(iterations), itertools.count().__next__, note)
    return totals


def test_the_loss_falls() -> None:
    totals = run(trainer(), 24)
    assert sum(totals[-4:]) < 0.7 * sum(totals[:4])


def test_the_same_seed_learns_the_same_and_another_does_not() -> None:
    first, again, other = (run(trainer(seed), 2) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = trainer()
    losses = run(whole, 4)
    early, late = trainer(), trainer(seed=5)
    budget = Budget(iterations=4)  # the schedule of the whole run, left after two steps
    source = batches(Squares(), NANO, workers=0)
    for number in range(2):
        early.step([next(source)], budget.progress(number, 0))
    save_state(tmp_path / "state.pt", early.state())
    late.restore(load_state(tmp_path / "state.pt", CPU))
    assert run(late, 4) == losses[2:]
    for key, value in late.averaged().items():
        assert torch.equal(value, whole.averaged()[key]), key


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_accumulated_batches_are_one_large_batch(optimizer: str) -> None:
    still = StartSettings(norms="all")
    large = LearnSettings.model_validate({"optimizer": optimizer, "rate": 1e-3, "batch": 4})
    small = large.model_copy(update={"batch": 2, "accumulate": 2})
    one, other = trainer(learn=large, parts=still), trainer(learn=small, parts=still)
    assert run(one, 2, batch=4) == pytest.approx(run(other, 2, batch=2), rel=1e-4)
    for key, value in one.averaged().items():
        torch.testing.assert_close(value, other.averaged()[key], rtol=1e-3, atol=1e-4)


def test_half_precision_learns_too() -> None:
    totals = run(trainer(learn=QUICK.model_copy(update={"precision": "bfloat16"})), 3)
    assert np.isfinite(totals).all()


def test_the_pretrained_start_stays_frozen_where_it_should() -> None:
    subject = trainer()
    before = {k: v.clone() for k, v in subject.network.backbone.state_dict().items()}
    run(subject, 2)
    after = subject.network.backbone.state_dict()
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert {key.split(".")[0] for key in changed} == {"stage3", "stage4"}
    assert not any("running" in key for key in changed)


def test_what_is_frozen_by_name_stays_and_a_wrong_name_is_said() -> None:
    subject = trainer(parts=StartSettings(freeze=("neck", "backbone", "class_branch.towers")))
    before = {k: v.clone() for k, v in subject.network.state_dict().items()}
    run(subject, 1)
    after = subject.network.state_dict()
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert {key.split(".")[0] for key in changed} == {"mask_branch", "head", "class_branch"}
    assert not any(key.startswith("class_branch.towers") for key in changed)
    with pytest.raises(ConfigError, match=r"backbone\.stage2, .* got backbone\.stage9"):
        trainer(parts=StartSettings(freeze=("backbone.stage9",)))


def test_a_loss_that_is_no_number_stops_with_the_names_of_its_pictures() -> None:
    subject = trainer(learn=LearnSettings(rate=1e30, warmup_iterations=0))
    with pytest.raises(TrainingError, match=r"iteration \d: .*number, got .*\d\.png, \d\.png"):
        run(subject, 8)


def test_the_published_networks_learn_too() -> None:
    torch.manual_seed(0)
    start = begin("solov2-light-r18", NANO.classes, StartSettings(weights="none"))
    subject = Trainer(start, LearnSettings(warmup_iterations=1), StartSettings(), CPU)
    batch = next(batches(Squares(batch=1), start.network.spec, workers=0))
    losses = [subject.step([batch], 0.0).class_loss for _ in range(3)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_deformable_layers_learn_too(precision: Literal["float32", "bfloat16"]) -> None:
    torch.manual_seed(0)
    start = begin("solov2-light-r50-dcn", NANO.classes, StartSettings(weights="none"))
    learn = LearnSettings(warmup_iterations=1, precision=precision)
    subject = Trainer(start, learn, StartSettings(), CPU)
    batch = next(batches(Squares(batch=1), start.network.spec, workers=0))
    before = {key: value.clone() for key, value in subject.network.state_dict().items()}
    losses = [subject.step([batch], 0.0).class_loss for _ in range(2)]
    assert losses[1] < losses[0]
    offsets = [key for key in before if key.endswith("conv_offset.weight")]
    after = subject.network.state_dict()
    assert offsets
    assert any(not torch.equal(before[key], after[key]) for key in offsets)


def test_batches_come_in_order_from_workers_too() -> None:
    here, there = (
        list(itertools.islice(batches(Squares(), NANO, first=3, workers=n), 2)) for n in (0, 1)
    )
    for left, right in zip(here, there, strict=True):
        _same(left, right)
    _same(here[0], make_batch(Squares().batch(3), NANO))


def _same(left: TrainingBatch, right: TrainingBatch) -> None:
    assert torch.equal(left.pixels, right.pixels)
    for one, two in zip(left.targets, right.targets, strict=True):
        np.testing.assert_array_equal(one.masks, two.masks)
        for a, b in zip(one.levels, two.levels, strict=True):
            np.testing.assert_array_equal(a.labels, b.labels)


def test_a_budget_ends_by_whichever_comes_first() -> None:
    budget = Budget(iterations=10, seconds=100)
    assert budget.progress(5, 20) == 0.5
    assert budget.progress(5, 80) == 0.8
    assert budget.progress(5, 500) == 1
    for wrong in ({}, {"iterations": 0}, {"seconds": -1.0}):
        with pytest.raises(ValueError, match="budget needs"):
            Budget(**wrong)


def test_a_length_is_said_in_steps_epochs_or_minutes() -> None:
    assert Budget.of(LearnSettings(epochs=2), 10.4) == Budget(21)
    assert Budget.of(LearnSettings(minutes=2), 10) == Budget(seconds=120)
    assert Budget.of(LearnSettings(), 10) == Budget(1000)
    assert Budget.of(LearnSettings(), 1000) == Budget(12000)
    with pytest.raises(ValueError, match="one of iterations, epochs and minutes"):
        LearnSettings(epochs=1, minutes=1)


def test_the_rate_rises_then_falls() -> None:
    assert rate_factor(0, 0, warmup=100) == pytest.approx(0.01)
    assert rate_factor(99, 0, warmup=100) == pytest.approx(1)
    assert rate_factor(500, 0.5, warmup=100) == pytest.approx(0.505)
    assert rate_factor(1000, 1, warmup=100) == pytest.approx(0.01)
    assert rate_factor(500, 0.7, 100, "constant") == 1
    falls = [rate_factor(500, share, 100, "step", (0.6, 0.9)) for share in (0.5, 0.6, 0.95)]
    assert falls == pytest.approx([1, 0.1, 0.01])
