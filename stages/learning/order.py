"""Which picture comes when: every one once an epoch, in an order that the seed decides."""

from collections.abc import Sequence

import numpy as np

from .coco import CocoPictures

Place = tuple[int, int]
"""Number of the data set, and of the picture in it."""


class PictureOrder:
    """An endless sequence of pictures, a function of (seed, position) alone.

    An epoch has every picture with an instance (or crowd) once, and so many of the empty ones,
    others each time, that they are at most ``empty_share`` of it. A data set that is given twice
    comes twice.
    """

    def __init__(self, sets: Sequence[CocoPictures], seed: int, empty_share: float) -> None:
        places = [(n, i) for n, pictures in enumerate(sets) for i in range(len(pictures))]
        self._full = [(n, i) for n, i in places if not sets[n].is_empty(i)]
        self._empty = [(n, i) for n, i in places if sets[n].is_empty(i)]
        if not self._full:
            raise ValueError("an order needs pictures with instances")
        most = int(len(self._full) * empty_share / (1 - empty_share))
        self._empties = min(len(self._empty), most)
        self._seed = seed
        self._epoch = -1
        self._places: list[Place] = []

    def __len__(self) -> int:
        """Pictures in an epoch."""
        return len(self._full) + self._empties

    def at(self, position: int) -> Place:
        """The picture at a position, counted from the beginning of the training."""
        epoch, index = divmod(position, len(self))
        if epoch != self._epoch:
            self._epoch, self._places = epoch, self._shuffled(epoch)
        return self._places[index]

    def full(self, number: int) -> Place:
        """A picture with an instance (or crowd), whatever the number."""
        return self._full[number % len(self._full)]

    def _shuffled(self, epoch: int) -> list[Place]:
        rng = np.random.default_rng((self._seed, epoch))
        empty = rng.permutation(len(self._empty))[: self._empties]
        places = self._full + [self._empty[number] for number in empty]
        return [places[number] for number in rng.permutation(len(places))]
