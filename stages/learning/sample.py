"""One picture to learn from, with the truth about it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""BGR, (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and its N visible instances, all arrays owned by the sample.

    ``image`` (H, W, 3) uint8 BGR · ``masks`` (N, H, W) uint8, 0 or 1, what is visible of each ·
    ``classes`` (N,) int64, indices into the network's class names · ``ignore`` (H, W) bool, where
    nobody says what is there: crowds, things cut off by the edge, slivers · ``unlabelled`` classes
    that nobody looked for in this picture · ``name`` of its file, for messages.
    """

    image: Picture
    masks: NDArray[np.uint8]
    classes: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    unlabelled: tuple[int, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        n = len(self.classes)
        wanted = {
            "image": ((*size, 3), np.uint8),
            "masks": ((n, *size), np.uint8),
            "classes": ((n,), np.int64),
            "ignore": (size, np.bool_),
        }
        for name, (shape, kind) in wanted.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != kind:
                raise ValueError(
                    f"{name} must be {np.dtype(kind).name} {shape}, got {array.dtype} {array.shape}"
                )

    def __repr__(self) -> str:
        height, width = self.ignore.shape
        return f"Sample({len(self.classes)} in {width}x{height} px)"

    @classmethod
    def of(cls, image: Picture) -> "Sample":
        """A picture in which there is nothing to find."""
        size = image.shape[:2]
        return cls(
            image, np.zeros((0, *size), np.uint8), np.zeros(0, np.int64), np.zeros(size, np.bool_)
        )
