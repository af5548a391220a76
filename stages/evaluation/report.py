"""What an evaluation leaves: tables on the terminal, ``metrics.json`` and pictures in a folder."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from pipeline.errors import RecordError

Item = TypeVar("Item")
METRICS = "metrics.json"
LEAST_COLUMNS = 110
"""A table in a pipe or a log is not cut at the 80 columns of no terminal."""


def shown(items: Iterable[Item], count: int, what: str = "evaluating") -> Iterable[Item]:
    """``items`` with a progress bar on standard error, when that is a terminal."""
    console = Console(stderr=True)
    return track(items, what, total=count, console=console, disable=not console.is_terminal)


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output; numbers are to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, name in enumerate(header):
        table.add_column(name, justify="right" if at else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, LEAST_COLUMNS)
    console.print(Text(title, style="italic"))
    console.print(table)
    console.print()


def percent(value: float) -> str:
    """A rate of 0 to 1 in percent; a dash where there was nothing to measure."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def write_metrics(out: Path, metrics: Mapping[str, Any]) -> Path:
    """``metrics.json``: rates 0 to 1, null where there was nothing to measure.

    :raises RecordError: when it cannot be written.
    """
    path = out / METRICS
    with writing(path):
        path.write_text(json.dumps(_finite(metrics), indent=1, ensure_ascii=False) + "\n")
    return path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What is done to ``path`` inside, and fails, is a ``RecordError``."""
    try:
        yield
    except OSError as error:
        raise RecordError(
            where=str(path),
            wanted="to write results there",
            got=error.strerror or str(error),
            remedy="Choose another folder with --out DIR.",
        ) from error


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
