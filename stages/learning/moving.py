"""Things that move by closed forms of time, drawn with the truth about every pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.masks import Masks

from .backdrop import Backdrop
from .cutouts import Cutout, Matrix, placing, stamp
from .sample import Picture

LABEL = "shape"
"""The class of everything that moves in a scene."""


@dataclass(frozen=True)
class Swing:
    """``middle + reach · sin(2π (rate_hz · t + phase))``."""

    middle: float
    reach: float = 0.0
    rate_hz: float = 0.0
    phase: float = 0.0

    def at(self, time_s: float) -> float:
        """The value at a time."""
        return self.middle + self.reach * float(
            np.sin(2 * np.pi * (self.rate_hz * time_s + self.phase))
        )


@dataclass(frozen=True)
class Motion:
    """A closed form of time: ``x``, ``y`` relative to width and height, ``size`` to the height.

    ``spin_hz``: turns a second, from ``turn`` (turns) on.
    """

    x: Swing
    y: Swing
    size: Swing
    spin_hz: float = 0.0
    turn: float = 0.0


@dataclass(frozen=True, eq=False)
class Truth:
    """What is visible in a frame: ``identities`` (N,) from 1, ``labels`` N names, ``masks``."""

    identities: NDArray[np.int64]
    labels: tuple[str, ...]
    masks: Masks


@dataclass(frozen=True, eq=False)
class Scene:
    """A rendered world of ``frames`` pictures at ``fps``; later things are in front."""

    name: str
    width: int
    height: int
    fps: float
    duration_s: float
    backdrop: Backdrop
    things: tuple[tuple[Cutout, Motion], ...]
    shadow: float = 0.45

    @property
    def frames(self) -> int:
        """How many pictures it has."""
        return max(1, round(self.duration_s * self.fps))

    def __repr__(self) -> str:
        return f"Scene({self.name} {self.width}x{self.height} px, {self.frames} frames)"

    def render(self, index: int) -> tuple[Picture, Truth]:
        """Frame ``index`` (0 to ``frames`` - 1): BGR uint8 (H, W, 3) of the caller's, its truth.

        Safe from any thread; takes the same time for every index.
        """
        time_s = index / self.fps
        picture = self.backdrop.at(time_s)
        owner = np.zeros((self.height, self.width), np.uint16)
        windows = []
        for identity, (cutout, motion) in enumerate(self.things, start=1):
            matrix = self._place(cutout, motion, time_s)
            x, y, bits = stamp(picture, cutout, matrix, shadow=self.shadow)
            owner[y : y + bits.shape[0], x : x + bits.shape[1]][bits] = identity
            windows.append((x, y, bits.shape))
        return picture, self._truth(owner, windows)

    def _place(self, cutout: Cutout, motion: Motion, time_s: float) -> Matrix:
        scale = motion.size.at(time_s) * self.height / cutout.alpha.shape[0]
        centre = (motion.x.at(time_s) * self.width, motion.y.at(time_s) * self.height)
        angle = 2 * np.pi * (motion.turn + motion.spin_hz * time_s)
        return placing(cutout, centre, (scale, scale), angle)

    def _truth(
        self, owner: NDArray[np.uint16], windows: Sequence[tuple[int, int, tuple[int, ...]]]
    ) -> Truth:
        seen, crops = [], []
        for identity, (x, y, shape) in enumerate(windows, start=1):
            bits = owner[y : y + shape[0], x : x + shape[1]] == identity
            if bits.any():
                seen.append(identity)
                crops.append((x, y, bits))
        masks = Masks.from_crops(self.height, self.width, crops)
        return Truth(np.array(seen, np.int64), (LABEL,) * len(seen), masks)
