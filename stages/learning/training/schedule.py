"""How long a training lasts, and its learning rate along the way."""

import math
from dataclasses import dataclass

from .settings import LearnSettings

LEAST_ITERATIONS, LEAST_EPOCHS = 1000, 12
"""The length of a training that was not told any: whichever is more."""
STEP_FACTOR = 0.1


@dataclass(frozen=True)
class Budget:
    """Ends after ``iterations`` or after ``seconds`` of training, whichever comes first.

    A run by the clock is for machines of unknown speed; only a run by iterations repeats exactly.
    """

    iterations: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = [limit for limit in (self.iterations, self.seconds) if limit is not None]
        if not given or min(given) <= 0:
            raise ValueError(f"a budget needs iterations > 0 or seconds > 0, got {self}")

    @classmethod
    def of(cls, settings: LearnSettings, epoch_iterations: float) -> "Budget":
        """What the settings say, where an epoch takes so many iterations."""
        if settings.minutes is not None:
            return cls(seconds=60 * settings.minutes)
        if settings.iterations is not None:
            return cls(settings.iterations)
        if settings.epochs is not None:
            return cls(math.ceil(settings.epochs * epoch_iterations))
        return cls(max(LEAST_ITERATIONS, math.ceil(LEAST_EPOCHS * epoch_iterations)))

    def progress(self, iteration: int, elapsed_s: float) -> float:
        """From 0 at the start to 1 at the end."""
        shares = [0.0]
        if self.iterations is not None:
            shares.append(iteration / self.iterations)
        if self.seconds is not None:
            shares.append(elapsed_s / self.seconds)
        return min(max(shares), 1.0)


def rate_factor(
    iteration: int,
    progress: float,
    warmup: int,
    schedule: str = "cosine",
    steps: tuple[float, ...] = (),
    floor: float = 0.01,
) -> float:
    """A linear rise over ``warmup`` iterations, times what the schedule says at ``progress``.

    ``cosine`` falls from 1 to ``floor``, ``step`` to a tenth at each of ``steps``, ``constant``
    stays.
    """
    rise = min((iteration + 1) / max(warmup, 1), 1.0)
    if schedule == "constant":
        return rise
    if schedule == "step":
        return rise * STEP_FACTOR ** sum(progress >= step for step in steps)
    return rise * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)
