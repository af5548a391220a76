"""Batches from the labelled pictures of a user: each a function of (seed, iteration) alone."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch

from pipeline.errors import SourceError
from stages.networks.canvas import resized_size
from stages.networks.solov2.spec import Spec

from .augment import Canvas
from .coco import CocoPictures
from .cutouts import Cutout
from .order import PictureOrder
from .paste import Paster, cut, is_whole
from .sample import Sample
from .training.settings import AugmentSettings
from .views import Views

LEAST_PASTED_PX = 48
"""Longer side below which an instance is too blurred to be pasted larger."""
TRIES = 8


class PictureInstances:
    """Whole instances of random pictures, of each class as often, to be pasted into others.

    Looks for one each time: nothing is kept, so that sets of any size fit.
    """

    def __init__(self, sets: Sequence[CocoPictures], order: PictureOrder) -> None:
        self._sets, self._order = sets, order

    def draw(self, rng: np.random.Generator) -> Cutout | None:
        """An instance that no edge cuts; None when a few pictures had none."""
        for _ in range(TRIES):
            label, (number, index) = self._order.of_any_class(rng)
            try:
                sample = self._sets[number].sample(index)
            except SourceError:
                continue  # said where this picture's own turn comes
            if (found := _whole_instance(rng, sample, label)) is not None:
                return found
        return None


def _whole_instance(rng: np.random.Generator, sample: Sample, label: int) -> Cutout | None:
    for row in rng.permutation(np.flatnonzero(sample.classes == label)):
        mask = sample.masks[row]
        x, y, w, h = cv2.boundingRect(mask)
        if max(w, h) >= LEAST_PASTED_PX and is_whole(mask, (x, y, w, h)):
            return cut(sample.image, mask, (x, y, w, h), label)
    return None


class LabelledPictures:
    """The batches of one of ``world`` processes; the canvas is the same in all of them.

    A canvas has the shape of one of its pictures as the network would get it at use, times a
    random scale. ``skip``: a picture that cannot be decoded is replaced by the next, and named.
    """

    def __init__(
        self,
        sets: Sequence[CocoPictures],
        spec: Spec,
        order: PictureOrder,
        settings: AugmentSettings,
        *,
        batch: int,
        seed: int,
        skip: bool,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._sets, self._spec, self._order = tuple(sets), spec, order
        self._settings, self._views = settings, Views(settings)
        instances = PictureInstances(self._sets, order)
        self._paster = Paster([(1.0, instances)], most=settings.most_pasted)
        self._batch, self._seed, self._skip = batch, seed, skip
        self._rank, self._world = rank, world
        self.spoilt: list[str] = []
        """What was skipped since somebody last emptied this list, a message each."""

    def batch(self, iteration: int) -> list[Sample]:
        """The samples of an iteration of this process.

        :raises SourceError: a picture that cannot be decoded, unless such are skipped.
        """
        canvas = self._canvas(iteration)
        first = (iteration * self._world + self._rank) * self._batch
        return [self._sample(first + slot, canvas) for slot in range(self._batch)]

    def _canvas(self, iteration: int) -> Canvas:
        rng = np.random.default_rng((self._seed, iteration))
        number, index = self._order.at(iteration * self._world * self._batch)
        image = self._sets[number].images[index]
        scale = rng.uniform(*self._settings.scales)
        sides = resized_size(
            image.height,
            image.width,
            long_px=round(self._spec.long_px * scale),
            short_px=round(self._spec.short_px * scale),
        )
        step = self._spec.size_divisor
        height, width = (max(step, round(side / step) * step) for side in sides)
        return height, width

    def _sample(self, position: int, canvas: Canvas) -> Sample:
        rng = np.random.default_rng((self._seed, position, 1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**62)))
            sample = self._views.view(self._whole(position), canvas)
            if rng.random() < self._settings.paste:
                pasted = self._paster.paste(rng, sample)
                sample = replace(pasted, unlabelled=sample.unlabelled, name=sample.name)
            return replace(sample, image=self._views.spoil(sample.image))

    def _whole(self, position: int) -> Sample:
        for number, index in self._candidates(position):
            try:
                return self._sets[number].sample(index)
            except SourceError as error:
                if not self._skip:
                    raise
                self.spoilt.append(str(error))
        raise SourceError(
            where="the training pictures",
            wanted="one that can be decoded",
            got=f"{len(self._order)} that cannot",
            remedy="Look at the messages above.",
        )

    def _candidates(self, position: int) -> Iterator[tuple[int, int]]:
        """The picture of a position, and then every other of an epoch."""
        return (self._order.at(position + step) for step in range(len(self._order)))
