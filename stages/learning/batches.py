"""Batches with their targets, made ahead in worker processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline.errors import SourceError, TrainingError
from stages.learning.sample import Sample
from stages.learning.targets import PictureTargets, picture_targets
from stages.networks.solov2.spec import Spec


class Samples(Protocol):
    """What to train on: the samples of an iteration, always the same for the same number."""

    spoilt: list[str]
    """What was skipped since somebody last emptied this list, a message each."""

    def batch(self, iteration: int) -> list[Sample]:
        """Samples of one canvas, whose sides are multiples of 32 px."""
        ...


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """``pixels`` (B, H, W, 3) uint8 BGR and the targets of each picture.

    ``names`` of the pictures, and messages of what was ``spoilt`` and had to be skipped.
    """

    pixels: Tensor
    targets: list[PictureTargets]
    names: tuple[str, ...] = ()
    spoilt: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Failure:
    """An error of a worker: the parts of its message, since the error itself cannot travel."""

    where: str
    wanted: str
    got: str
    remedy: str


class _Batches(Dataset[TrainingBatch | _Failure]):
    """Batch number ``first + index``."""

    def __init__(self, samples: Samples, spec: Spec, first: int) -> None:
        self._samples, self._spec, self._first = samples, spec, first

    def __getitem__(self, index: int) -> TrainingBatch | _Failure:
        try:
            batch = make_batch(self._samples.batch(self._first + index), self._spec)
        except SourceError as error:
            return _Failure(error.where, error.wanted, error.got, error.remedy)
        spoilt = tuple(self._samples.spoilt)
        self._samples.spoilt.clear()
        return replace(batch, spoilt=spoilt)


def make_batch(samples: list[Sample], spec: Spec) -> TrainingBatch:
    """Stack samples of one canvas and work out their targets."""
    pixels = torch.from_numpy(np.stack([sample.image for sample in samples]))
    targets = [
        picture_targets(
            sample.masks,
            sample.classes,
            spec,
            ignore=sample.ignore,
            unlabelled=sample.unlabelled,
        )
        for sample in samples
    ]
    return TrainingBatch(pixels, targets, tuple(sample.name for sample in samples))


def batches(
    samples: Samples, spec: Spec, *, first: int = 0, workers: int = 1
) -> Iterator[TrainingBatch]:
    """Batches without end from iteration ``first`` on, in order whatever the number of workers.

    ``workers`` processes make them ahead; 0: they are made when asked for.

    :raises SourceError: a picture that cannot be decoded.
    :raises TrainingError: a worker died.
    """
    loader = DataLoader(
        _Batches(samples, spec, first),
        batch_size=None,
        sampler=_Numbers(),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        # a fork of a process with threads (ours, torch's, OpenCV's) can hang for ever
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_be_modest if workers else None,
    )
    try:
        for batch in loader:
            if isinstance(batch, _Failure):
                raise SourceError(**asdict(batch))
            yield batch
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        raise TrainingError(
            where="a process that makes batches",
            wanted="to go on",
            got=" ".join(str(error).split())[:200],
            remedy="It may have lacked memory: use fewer --workers. The same command goes on.",
        ) from error


class _Numbers:
    """0, 1, 2, … for the loader."""

    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1


def _be_modest(_: int) -> None:
    """One thread; and Ctrl-C, which reaches every process of a terminal, is for the first one."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="maskstream-parent", daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for ever for somebody to take its batches."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)
