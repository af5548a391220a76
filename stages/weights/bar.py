"""A download as people see it."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from .download import Report


@contextmanager
def download_progress(console: Console) -> Iterator[Report]:
    """A bar that appears with the first byte of a download; nothing without one."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("fetching"),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", visible=False)

        def report(done_bytes: int, whole_bytes: int | None) -> None:
            progress.update(task, completed=done_bytes, total=whole_bytes, visible=True)

        yield report
