"""Endless invented samples: random things on random textures."""

from dataclasses import replace

import numpy as np

from .augment import Canvas, degrade, recolour
from .backdrop import random_texture
from .cutouts import Cutout
from .paste import Paster
from .sample import Sample
from .things import make_thing, random_look


class ThingCutouts:
    """Things that nobody saw before, as cut-outs of class ``label``.

    Drawn from the caller's generator, never from a named scene's seed: no thing of a scene is
    among them, only its relatives.
    """

    def __init__(self, label: int) -> None:
        self._label = label

    def draw(self, rng: np.random.Generator) -> Cutout:
        """A new thing of 48 to 192 px."""
        return make_thing(rng, random_look(rng), int(rng.integers(48, 193)), self._label)


class InventedScenes:
    """Things (and whatever else the pasters hold) on textures that vary more than any scene's."""

    def __init__(self, pasters: list[tuple[float, Paster]]) -> None:
        self._pasters = pasters

    def draw(self, rng: np.random.Generator, canvas: Canvas) -> Sample:
        """A new scene of the canvas's size."""
        sample = Sample.of(random_texture(rng, canvas[1], canvas[0]))
        for share, paster in self._pasters:
            if rng.random() < share:
                sample = paster.paste(rng, sample)
        return replace(sample, image=degrade(rng, recolour(rng, sample.image)))
