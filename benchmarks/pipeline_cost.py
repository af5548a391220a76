"""What the pipeline costs beside the network.

    python benchmarks/pipeline_cost.py [SOURCE] [--frames 200] [--rounds 3]

Prints JSON lines. ``throughput``: frames/s of the whole program (decode, segment, track, annotate,
record, publish, and a subscriber to records and pictures in another process) over frames/s of the
bare network on the same frames with as many threads, rounds interleaved; ``all_cores_hz`` is the
bare network on every core. ``cpu``: CPU time of a frame in every thread but the network's and the
source's (the network has one thread), with a subscriber to records only and with one to pictures
too; ``by_thread_ms`` says which thread spent how much, "others" are ZeroMQ's and FFmpeg's own.
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
from stages.assembly import Program, ProgramSettings, assemble  # noqa: E402
from stages.compute import load_segmenter  # noqa: E402
from stages.decode import Decode, DecodeSettings  # noqa: E402
from stages.segment import SegmentSettings  # noqa: E402
from stages.sources.address import parse_sources  # noqa: E402

WARM_UP = 20
SOURCE = "source-it"
NOT_COUNTED = ("segment", SOURCE)
SUBSCRIBER = """
import sys
from pipeline.client import Subscriber
for frame in Subscriber(sys.argv[1], kinds=sys.argv[2:]):
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
        whole.append(run_program(source, frames, ("meta", "annotated"))[0])
    return {
        "bare_hz": [round(rate, 2) for rate in bare],
        "whole_hz": [round(rate, 2) for rate in whole],
        "all_cores_hz": [round(rate, 2) for rate in free],
        "ratio_of_medians": round(statistics.median(whole) / statistics.median(bare), 3),
    }


def cpu(source: str, frames: int, rounds: int) -> dict[str, object]:
    """CPU milliseconds of a frame beside network and decoding, by what a subscriber wants."""
    spent: dict[str, dict[str, float]] = {}
    for kinds in (("meta",), ("meta", "annotated")):
        runs = [run_program(source, frames, kinds, threads=1)[1] for _ in range(rounds)]
        medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        spent[" and ".join(kinds)] = medians
    return {
        "rest_ms": {kinds: round(_rest_ms(threads), 2) for kinds, threads in spent.items()},
        "by_thread_ms": {
            kinds: {name: round(ms, 2) for name, ms in threads.items()}
            for kinds, threads in spent.items()
        },
    }


def _rest_ms(threads: dict[str, float]) -> float:
    return sum(ms for name, ms in threads.items() if name not in NOT_COUNTED)


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
    source: str, frames: int, kinds: tuple[str, ...], threads: int = 0
) -> tuple[float, dict[str, float]]:
    """The program, recording and publishing to a subscriber: frames/s, and CPU ms by thread."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"ipc://{folder}/publish"
        changes = [
            f"sources={json.dumps([f'it={source}'])}",
            f"decode.max_frames={frames}",
            f"segment.threads={threads}",
            "record.enabled=true",
            f"record.directory={json.dumps(folder)}",
            f"publish.endpoint={endpoint}",
            f"publish.pictures=ipc://{folder}/pictures",
            f"publish.delivery=ipc://{folder}/delivery",
        ]
        with subscriber(endpoint, kinds):
            return timed(assemble(load(ProgramSettings, None, changes)))


@contextmanager
def subscriber(endpoint: str, kinds: tuple[str, ...]) -> Iterator[None]:
    """Somebody who looks at ``kinds``, in a process of his own."""
    process = subprocess.Popen([sys.executable, "-c", SUBSCRIBER, endpoint, *kinds], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def timed(program: Program) -> tuple[float, dict[str, float]]:
    """Frames/s and CPU ms of a frame by thread, from the end of the warm-up on."""
    marks: list[tuple[int, float, dict[str, float]]] = []

    def mark(progress: Progress) -> None:
        spent = cpu_by_thread_s()
        if progress.published >= WARM_UP and SOURCE in spent:  # while all threads run
            marks.append((progress.published, time.perf_counter(), spent))

    report = program.supervisor.run(mark, tick_s=0.1)
    if report.exit_code:
        sys.exit(f"the program failed: {report.errors[0]}")
    (first, start_s, before), (last, end_s, after) = marks[0], marks[-1]
    done = last - first
    spent = {name: 1e3 * (after[name] - before[name]) / done for name in after}
    return done / (end_s - start_s), spent


def cpu_by_thread_s() -> dict[str, float]:
    """CPU seconds so far of each thread of Python's, and of all others together."""
    spent = {
        thread.name.removeprefix("maskstream-"): time.clock_gettime(
            time.pthread_getcpuclockid(thread.ident)
        )
        for thread in threading.enumerate()
        if thread.ident is not None
    }
    return spent | {"others": time.process_time() - sum(spent.values())}


if __name__ == "__main__":
    main()
