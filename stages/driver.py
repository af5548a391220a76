"""What every command that runs something shares: settings, log, signals, progress, summary.

What takes long to load is loaded where it is needed, so that --help and mistakes are quick.
"""

import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.logging import RichHandler

if TYPE_CHECKING:
    from .program import Program, ProgramSettings

Prepare = Callable[["ProgramSettings", Console], "Program"]
"""Makes the program that the settings describe; may take its time, and be stopped meanwhile."""


def assignments(overrides: Mapping[str, object]) -> list[str]:
    """The ``key=value`` of all that is given. JSON spells plain values and lists as TOML does."""
    return [
        f"{key}={json.dumps(value, ensure_ascii=False)}"
        for key, value in overrides.items()
        if value is not None
    ]


def execute(prepare: Prepare, config: Path | None, overrides: list[str]) -> int:
    """Run what the settings say to its end and show it; the exit code.

    Asked to stop, also by SIGTERM, before anything runs, it ends at once; later it drains.

    :raises StreamError: when the run cannot begin.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from pipeline.config import load  # noqa: PLC0415

        from .program import ProgramSettings  # noqa: PLC0415

        console = Console(stderr=True)
        log_to(console)
        program = prepare(load(ProgramSettings, config, overrides), console)
    except KeyboardInterrupt:
        print("stopped before it began", file=sys.stderr)
        return 0
    return drive(program, console)


def segmented(settings: "ProgramSettings", console: Console) -> "Program":
    """The program that segments its sources.

    :raises StreamError: for whatever of it cannot be had.
    """
    from .assembly import assemble  # noqa: PLC0415
    from .program import check  # noqa: PLC0415
    from .weights.bar import download_progress  # noqa: PLC0415

    check(settings)
    with download_progress(console) as download:
        return assemble(settings, download)


def drive(program: "Program", console: Console) -> int:
    """Run ``program`` to its end and show it; the exit code."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        program.supervisor.stop()

    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, stop)
    # behind the handlers: before them, a wish to stop would be a traceback
    from pipeline.summary import ProgressLine, print_summary  # noqa: PLC0415

    with ExitStack() as stack:
        console.print(program.introduction(), highlight=False, soft_wrap=True)
        if program.settings.metrics.port is not None:
            port = stack.enter_context(program.metrics.serve(program.settings.metrics.port))
            console.print(f"metrics on http://127.0.0.1:{port}/metrics", highlight=False)
        with ProgressLine(console) as line:
            report = program.supervisor.run(line)
    print_summary(report, program.files(), console)
    return report.exit_code


def log_to(console: Console) -> None:
    """Log lines above the progress line on a terminal, and as plain lines elsewhere.

    Of other packages only what is a warning.
    """
    if console.is_terminal:
        handler = RichHandler(console=console, show_path=False, log_time_format="[%X]")
        logging.basicConfig(format="%(message)s", handlers=[handler])
    else:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("maskstream").setLevel(logging.INFO)
