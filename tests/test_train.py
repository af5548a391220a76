"""Training: the loss falls, runs repeat and go on where they stopped, weights load again."""

import itertools
import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch

from pipeline.errors import CheckpointMismatch
from stages.learning.batches import TrainingBatch, batches, make_batch
from stages.learning.sample import Sample
from stages.learning.schedule import Budget, rate_factor
from stages.learning.train import export, main, train
from stages.learning.trainer import Recipe, Trainer
from stages.networks.solov2.nano import NANO, Solov2Nano

QUICK = Recipe(warmup_iterations=3, average=0.5, head_rate=3e-3)


class Squares:
    """Bright squares on dark noise, on a canvas of 64x96 px."""

    def __init__(self, seed: int = 0, batch: int = 2) -> None:
        self._seed, self._batch = seed, batch

    def batch(self, iteration: int) -> list[Sample]:
        return [self._sample(iteration * self._batch + slot) for slot in range(self._batch)]

    def _sample(self, number: int) -> Sample:
        rng = np.random.default_rng((self._seed, number))
        image = rng.integers(0, 60, (64, 96, 3), np.uint8)
        mask = np.zeros((1, 64, 96), np.uint8)
        x, y = rng.integers(0, 60), rng.integers(0, 30)
        mask[0, y : y + 32, x : x + 32] = 1
        image[mask[0] > 0] = 220
        return Sample(image, mask, np.ones(1, np.int64), np.zeros((64, 96), np.bool_))


def trainer(seed: int = 0) -> Trainer:
    torch.manual_seed(seed)
    return Trainer(Solov2Nano(), QUICK, torch.device("cpu"))


def run(subject: Trainer, iterations: int) -> list[float]:
    """Train up to ``iterations``; the total loss of each."""
    totals: list[float] = []
    source = batches(Squares(), NANO, first=subject.iteration, workers=0)
    clock = itertools.count().__next__
    budget = Budget(iterations=iterations)
    train(subject, source, budget, clock, lambda losses, *_: totals.append(losses.total().item()))
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
    early = trainer()
    torch.manual_seed(1)
    late = trainer(seed=5)
    budget = Budget(iterations=4)  # the schedule of the whole run, left after two steps
    source = batches(Squares(), NANO, workers=0)
    for number in range(2):
        early.step(next(source), budget.progress(number, 0))
    early.save(tmp_path / "state.pt")
    late.resume(tmp_path / "state.pt")
    assert run(late, 4) == pytest.approx(losses[2:], rel=1e-5)
    for key, value in late.averaged().items():
        torch.testing.assert_close(value, whole.averaged()[key], rtol=1e-4, atol=1e-6)


def test_exported_weights_load_again_and_are_small(tmp_path: Path) -> None:
    subject = trainer()
    run(subject, 1)
    path = tmp_path / "nano.safetensors"
    export(subject, path, {"licence": "free"})
    assert path.stat().st_size < 8e6
    tensors = safetensors.torch.load_file(path)
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    missing, unexpected = Solov2Nano().load_state_dict(
        {key: value.float() for key, value in tensors.items()}, strict=False
    )
    assert unexpected == []
    assert all(key.endswith("num_batches_tracked") for key in missing)


def test_the_pretrained_start_stays_frozen_where_it_should() -> None:
    subject = trainer()
    before = {k: v.clone() for k, v in subject.network.backbone.state_dict().items()}
    run(subject, 2)
    after = subject.network.backbone.state_dict()
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert {key.split(".")[0] for key in changed} == {"stage3", "stage4"}
    assert not any("running" in key for key in changed)


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


def coco_folder(folder: Path) -> None:
    """Two pictures of 96x80 px with a person each, and one without."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    box = [[30.0, 5.0, 60.0, 5.0, 60.0, 75.0, 30.0, 75.0]]
    images = [{"id": n, "file_name": f"{n}.png", "width": 96, "height": 80} for n in (1, 2, 3)]
    for image in images:
        cv2.imwrite(
            str(folder / str(image["file_name"])), rng.integers(0, 255, (80, 96, 3), np.uint8)
        )
    people = [{"image_id": n, "category_id": 1, "segmentation": box} for n in (1, 2)]
    categories = [{"id": 1, "name": "person"}]
    content = {"images": images, "annotations": people, "categories": categories}
    (folder / "train.json").write_text(json.dumps(content))


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_the_command_trains_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("coco_mini", "pennfudan", "ccp_person"):
        coco_folder(tmp_path / "media" / name)
    options = ("--media", tmp_path / "media", "--out", tmp_path / "out", "--batch", 2)
    assert command(*options, "--iterations", 1, "--workers", 0) == 0
    caplog.set_level(logging.INFO)
    assert command(*options, "--iterations", 2, "--workers", 0) == 0
    assert "going on from iteration 1" in caplog.text
    assert (tmp_path / "out" / "solov2-nano.safetensors").stat().st_size < 8e6


def test_what_is_missing_or_wrong_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--media", tmp_path, "--out", tmp_path) == 2
    assert "--minutes" in capsys.readouterr().err
    assert command("--media", tmp_path, "--out", tmp_path, "--iterations", 1) == 3
    assert "annotation file" in capsys.readouterr().err
    (tmp_path / "state.pt").write_bytes(b"rubbish")
    with pytest.raises(CheckpointMismatch, match="Remove the file"):
        trainer().resume(tmp_path / "state.pt")


def test_a_budget_ends_by_whichever_comes_first() -> None:
    budget = Budget(iterations=10, seconds=100)
    assert budget.progress(5, 20) == 0.5
    assert budget.progress(5, 80) == 0.8
    assert budget.progress(5, 500) == 1
    for wrong in ({}, {"iterations": 0}, {"seconds": -1.0}):
        with pytest.raises(ValueError, match="budget needs"):
            Budget(**wrong)


def test_the_rate_rises_then_falls() -> None:
    assert rate_factor(0, 0, warmup=100) == pytest.approx(0.01)
    assert rate_factor(99, 0, warmup=100) == pytest.approx(1)
    assert rate_factor(500, 0.5, warmup=100) == pytest.approx(0.505)
    assert rate_factor(1000, 1, warmup=100) == pytest.approx(0.01)
