"""Where tracked boxes will be: constant velocity in seconds, with noise in units of the box.

The centre of a box has a velocity; its size is only smoothed, because masks that are cut, merged or
half hidden change their size far more often than things do. Both axes share one 2x2 covariance,
for the noise is proportional to the box: the gains then depend on times and scores alone, and a
far, small thing is followed exactly as a near, big one. The process noise is white acceleration,
integrated exactly: one step of 0.2 s equals two of 0.1 s, so that neither dropped frames nor
another frame rate change anything.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Boxes = NDArray[np.float32]

SUREST = 0.15
"""Doubt about a detection with score 1: even that one is not measured without error."""


@dataclass(frozen=True)
class Noise:
    """How far boxes stray, in units of their own size.

    ``position``: error of a box with score 0 · ``velocity``: spread of the velocities of new
    things, 1/s · ``acceleration``: change of velocity, s^-1.5 · ``fade_s``: after this time without
    being seen a velocity is down to a third (1/e).
    """

    position: float
    velocity: float
    acceleration: float
    fade_s: float

    def measured(self, scores: NDArray[np.float32]) -> Array:
        """Variance of boxes with these scores: the surer, the smaller."""
        doubt = np.maximum(1.0 - scores.astype(np.float64), SUREST)
        return (self.position * doubt) ** 2


@dataclass(frozen=True, eq=False)
class Motion:
    """T moving boxes. Nothing is mutated: each step gives a new ``Motion``.

    ``centres``, ``sizes`` (T, 2): x y and width height, px · ``velocities`` (T, 2): px/s ·
    ``covariance`` (T, 3): of position, of both, of velocity, relative to the box.
    """

    centres: Array
    sizes: Array
    velocities: Array
    covariance: Array

    @classmethod
    def starting(cls, boxes: Boxes, scores: NDArray[np.float32], noise: Noise) -> "Motion":
        """Boxes (N, 4) x0 y0 x1 y1 px seen for the first time: at rest, as far as one knows."""
        centres, sizes = _centred(boxes)
        position = noise.measured(scores)
        velocity = np.full_like(position, noise.velocity**2)
        covariance = np.stack([position, np.zeros_like(position), velocity], axis=1)
        return cls(centres, sizes, np.zeros_like(centres), covariance)

    @classmethod
    def none(cls) -> "Motion":
        """No boxes."""
        return cls(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 3)))

    def __len__(self) -> int:
        return len(self.centres)

    @property
    def boxes(self) -> Array:
        """The boxes (T, 4) x0 y0 x1 y1 px."""
        return np.concatenate([self.centres - self.sizes / 2, self.centres + self.sizes / 2], 1)

    def after(self, dt_s: float, noise: Noise) -> "Motion":
        """The boxes ``dt_s`` seconds later."""
        p, c, v = self.covariance.T
        q = noise.acceleration**2
        covariance = np.stack(
            [
                p + 2 * dt_s * c + dt_s**2 * v + q * dt_s**3 / 3,
                c + dt_s * v + q * dt_s**2 / 2,
                v + q * dt_s,
            ],
            axis=1,
        )
        kept = np.exp(-dt_s / noise.fade_s)
        centres = self.centres + self.velocities * (noise.fade_s * (1 - kept))
        return Motion(centres, self.sizes, self.velocities * kept, covariance)

    def corrected(
        self,
        indices: NDArray[np.intp],
        boxes: Boxes,
        scores: NDArray[np.float32],
        noise: Noise,
    ) -> "Motion":
        """The same boxes after those at ``indices`` were measured as ``boxes`` (M, 4)."""
        p, c, v = self.covariance[indices].T
        variance = noise.measured(scores)
        gain, gain_per_s = p / (p + variance), c / (p + variance)
        seen_centres, seen_sizes = _centred(boxes)
        surprise = seen_centres - self.centres[indices]
        centres, sizes = self.centres.copy(), self.sizes.copy()
        velocities, covariance = self.velocities.copy(), self.covariance.copy()
        centres[indices] += gain[:, None] * surprise
        velocities[indices] += gain_per_s[:, None] * surprise
        sizes[indices] += gain[:, None] * (seen_sizes - self.sizes[indices])
        covariance[indices] = np.stack([p - gain * p, c - gain * c, v - gain_per_s * c], axis=1)
        return Motion(centres, sizes, velocities, covariance)

    def select(self, indices: NDArray[np.intp]) -> "Motion":
        """The boxes at ``indices``, in that order."""
        return Motion(
            self.centres[indices],
            self.sizes[indices],
            self.velocities[indices],
            self.covariance[indices],
        )

    def joined(self, other: "Motion") -> "Motion":
        """These boxes, then those of ``other``."""
        return Motion(
            np.concatenate([self.centres, other.centres]),
            np.concatenate([self.sizes, other.sizes]),
            np.concatenate([self.velocities, other.velocities]),
            np.concatenate([self.covariance, other.covariance]),
        )


def _centred(boxes: Boxes) -> tuple[Array, Array]:
    """Boxes (N, 4) x0 y0 x1 y1 as centres and sizes, (N, 2) each."""
    wide = boxes.astype(np.float64)
    return (wide[:, :2] + wide[:, 2:]) / 2, wide[:, 2:] - wide[:, :2]
