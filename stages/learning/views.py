"""Random views of a picture with its masks, by torchvision.transforms.v2.

Every random number is torch's own: seed it (``stages.learning.pictures`` does) and a view repeats.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors  # type: ignore[import-untyped]
from torchvision.transforms import v2  # type: ignore[import-untyped]

from .augment import PADDING, Canvas, compress, settle
from .sample import Picture, Sample
from .training.settings import AugmentSettings

_JPEG_QUALITY = (30, 90)
_BLUR_SIGMA = (0.4, 1.4)


@dataclass(frozen=True)
class Place:
    """Where a picture lies on a canvas: its ``size`` there, and where it begins, (y, x) px."""

    canvas: Canvas
    size: Canvas
    begin: tuple[int, int]


def random_place(size: Canvas, canvas: Canvas, settings: AugmentSettings) -> Place:
    """Multi-scale and crop in one.

    A share fits the canvas and lies in its corner, as at use. The others are scaled from somewhere
    between fitting and covering it, times ``zoom``; what is larger is cropped at a random place,
    what is smaller lies in the corner or anywhere.
    """
    fitting, covering = sorted(room / side for room, side in zip(canvas, size, strict=True))
    chance, between, zoom, corner, *shares = torch.rand(6).tolist()
    scale = fitting
    if chance >= settings.unzoomed:
        low, high = settings.zoom
        scale *= (covering / fitting) ** between * low * (high / low) ** zoom
    scaled = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    spare = canvas[0] - scaled[0], canvas[1] - scaled[1]
    top, left = (
        0 if room > 0 and corner < 0.5 else round(room * share)
        for room, share in zip(spare, shares, strict=True)
    )
    return Place(canvas, scaled, (top, left))


class OntoCanvas(v2.Transform):  # type: ignore[misc]  # torchvision ships no types
    """Lays pictures and masks onto a canvas; outside there is the mean colour, or 0."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One of them, (…, H, W)."""
        del params  # the same for all
        (top, left), (height, width), canvas = (
            self._place.begin,
            self._place.size,
            self._place.canvas,
        )
        above, before = max(0, -top), max(0, -left)
        seen = min(height, canvas[0] - top) - above, min(width, canvas[1] - left) - before
        scaled = v2.functional.resize(inpt, [height, width])
        inside = v2.functional.crop(scaled, above, before, *seen)
        top, left = max(0, top), max(0, left)
        around = [left, top, canvas[1] - left - seen[1], canvas[0] - top - seen[0]]
        fill = list(PADDING[::-1]) if isinstance(inpt, tv_tensors.Image) else 0
        return v2.functional.pad(inside, around, fill=fill)


class Views:
    """Makes samples of a canvas's size out of whole pictures."""

    def __init__(self, settings: AugmentSettings) -> None:
        self._settings = settings
        strength = settings.colour
        self._flips = [
            v2.RandomHorizontalFlip(settings.flip),
            v2.RandomVerticalFlip(settings.flip_vertical),
        ]
        self._colours = v2.ColorJitter(strength, strength, strength, settings.hue)
        self._blur = v2.RandomApply([v2.GaussianBlur(5, _BLUR_SIGMA)], settings.blur)

    def view(self, sample: Sample, canvas: Canvas) -> Sample:
        """Mirrored, scaled, cropped and recoloured; what is cut off goes to ``ignore``."""
        size = sample.image.shape[0], sample.image.shape[1]
        place = random_place(size, canvas, self._settings)
        planes = np.concatenate([sample.masks, sample.ignore.view(np.uint8)[None]])
        change = v2.Compose([*self._flips, OntoCanvas(place), self._colours])
        picture, masks = change(_rgb(sample.image), tv_tensors.Mask(torch.from_numpy(planes)))
        seen = np.ascontiguousarray(masks.numpy()).view(np.bool_)
        factor = place.size[0] * place.size[1] / (size[0] * size[1])
        wholes = [factor * np.count_nonzero(mask) for mask in sample.masks]
        labels: list[int] = sample.classes.tolist()
        viewed = settle(_bgr(picture), list(seen[:-1]), labels, seen[-1], wholes=wholes)
        return replace(viewed, unlabelled=sample.unlabelled, name=sample.name)

    def spoil(self, image: Picture) -> Picture:
        """Sometimes blurred, sometimes compressed, as cameras and networks do."""
        blurred = _bgr(self._blur(_rgb(image)))
        if torch.rand(()) >= self._settings.compress:
            return blurred
        quality = int(torch.randint(*_JPEG_QUALITY, ()))
        return compress(blurred, quality)  # torchvision gives its own JPEG up


def _rgb(image: Picture) -> Tensor:
    """A picture as v2 wants it: RGB, (3, H, W)."""
    planes: Tensor = tv_tensors.Image(torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1))
    return planes


def _bgr(picture: Tensor) -> Picture:
    return np.ascontiguousarray(picture.permute(1, 2, 0).numpy()[..., ::-1])
