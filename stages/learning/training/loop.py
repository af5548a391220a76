"""The loop of a training: batches in, steps, until the budget is spent or somebody says stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from ..batches import TrainingBatch
from .schedule import Budget
from .trainer import StepReport, Trainer


@dataclass(frozen=True, eq=False)
class Step:
    """What happened in one iteration.

    ``before`` and ``after``: the progress, 0 to 1. ``waited_s``: how long the batches took to
    come. ``spoilt``: messages of pictures that this process skipped; ``skips``: how many all did.
    """

    report: StepReport
    before: float
    after: float
    waited_s: float
    whole_s: float
    spoilt: tuple[str, ...]
    skips: int


def train(
    trainer: Trainer,
    source: Iterator[TrainingBatch],
    budget: Budget,
    now_s: Callable[[], float],
    after_step: Callable[[Step], None],
    stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Step until the budget is spent (true) or ``stop`` says so (false).

    Time spent in earlier runs counts. All processes end after the same iteration.

    :raises TrainingError: the loss is no number.
    """
    before_s, start_s = trainer.elapsed_s, now_s()
    while True:
        own = budget.progress(trainer.iteration, trainer.elapsed_s)
        progress, stopped = trainer.ranks.agreed((own, float(stop())))
        if progress >= 1 or stopped:
            return progress >= 1
        asked_s = now_s()
        batches = [next(source) for _ in range(trainer.learn.accumulate)]
        got_s = now_s()
        report = trainer.step(batches, progress)
        done_s = now_s()
        trainer.elapsed_s = before_s + done_s - start_s
        after = budget.progress(trainer.iteration, trainer.elapsed_s)
        spoilt = tuple(message for batch in batches for message in batch.spoilt)
        skips = int(trainer.ranks.total(len(spoilt)))
        waited_s, whole_s = got_s - asked_s, done_s - asked_s
        after_step(Step(report, progress, after, waited_s, whole_s, spoilt, skips))


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask to stop after the step under way; a second one stops at once."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
