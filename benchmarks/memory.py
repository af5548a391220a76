"""Whether a long run stays as big as it was: resident size after 500 and after all frames.

    python benchmarks/memory.py [SOURCE] [--frames 5000]

Prints a JSON line. The program records, publishes and is subscribed to. By default the picture is
small, so that the run is short: what could grow (tracks, ids, queues, files) grows all the same.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from benchmarks.pipeline_cost import subscriber  # noqa: E402  (needs the path)
from pipeline.config import load  # noqa: E402
from pipeline.report import Progress  # noqa: E402
from stages.assembly import ProgramSettings, assemble  # noqa: E402

EARLY = 500
WINDOW = 200
PAGE_BYTES = resource.getpagesize()


def main() -> None:
    options = argparse.ArgumentParser(description="Memory of a long run")
    options.add_argument("source", nargs="?", default="synthetic:crowd?size=320x180&fps=500")
    options.add_argument("--frames", type=int, default=5000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sizes = run(given.source, given.frames, Path(folder))
    early, late = size_at(sizes, EARLY), size_at(sizes, given.frames - WINDOW)
    record = {
        "benchmark": "memory",
        "source": given.source,
        "frames": given.frames,
        "resident_mb_early": round(early / 1e6, 1),
        "resident_mb_late": round(late / 1e6, 1),
        "growth_percent": round(100 * (late / early - 1), 2),
    }
    print(json.dumps(record), flush=True)


def run(source: str, frames: int, folder: Path) -> list[tuple[int, int]]:
    """(frames published, resident bytes) over the run."""
    endpoint = f"ipc://{folder}/publish"
    changes = [
        f"sources={json.dumps([source])}",
        f"decode.max_frames={frames}",
        "record.enabled=true",
        f"record.directory={json.dumps(str(folder))}",
        f"publish.endpoint={endpoint}",
        f"publish.pictures=ipc://{folder}/pictures",
    ]
    sizes: list[tuple[int, int]] = []

    def note(progress: Progress) -> None:
        sizes.append((progress.published, resident_bytes()))

    with subscriber(endpoint, ("meta",)):
        report = assemble(load(ProgramSettings, None, changes)).supervisor.run(note)
    if report.exit_code:
        sys.exit(f"the program failed: {report.errors[0]}")
    return sizes


def resident_bytes() -> int:
    """This process's resident size."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def size_at(sizes: list[tuple[int, int]], frames: int) -> int:
    """The median size while the frames after ``frames`` went by."""
    return round(statistics.median(s for n, s in sizes if frames <= n <= frames + WINDOW))


if __name__ == "__main__":
    main()
