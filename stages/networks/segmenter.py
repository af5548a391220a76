"""The contract of everything that the segment stage can run.

The stage prepares a batch on the host, a lane of ``pipeline.device`` carries ``pixels`` to the
device, calls ``detect`` there and carries its tensors back, and ``collect`` turns them into
instances. Nothing between ``prepare`` and ``collect`` may wait for the device.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Crop = tuple[int, int, NDArray[np.bool_]]
"""x, y of the upper left corner and the bits (h, w), in pixels of the source picture."""


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in its batch, (height, width) px: at the source, and resized.

    The resized picture is in the upper left corner of the padded canvas.
    """

    source: tuple[int, int]
    resized: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures ready for the network: ``pixels`` (B, H, W, 3) uint8 BGR, host memory, zero-padded.

    ``placements`` has one entry a picture.
    """

    pixels: Tensor
    placements: tuple[Placement, ...]


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in one picture, best first, at the source's resolution.

    ``scores`` (N,) float32 · ``classes`` (N,) int32 · ``crops`` N windows with the mask's bits,
    not necessarily tight.
    """

    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    crops: Sequence[Crop]


class Segmenter(Protocol):
    """A network with everything before and after it. One thread uses it at a time."""

    name: str
    classes: tuple[str, ...]

    def prepare(
        self, pictures: Sequence[NDArray[np.uint8]], aspects: Sequence[float] | None = None
    ) -> Batch:
        """Resize BGR pictures (H, W, 3) and pad them to one canvas.

        ``aspects``: width ÷ height of a pixel as shown, 1.0 unless given.
        """
        ...

    def detect(self, pixels: Tensor, placements: Sequence[Placement]) -> Mapping[str, Tensor]:
        """Run the network on ``pixels`` (where the network is) and return tensors of that device.

        On a device every shape depends on the batch's shapes alone, and nothing synchronises.
        """
        ...

    def collect(
        self, tensors: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[Found]:
        """The instances of each picture, from ``detect``'s tensors brought to the host."""
        ...
