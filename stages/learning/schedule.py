"""How long a training lasts, and its learning rate along the way."""

import math
from dataclasses import dataclass


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

    def progress(self, iteration: int, elapsed_s: float) -> float:
        """From 0 at the start to 1 at the end."""
        shares = [0.0]
        if self.iterations is not None:
            shares.append(iteration / self.iterations)
        if self.seconds is not None:
            shares.append(elapsed_s / self.seconds)
        return min(max(shares), 1.0)


def rate_factor(iteration: int, progress: float, warmup: int, floor: float = 0.01) -> float:
    """A linear rise over ``warmup`` iterations, times a cosine from 1 down to ``floor``."""
    rise = min((iteration + 1) / max(warmup, 1), 1.0)
    return rise * (floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2)
