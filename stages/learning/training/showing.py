"""What a person sees of a training: a bar on a terminal, lines elsewhere, TensorBoard's events."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

log = logging.getLogger("maskstream.learning")
_SMOOTH = 0.95


class Averages:
    """Smoothed losses and times. Of the first step only the losses count: it waits for workers."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._steps = 0

    def add(self, values: Mapping[str, float]) -> None:
        """Values of one step."""
        self._steps += 1
        kept = min(_SMOOTH, 1 - 1 / self._steps)
        for name, value in values.items():
            if name.startswith("seconds") and self._steps == 2:
                self._values[name] = value
            self._values[name] = kept * self._values.get(name, value) + (1 - kept) * value

    def __getitem__(self, name: str) -> float:
        return self._values.get(name, 0.0)


class Show(Protocol):
    """Where progress is shown."""

    def step(self, progress: float, text: str) -> None:
        """After each step: 0 to 1, and what to say about it."""
        ...

    def close(self) -> None:
        """At the end."""
        ...


class Bar:
    """A bar at the bottom of a terminal; log lines go above it."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.description}"),
            console=console,
        )
        self._task = self._progress.add_task("", total=1.0)
        self._progress.start()

    def step(self, progress: float, text: str) -> None:
        """Move it."""
        self._progress.update(self._task, completed=progress, description=text)

    def close(self) -> None:
        """Leave it where it is."""
        self._progress.stop()


class Lines:
    """A line now and then."""

    def __init__(self, every: int) -> None:
        self._every, self._steps = every, 0

    def step(self, progress: float, text: str) -> None:
        """Say it, if it is time."""
        self._steps += 1
        if self._steps % self._every == 0:
            log.info("%3.0f %%  %s", 100 * progress, text)

    def close(self) -> None:
        """Nothing is left open."""


def _writer(folder: Path, iteration: int) -> "SummaryWriter | None":
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (slow; may be missing)

        # what a killed run wrote after its last state comes again
        return SummaryWriter(str(folder), purge_step=iteration + 1)
    except ImportError:
        log.warning("no events are written: tensorboard is not installed")
    except OSError as error:
        log.warning("no events are written: %s", error.strerror or error)
    return None


class Events:
    """Scalars for TensorBoard; where it is missing or its disk is full, that is said once."""

    def __init__(self, folder: Path, wanted: bool, iteration: int) -> None:
        self._writer = _writer(folder, iteration) if wanted else None

    def add(self, iteration: int, values: Mapping[str, float]) -> None:
        """Write them."""
        if self._writer is None:
            return
        try:
            for name, value in values.items():
                self._writer.add_scalar(name, value, iteration)
        except OSError as error:
            self._lost(error)

    def _lost(self, error: OSError) -> None:
        log.warning("no more events are written: %s", error.strerror or error)
        self._writer = None

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            try:
                self._writer.close()
            except OSError as failure:
                self._lost(failure)
