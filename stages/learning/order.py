"""Which picture comes when: every one once an epoch, in an order that the seed decides."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from .coco import CocoPictures

Place = tuple[int, int]
"""Number of the data set, and of the picture in it."""

MOST_REPEATS = 5


class PictureOrder:
    """An endless sequence of pictures, a function of (seed, position) alone.

    An epoch has every picture with an instance (or crowd) once, and so many of the empty ones,
    others each time, that they are at most ``empty_share`` of it. A data set that is given twice
    comes twice. A class that is in a share f of the pictures, less than ``balance``, has them
    √(balance ÷ f) times, rounded, at most ``MOST_REPEATS`` times: as LVIS's authors found good.
    """

    def __init__(
        self, sets: Sequence[CocoPictures], seed: int, empty_share: float, balance: float = 0.0
    ) -> None:
        places = [(n, i) for n, pictures in enumerate(sets) for i in range(len(pictures))]
        self._full = [(n, i) for n, i in places if not sets[n].is_empty(i)]
        self._empty = [(n, i) for n, i in places if sets[n].is_empty(i)]
        if not self._full:
            raise ValueError("an order needs pictures with instances")
        self._by_class: dict[int, list[Place]] = defaultdict(list)
        for number, index in self._full:
            for label in sorted(sets[number].labels(index)):
                self._by_class[label].append((number, index))
        self._full = [
            place for place in self._full for _ in range(self._repeats(sets, place, balance))
        ]
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

    def _repeats(self, sets: Sequence[CocoPictures], place: Place, balance: float) -> int:
        labels = sets[place[0]].labels(place[1])
        shares = [len(self._by_class[label]) / len(self._full) for label in labels]
        wanted = round((balance / min(shares)) ** 0.5) if shares else 1
        return min(max(wanted, 1), MOST_REPEATS)

    def of_any_class(self, rng: np.random.Generator) -> tuple[int, Place]:
        """A class, each as likely as another, and a picture with an instance of it."""
        label = sorted(self._by_class)[rng.integers(len(self._by_class))]
        places = self._by_class[label]
        return label, places[rng.integers(len(places))]

    def _shuffled(self, epoch: int) -> list[Place]:
        rng = np.random.default_rng((self._seed, epoch))
        empty = rng.permutation(len(self._empty))[: self._empties]
        places = self._full + [self._empty[number] for number in empty]
        return [places[number] for number in rng.permutation(len(places))]
