"""Copy-paste: put cut-outs into a sample, often overlapping, later ones in front."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError

from .augment import recolour, settle
from .coco import CocoPictures
from .cutouts import Cutout, placing, stamp
from .sample import Picture, Sample

LEAST_UNCOVERED = 0.12
"""What is hidden more than this leaves goes to ``ignore``."""


@dataclass(frozen=True)
class Spot:
    """Where a cut-out goes: centre and height, px."""

    x: float
    y: float
    height: float


class Cutouts(Protocol):
    """Where cut-outs come from."""

    def draw(self, rng: np.random.Generator) -> Cutout | None:
        """A random cut-out; its arrays may be shared and are not to be written to.

        None: nothing is pasted this time.
        """
        ...


class PictureCutouts:
    """Instances of a COCO file that are whole: large, away from the picture's edge.

    Finds its candidates when made (a decoding of all masks) and keeps their windows, not the
    pictures. ``least_height_px``: smaller instances would be blurred when enlarged.

    :raises SourceError: when there is none, or a picture cannot be read.
    """

    def __init__(self, pictures: CocoPictures, least_height_px: int = 64) -> None:
        self._cutouts: list[Cutout] = []
        for index in range(len(pictures)):
            sample = pictures.sample(index)
            for mask, label in zip(sample.masks, sample.classes.tolist(), strict=True):
                x, y, w, h = cv2.boundingRect(mask)
                if h >= least_height_px and is_whole(mask, (x, y, w, h)):
                    self._cutouts.append(cut(sample.image, mask, (x, y, w, h), label))
        if not self._cutouts:
            raise SourceError(
                where=str(pictures.path),
                wanted=f"instances of {least_height_px} px or more that no edge cuts",
                got="none",
                remedy="Leave it out, or cut from larger pictures.",
            )

    def __len__(self) -> int:
        return len(self._cutouts)

    def draw(self, rng: np.random.Generator) -> Cutout:
        """A random one of them."""
        return self._cutouts[rng.integers(len(self._cutouts))]


def is_whole(mask: NDArray[np.uint8], box: tuple[int, int, int, int]) -> bool:
    """Whether a mask (H, W) with this box (x, y, width, height) is cut by no edge, and not thin."""
    x, y, w, h = box
    height, width = mask.shape
    inside = x > 1 and y > 1 and x + w < width - 1 and y + h < height - 1
    return inside and cv2.countNonZero(mask) > 0.25 * w * h


def cut(
    image: Picture, mask: NDArray[np.uint8], box: tuple[int, int, int, int], label: int
) -> Cutout:
    """What a mask (H, W) with this box shows, as a cut-out with a small margin."""
    x, y, w, h = box
    x0, y0, x1, y1 = x - 2, y - 2, x + w + 2, y + h + 2
    window = (slice(max(y0, 0), y1), slice(max(x0, 0), x1))
    return Cutout(image[window].copy(), mask[window] * np.uint8(255), label)


class Paster:
    """Pastes 1 to ``most`` cut-outs from sources drawn by weight.

    ``heights``: range of a pasted thing's height relative to the canvas, drawn evenly in its
    logarithm. ``clustered``: share of samples whose things stand together, of like size.
    ``turn_rad``: twice the spread of the angle. ``shadow``: share of things with a soft shadow.
    """

    def __init__(
        self,
        sources: Sequence[tuple[float, Cutouts]],
        *,
        most: int = 6,
        heights: tuple[float, float] = (0.12, 1.0),
        clustered: float = 0.5,
        turn_rad: float = 0.12,
        shadow: float = 0.0,
    ) -> None:
        total = sum(weight for weight, _ in sources)
        self._weights = [weight / total for weight, _ in sources]
        self._sources = [source for _, source in sources]
        self.most, self.heights, self.clustered = most, heights, clustered
        self.turn_rad, self.shadow = turn_rad, shadow

    def paste(self, rng: np.random.Generator, sample: Sample) -> Sample:
        """A new sample with things in front of the old ones, which lose what is hidden."""
        image = sample.image.copy()
        ignore = sample.ignore.copy()
        masks = [mask.view(np.bool_).copy() for mask in sample.masks]
        wholes = [float(np.count_nonzero(mask)) for mask in masks]
        labels: list[int] = sample.classes.tolist()
        clustered, spot = rng.random() < self.clustered, None
        for _ in range(int(rng.integers(1, self.most + 1))):
            cutout = self._sources[rng.choice(len(self._sources), p=self._weights)].draw(rng)
            if cutout is None:
                continue
            spot = self._beside(rng, spot, cutout) if spot else self._anywhere(rng, ignore.shape)
            mask, whole = self._put(rng, image, cutout, spot)
            for behind in (*masks, ignore):
                np.logical_and(behind, ~mask, out=behind)
            masks.append(mask)
            wholes.append(whole)
            labels.append(cutout.label)
            spot = spot if clustered else None
        return settle(image, masks, labels, ignore, wholes=wholes, least_visible=LEAST_UNCOVERED)

    def _anywhere(self, rng: np.random.Generator, canvas: tuple[int, ...]) -> Spot:
        height = canvas[0] * float(np.exp(rng.uniform(*np.log(self.heights))))
        spare = max(canvas[0] - height, 0.25 * canvas[0])
        y = height / 2 + rng.uniform(-0.1, 1.1) * spare
        return Spot(rng.uniform(0, canvas[1]), y, height)

    def _beside(self, rng: np.random.Generator, spot: Spot, cutout: Cutout) -> Spot:
        """Next to the one before or partly in front of it, on about the same ground."""
        height = spot.height * rng.uniform(0.8, 1.2)
        h, w = cutout.alpha.shape
        step = rng.uniform(0.3, 1.1) * height * w / h * rng.choice((-1, 1))
        ground = spot.y + spot.height / 2 + rng.normal(0, 0.06) * height
        return Spot(spot.x + step, ground - height / 2, height)

    def _put(
        self, rng: np.random.Generator, image: Picture, cutout: Cutout, spot: Spot
    ) -> tuple[NDArray[np.bool_], float]:
        scale = spot.height / cutout.alpha.shape[0]
        stretch = rng.uniform(0.88, 1.12) * rng.choice((-1, 1))
        angle = rng.normal(0, 0.5) * self.turn_rad
        matrix = placing(cutout, (spot.x, spot.y), (scale * stretch, scale), angle)
        shadow = rng.uniform(0.2, 0.6) if rng.random() < self.shadow else 0.0
        x, y, bits = stamp(image, cutout, matrix, lambda bgr: recolour(rng, bgr), shadow)
        mask = np.zeros(image.shape[:2], np.bool_)
        mask[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
        return mask, cutout.area * scale * scale * abs(stretch)
