"""What the pipeline costs beside the network.

    python benchmarks/pipeline_cost.py [SOURCE] [--frames 200] [--rounds 3]

Prints JSON lines. ``throughput``: frames/s of the whole program (decode, segment, track, annotate,
record, publish, and a subscriber to records and pictures in another process) over frames/s of the
bare network on the same frames with as many threads, rounds interleaved; ``all_cores_hz`` is the
bare network on every core. ``cpu``: CPU time of a frame beside network and
decoding, the network on one thread: the difference of two runs, with and without the rest.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.clock import SystemClock  # noqa: E402  (needs the path)
from pipeline.config import load  # noqa: E402
from pipeline.device import open_lane, usable_cores  # noqa: E402
from pipeline.picture import to_bgr  # noqa: E402
from pipeline.report import Progress  # noqa: E402
from stages.assembly import Program, ProgramSettings, assemble, load_segmenter  # noqa: E402
from stages.decode import Decode, DecodeSettings  # noqa: E402
from stages.segment import SegmentSettings  # noqa: E402
from stages.sources.address import parse_sources  # noqa: E402

WARM_UP = 20
SUBSCRIBER = """
import sys
from pipeline.client import Subscriber
for frame in Subscriber(sys.argv[1], kinds=("meta", "annotated")):
    pass
"""


def main() -> None:
    options = argparse.ArgumentParser(description="Cost of the pipeline beside the network")
    options.add_argument("source", nargs="?", default="synthetic:crossing?size=768x432")
    options.add_argument("--frames", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    for measure in (throughput, cpu):
        record = measure(given.source, given.frames, given.rounds)
        facts = {"source": given.source, "frames": given.frames, "torch": torch.__version__}
        print(json.dumps({"benchmark": measure.__name__, **facts, **record}), flush=True)


def throughput(source: str, frames: int, rounds: int) -> dict[str, object]:
    """Frames/s of the bare network and of the program, one after the other, several times."""
    bare, whole, free = [], [], []
    for _ in range(rounds):
        bare.append(bare_rate_hz(source, frames))
        free.append(bare_rate_hz(source, frames, threads=usable_cores()))
        whole.append(run_program(source, frames, looked_at=True)[0])
    return {
        "bare_hz": [round(rate, 2) for rate in bare],
        "whole_hz": [round(rate, 2) for rate in whole],
        "all_cores_hz": [round(rate, 2) for rate in free],
        "ratio_of_medians": round(statistics.median(whole) / statistics.median(bare), 3),
    }


def cpu(source: str, frames: int, rounds: int) -> dict[str, object]:
    """CPU milliseconds of a frame with and without what comes after the network."""
    alone, whole = [], []
    for _ in range(rounds):
        alone.append(run_program(source, frames, looked_at=False, threads=1)[1])
        whole.append(run_program(source, frames, looked_at=True, threads=1)[1])
    rest = [more - less for more, less in zip(whole, alone, strict=True)]
    return {
        "network_and_decode_ms": [round(ms, 2) for ms in alone],
        "whole_ms": [round(ms, 2) for ms in whole],
        "rest_ms_median": round(statistics.median(rest), 2),
    }


def bare_rate_hz(source: str, frames: int, threads: int = 0) -> float:
    """The segmenter alone, over pictures that were decoded before."""
    lane = open_lane("auto")
    segmenter, _ = load_segmenter(SegmentSettings(threads=threads), lane)
    (spec,) = parse_sources([source])
    decoded = Decode(spec, DecodeSettings(max_frames=frames), clock=SystemClock())
    images = [frame.image for frame in decoded.run(threading.Event())]
    pictures = [to_bgr(image) for image in images if image is not None]
    start_s = 0.0
    for index, picture in enumerate(pictures):
        if index == WARM_UP:
            start_s = time.perf_counter()
        batch = segmenter.prepare([picture])
        detect = partial(segmenter.detect, placements=batch.placements)
        segmenter.collect(lane.launch(batch.pixels, detect).finish(), batch.placements)
    return (len(pictures) - WARM_UP) / (time.perf_counter() - start_s)


def run_program(
    source: str, frames: int, *, looked_at: bool, threads: int = 0
) -> tuple[float, float]:
    """The program over ``frames``: frames/s, and CPU ms of a frame, after the warm-up.

    ``looked_at``: record, publish, and subscribe; otherwise only decode, segment and track.
    """
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"ipc://{folder}/publish"
        changes = [
            f"sources={json.dumps([source])}",
            f"decode.max_frames={frames}",
            f"segment.threads={threads}",
            f"record.enabled={json.dumps(looked_at)}",
            f"record.directory={json.dumps(folder)}",
            f"publish.enabled={json.dumps(looked_at)}",
            f"publish.endpoint={endpoint}",
            f"publish.pictures=ipc://{folder}/pictures",
        ]
        with subscriber(endpoint):
            return timed(assemble(load(ProgramSettings, None, changes)))


@contextmanager
def subscriber(endpoint: str) -> Iterator[None]:
    """Somebody who looks at records and pictures, in a process of his own."""
    process = subprocess.Popen([sys.executable, "-c", SUBSCRIBER, endpoint], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def timed(program: Program) -> tuple[float, float]:
    """Frames/s and CPU ms of a frame of a run, from the end of the warm-up on."""
    marks: list[tuple[int, float, float]] = []

    def mark(progress: Progress) -> None:
        if progress.published >= WARM_UP:
            marks.append((progress.published, time.perf_counter(), time.process_time()))

    report = program.supervisor.run(mark, tick_s=0.02)
    if report.exit_code:
        sys.exit(f"the program failed: {report.errors[0]}")
    (first, start_s, start_cpu_s), (last, end_s, end_cpu_s) = marks[0], marks[-1]
    done = last - first
    return done / (end_s - start_s), 1e3 * (end_cpu_s - start_cpu_s) / done


if __name__ == "__main__":
    main()
