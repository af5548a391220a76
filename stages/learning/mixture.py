"""The training mixture: which pictures come how often, batch after batch, the same each time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from .augment import Canvas, degrade, random_view, recolour, warp
from .coco import CocoPictures
from .invented import InventedScenes, ThingCutouts
from .paste import Paster, PictureCutouts
from .sample import Sample

CANVASES: tuple[Canvas, ...] = ((320, 544), (320, 448), (448, 320), (320, 544), (256, 448))
"""Mostly what a picture becomes when it is resized to fit 544x320: 16:9, 4:3 and upright."""
CLASSES = ("person", "shape")


class Source(Protocol):
    """Where samples come from."""

    def draw(self, rng: np.random.Generator, canvas: Canvas) -> Sample:
        """A random sample of the canvas's size; all randomness is from ``rng``."""
        ...


class Photographs:
    """Random views of annotated pictures, with things pasted into a share of them."""

    def __init__(
        self, pictures: CocoPictures, pasters: Sequence[tuple[float, Paster]] = ()
    ) -> None:
        self._pictures, self._pasters = pictures, tuple(pasters)

    def draw(self, rng: np.random.Generator, canvas: Canvas) -> Sample:
        """A picture drawn evenly, seen at random."""
        whole = self._pictures.sample(int(rng.integers(len(self._pictures))))
        coloured = replace(whole, image=recolour(rng, whole.image))
        sample = warp(coloured, random_view(rng, whole.image.shape[:2], canvas), canvas)
        for share, paster in self._pasters:
            if rng.random() < share:
                sample = paster.paste(rng, sample)
        return replace(sample, image=degrade(rng, sample.image))


class Mixture:
    """Batches of samples, each a function of (seed, iteration) alone: a resumed run repeats.

    ``parts``: (weight, source). ``canvases``: one is drawn for each batch. Safe in worker
    processes; in one process use it from one thread at a time.
    """

    def __init__(
        self,
        parts: Sequence[tuple[float, Source]],
        canvases: Sequence[Canvas],
        batch: int,
        seed: int,
    ) -> None:
        if not parts or not canvases or batch < 1:
            raise ValueError("a mixture needs parts, canvases and a batch of at least 1")
        total = sum(weight for weight, _ in parts)
        self._weights = [weight / total for weight, _ in parts]
        self._sources = [source for _, source in parts]
        self._canvases = tuple(canvases)
        self._batch, self._seed = batch, seed
        self.spoilt: list[str] = []

    def batch(self, iteration: int) -> list[Sample]:
        """The samples of an iteration, all of one canvas."""
        canvas = self.canvas(iteration)
        return [self._draw(iteration, slot, canvas) for slot in range(self._batch)]

    def canvas(self, iteration: int) -> Canvas:
        """The (height, width) px of an iteration's pictures."""
        rng = np.random.default_rng((self._seed, iteration))
        return self._canvases[int(rng.integers(len(self._canvases)))]

    def _draw(self, iteration: int, slot: int, canvas: Canvas) -> Sample:
        rng = np.random.default_rng((self._seed, iteration, slot + 1))
        return self._sources[rng.choice(len(self._sources), p=self._weights)].draw(rng, canvas)


def bundled_mixture(
    media: Path, batch: int, seed: int, canvases: Sequence[Canvas] = CANVASES
) -> Mixture:
    """What the bundled network learns from: classes ``CLASSES``, data below ``media``.

    :raises SourceError: when ``coco_mini``, ``pennfudan`` or ``ccp_person`` is not there.
    """
    coco, street, cut = (media / name for name in ("coco_mini", "pennfudan", "ccp_person"))
    people = CocoPictures(coco / "train.json", coco, CLASSES, choose="with")
    others = CocoPictures(coco / "train.json", coco, CLASSES, choose="without")
    walkers = CocoPictures(street / "train.json", street, CLASSES)
    posing = PictureCutouts(CocoPictures(cut / "train.json", cut, CLASSES))
    person = Paster(
        [(0.65, posing), (0.2, PictureCutouts(people)), (0.15, PictureCutouts(walkers))]
    )
    things = ThingCutouts(CLASSES.index("shape"))
    thing = Paster([(1, things)], most=4, heights=(0.08, 0.7), turn_rad=2.0, shadow=0.5)
    things_only = Paster([(1, things)], most=9, heights=(0.1, 0.7), turn_rad=2.0, shadow=0.7)
    parts: list[tuple[float, Source]] = [
        (0.5, Photographs(people, [(0.4, person), (0.1, thing)])),
        (0.2, Photographs(walkers, [(0.4, person), (0.1, thing)])),
        (0.2, Photographs(others, [(0.5, person), (0.3, thing)])),
        (0.1, InventedScenes([(0.95, things_only), (0.2, person)])),
    ]
    return Mixture(parts, canvases, batch, seed)
