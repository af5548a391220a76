"""How good the network is by now: AP on pictures that it does not learn from, and a sheet."""

import copy
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import SourceError
from stages.networks import make_segmenter
from stages.networks.segmenter import Found, Segmenter

from ..coco import CocoPictures
from ..evaluate import AP_THRESHOLDS, Example, evaluate
from . import sheet
from .parts import Trainable

log = logging.getLogger("maskstream.learning")


@dataclass(frozen=True)
class Measured:
    """Figures of some weights. ``classes``: name to figures (``mask.AP`` …), 0 to 1 or nan."""

    iteration: int
    pictures: int
    classes: Mapping[str, Mapping[str, float]]

    def mean(self, figure: str) -> float:
        """Over the classes that have instances; nan without any."""
        known = [one[figure] for one in self.classes.values() if not math.isnan(one[figure])]
        return sum(known) / len(known) if known else math.nan

    def line(self) -> str:
        """For people, in percent."""
        each = ", ".join(
            f"{name} {100 * one['mask.AP']:.1f}"
            for name, one in list(self.classes.items())[:6]
            if not math.isnan(one["mask.AP"])
        )
        return (
            f"mask AP {100 * self.mean('mask.AP'):.1f}, AP50 {100 * self.mean('mask.AP50'):.1f}"
            f" on {self.pictures} pictures ({each})"
        )

    def plain(self) -> dict[str, object]:
        """For JSON, without nan."""
        classes = {
            name: {key: None if math.isnan(value) else value for key, value in one.items()}
            for name, one in self.classes.items()
        }
        return {"iteration": self.iteration, "pictures": self.pictures, "classes": classes}


class Validation:
    """Pictures to measure on. ``skip``: one that cannot be decoded is left out, and named.

    The order is mixed once, by the seed, so that the first few are a fair sample.
    """

    def __init__(self, sets: Sequence[CocoPictures], seed: int, *, skip: bool) -> None:
        places = [(one, index) for one in sets for index in range(len(one))]
        order = np.random.default_rng(seed).permutation(len(places))
        self._places = [places[number] for number in order]
        self._skip = skip
        self.spoilt: dict[int, str] = {}
        """What was left out so far: the message of each, by its place in the order."""

    def __len__(self) -> int:
        return len(self._places)

    def measure(
        self,
        network: Trainable,
        weights: Mapping[str, Tensor],
        iteration: int,
        *,
        most: int,
        device: torch.device,
    ) -> tuple[Measured, Segmenter]:
        """AP of ``weights`` on the first ``most`` pictures, and what segments with them.

        :raises SourceError: a picture that cannot be decoded, unless such are left out.
        """
        copied = copy.deepcopy(network)
        copied.load_state_dict(weights)
        segmenter = make_segmenter(copied, AP_THRESHOLDS, device=device)
        scores = evaluate(segmenter, self._examples(most), device)
        figures = {score.name: score.figures() for score in scores}
        left_out = sum(place < most for place in self.spoilt)
        return Measured(iteration, min(most, len(self)) - left_out, figures), segmenter

    def _examples(self, most: int) -> Iterator[Example]:
        for place, (pictures, index) in enumerate(self._places[:most]):
            try:
                yield Example(pictures.picture(index), pictures.annotations(index))
            except SourceError as error:
                if not self._skip:
                    raise
                if place not in self.spoilt:
                    log.warning("skipped: %s", error)
                    self.spoilt[place] = str(error)

    def draw(self, segmenter: Segmenter, path: Path, count: int, device: torch.device) -> None:
        """Write a sheet of the first pictures.

        :raises OSError: when that is not possible.
        """
        rows = [
            sheet.row(one.picture, one.truths, _found(segmenter, one, device), segmenter.classes)
            for one in islice(self._examples(len(self)), count)
        ]
        if rows:
            sheet.write(path, rows)


def _found(segmenter: Segmenter, example: Example, device: torch.device) -> Found:
    batch = segmenter.prepare([example.picture])
    tensors = segmenter.detect(batch.pixels.to(device), batch.placements)
    on_host = {name: tensor.cpu() for name, tensor in tensors.items()}
    return segmenter.collect(on_host, batch.placements)[0]
