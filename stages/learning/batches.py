"""Batches with their targets, made ahead in worker processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from stages.learning.sample import Sample
from stages.learning.targets import PictureTargets, picture_targets
from stages.networks.solov2.spec import Spec


class Samples(Protocol):
    """What to train on: the samples of an iteration, always the same for the same number."""

    def batch(self, iteration: int) -> list[Sample]:
        """Samples of one canvas, whose sides are multiples of 32 px."""
        ...


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """``pixels`` (B, H, W, 3) uint8 BGR and the targets of each picture."""

    pixels: Tensor
    targets: list[PictureTargets]


class _Batches(Dataset[TrainingBatch]):
    """Batch number ``first + index``."""

    def __init__(self, samples: Samples, spec: Spec, first: int) -> None:
        self._samples, self._spec, self._first = samples, spec, first

    def __getitem__(self, index: int) -> TrainingBatch:
        return make_batch(self._samples.batch(self._first + index), self._spec)


def make_batch(samples: list[Sample], spec: Spec) -> TrainingBatch:
    """Stack samples of one canvas and work out their targets."""
    pixels = torch.from_numpy(np.stack([sample.image for sample in samples]))
    targets = [
        picture_targets(sample.masks, sample.classes, spec, ignore=sample.ignore)
        for sample in samples
    ]
    return TrainingBatch(pixels, targets)


def batches(
    samples: Samples, spec: Spec, *, first: int = 0, workers: int = 1
) -> Iterator[TrainingBatch]:
    """Batches without end from iteration ``first`` on, in order whatever the number of workers.

    ``workers`` processes make them ahead; 0: they are made when asked for.
    """
    loader = DataLoader(
        _Batches(samples, spec, first),
        batch_size=None,
        sampler=_Numbers(),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        # a fork of a process with threads (ours, torch's, OpenCV's) can hang for ever
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_one_thread if workers else None,
    )
    yield from loader


class _Numbers:
    """0, 1, 2, … for the loader."""

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)
