"""What a person sees of a run: a line while it lasts, and tables at its end.

On a terminal the line is redrawn; elsewhere it is printed now and then, and tables become lines.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.filesize import decimal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .report import Progress, Report
from .tally import Quantiles, StreamCounts

REDRAW_S = 0.2
REPRINT_S = 5.0

Row = tuple[str, ...]


class ProgressLine:
    """A context whose value is called with each ``Progress``, from one thread."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._shown_s = 0.0

    def __enter__(self) -> "ProgressLine":
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show ``progress``, unless something was shown just now."""
        pause_s = REDRAW_S if self._live else REPRINT_S
        if progress.wall_s - self._shown_s < pause_s:
            return
        self._shown_s = progress.wall_s
        line = Text(progress_text(progress), no_wrap=True, overflow="ellipsis")
        if self._live is not None:
            self._live.update(line, refresh=True)
        else:
            self._console.print(line, soft_wrap=True)


def progress_text(progress: Progress) -> str:
    """One line: frames, frames/s, age, drops."""
    minutes, seconds = divmod(int(progress.wall_s), 60)
    return (
        f"{minutes}:{seconds:02d}  {progress.published} frames  {progress.rate_hz:.1f} frames/s  "
        f"age {progress.age_p50_s * 1e3:.0f} ms  {progress.dropped} dropped"
    )


def print_summary(report: Report, files: Iterable[Path], console: Console) -> None:
    """The end of a run: streams, stages, files written. Errors were told when they happened."""
    show, losses = _print_lines, dropped_text
    if console.is_terminal:
        show, losses = _print_table, dropped_column
    show(
        console,
        ("stream", "state", "captured", "published", "dropped", "instances", "tracks"),
        [_stream_row(name, counts, losses) for name, counts in report.streams.items()],
    )
    show(
        console,
        ("stage", "frames", "p50", "p95"),
        [
            _duration_row(name, spent)
            for name, spent in (*report.stages.items(), ("capture to end", report.ages))
            if spent.count
        ],
    )
    written = [(str(file), decimal(file.stat().st_size)) for file in files if file.is_file()]
    show(console, ("file", "size"), written)
    rate_hz = sum(c.published for c in report.streams.values()) / max(report.wall_s, 1e-9)
    _print(console, f"{report.wall_s:.1f} s, {rate_hz:.1f} frames/s")


def dropped_text(dropped: Mapping[str, int]) -> str:
    """Losses with their reasons: "172 (stale 160, corrupt 12)"."""
    total = sum(dropped.values())
    if not total:
        return "0"
    return f"{total} ({', '.join(f'{reason} {count}' for reason, count in _most_first(dropped))})"


def dropped_column(dropped: Mapping[str, int]) -> str:
    """Losses one below the other, so that a table stays narrow: "160 stale", "12 corrupt"."""
    return "\n".join(f"{count} {reason}" for reason, count in _most_first(dropped)) or "0"


def _most_first(dropped: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(dropped.items(), key=lambda item: -item[1])


def _stream_row(name: str, counts: StreamCounts, losses: Callable[[Mapping[str, int]], str]) -> Row:
    return (
        name,
        counts.state,
        str(counts.captured),
        str(counts.published),
        losses(counts.dropped),
        str(counts.instances),
        str(counts.tracks),
    )


def _duration_row(name: str, spent: Quantiles) -> Row:
    return name, str(spent.count), f"{spent.p50_s * 1e3:.1f} ms", f"{spent.p95_s * 1e3:.1f} ms"


def _print_table(console: Console, header: Row, rows: Sequence[Row]) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, title in enumerate(header):
        table.add_column(title, justify="right" if at else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    console.print()


def _print_lines(console: Console, header: Row, rows: Sequence[Row]) -> None:
    for row in rows:
        numbers = ", ".join(
            f"{title} {value}" for title, value in zip(header[1:], row[1:], strict=True)
        )
        _print(console, f"{header[0]} {row[0]}: {numbers}")


def _print(console: Console, line: str) -> None:
    console.print(Text(line), soft_wrap=True)
