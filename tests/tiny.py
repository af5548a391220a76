"""Small real parts that several tests share: a network without weights, and frames to feed it."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.frame import Frame, Image, Model
from stages.networks.segmenter import Batch, Found, Placement

TINY_MODEL = Model("tiny", "sha256:none", ("bright",))


class BrightSegmenter:
    """A segmenter that finds one thing: everything brighter than half. No resizing."""

    name = "tiny"
    classes: tuple[str, ...] = ("bright",)

    def prepare(
        self, pictures: Sequence[NDArray[np.uint8]], aspects: Sequence[float] | None = None
    ) -> Batch:
        del aspects
        sizes = [(picture.shape[0], picture.shape[1]) for picture in pictures]
        height, width = (max(side) for side in zip(*sizes, strict=True))
        pixels = torch.zeros((len(pictures), height, width, 3), dtype=torch.uint8)
        for slot, picture in zip(pixels, pictures, strict=True):
            slot[: picture.shape[0], : picture.shape[1]] = torch.from_numpy(picture)
        return Batch(pixels, tuple(Placement(size, size) for size in sizes))

    def detect(self, pixels: Tensor, placements: Sequence[Placement]) -> Mapping[str, Tensor]:
        del placements
        return {"masks": pixels.float().mean(dim=3) > 127}

    def collect(
        self, tensors: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[Found]:
        return [
            self._found(mask.numpy(), placement)
            for mask, placement in zip(tensors["masks"], placements, strict=True)
        ]

    def _found(self, mask: NDArray[np.bool_], placement: Placement) -> Found:
        height, width = placement.source
        mask = mask[:height, :width]
        n = int(mask.any())
        crops = [(0, 0, mask)] if n else []
        return Found(np.full(n, 0.9, np.float32), np.zeros(n, np.int32), crops)


def picture(seed: int, height: int = 12, width: int = 16) -> NDArray[np.uint8]:
    """A dark picture with one bright box, at a place that depends on ``seed``."""
    bgr = np.full((height, width, 3), 30, np.uint8)
    x, y = seed % (width - 4), (seed * 3) % (height - 4)
    bgr[y : y + 4, x : x + 3] = 220
    return bgr


def frame(
    seq: int, stream: str = "a", *, epoch: int = 0, height: int = 12, width: int = 16
) -> Frame:
    """A captured frame of a 25 Hz stream with one bright box in it."""
    return Frame(
        stream=stream,
        epoch=epoch,
        seq=seq,
        pts=seq,
        time_base=Fraction(1, 25),
        captured_ns=seq * 40_000_000,
        captured_utc_ns=1_700_000_000_000_000_000 + seq * 40_000_000,
        clock="media",
        image=Image.from_bgr(picture(seq, height, width)),
    )
