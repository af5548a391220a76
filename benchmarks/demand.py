"""What it costs to be looked at: CPU of a publisher by what its subscribers ask for.

    python benchmarks/demand.py [--size 1920x1080] [--instances 20] [--fps 30] [--seconds 5]

Frames that were segmented already pass through annotate and publish at ``--fps``; subscribers in
another process ask for nothing, for records, for plain or for annotated pictures. Prints a line
of JSON for each: CPU ms of the publisher's process for a frame (all its threads, libzmq's
included), less what the idle line costs (``beyond_idle_ms``), and what was received. ``nobody``
after the others shows that all of it ends with the subscription.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.demand import Demand  # noqa: E402  (needs the path)
from pipeline.frame import Frame, Image, Instances, Model  # noqa: E402
from pipeline.masks import Masks  # noqa: E402
from pipeline.metrics import Metrics  # noqa: E402
from pipeline.stage import Stage  # noqa: E402
from pipeline.supervisor import Supervisor  # noqa: E402
from stages.annotate import AnnotateSettings, AnnotateStage  # noqa: E402
from stages.publish import PublishSettings, PublishStage  # noqa: E402

WARM_UP_S = 1.0
MODEL = Model("none", "sha256:none", ("thing",))
SUBSCRIBER = """
import sys
from pipeline.client import Subscriber
with Subscriber(sys.argv[1], kinds=tuple(sys.argv[2].split(","))) as subscriber:
    for frame in subscriber:
        pass
counts = subscriber.statistics().kinds
print(sum(count.received for count in counts.values()))
"""


class Segmented:
    """A live source of one picture with its instances, again and again."""

    stream = "line"
    live = True

    def __init__(self, size: tuple[int, int], instances: int, fps: float) -> None:
        self._step_s = 1 / fps
        width, height = size
        blocks = np.random.default_rng(0).integers(
            0, 256, (-(-height // 8), -(-width // 8), 3), np.uint8
        )
        whole = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
        self._bgr = np.ascontiguousarray(whole[:height, :width])
        self._instances = scattered(height, width, instances)

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        due_s, seq = time.monotonic(), 0
        while not stop.wait(max(due_s - time.monotonic(), 0)):
            now_ns = time.monotonic_ns()
            image = Image.from_bgr(self._bgr)
            yield Frame(
                self.stream,
                0,
                seq,
                seq,
                Fraction(1, 30),
                now_ns,
                time.time_ns(),
                "arrival",
                image,
                instances=self._instances,
                model=MODEL,
            )
            due_s, seq = due_s + self._step_s, seq + 1


def scattered(height: int, width: int, count: int) -> Instances:
    """Ellipses of a fifth of the height, evenly over the picture."""
    side = height // 5
    y, x = np.mgrid[:side, :side] / side - 0.5
    bits = x * x + y * y < 0.25
    places = np.random.default_rng(1).random((count, 2)) * (width - side, height - side)
    crops = [(int(left), int(top), bits) for left, top in places]
    scores, classes = np.full(count, 0.9, np.float32), np.zeros(count, np.int32)
    return Instances.detected(Masks.from_crops(height, width, crops), scores, classes)


@contextmanager
def running(source: Segmented) -> Iterator[tuple[str, Metrics]]:
    """Annotate and publish what ``source`` has in the block; the endpoint, and what is counted."""
    demand = Demand()
    publish = PublishStage(PublishSettings(endpoint="tcp://127.0.0.1:*"), demand=demand)
    stages: list[Stage] = [AnnotateStage(AnnotateSettings(), demand=demand), publish]
    supervisor = Supervisor([source], stages)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield publish.endpoint, supervisor.metrics
    finally:
        supervisor.stop()
        thread.join()


def cost_ms(source: Segmented, kinds: Sequence[str], seconds: float) -> tuple[float, int]:
    """CPU ms of this process for a frame while a subscriber takes ``kinds``, and what he got."""
    subscriber: subprocess.Popen[str] | None = None
    with running(source) as (endpoint, metrics):
        if kinds:
            command = [sys.executable, "-c", SUBSCRIBER, endpoint, ",".join(kinds)]
            subscriber = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            time.sleep(WARM_UP_S)  # it loads
        time.sleep(WARM_UP_S)
        begun_s, before = time.process_time(), metrics.tally.streams()["line"].published
        time.sleep(seconds)
        spent_s = time.process_time() - begun_s
        frames = metrics.tally.streams()["line"].published - before
    received = int(subscriber.communicate(timeout=30)[0]) if subscriber else 0
    return spent_s * 1000 / frames, received


def main() -> None:
    options = argparse.ArgumentParser(description="What it costs to be looked at")
    options.add_argument("--size", default="1920x1080")
    options.add_argument("--instances", type=int, default=20)
    options.add_argument("--fps", type=float, default=30)
    options.add_argument("--seconds", type=float, default=5)
    given = options.parse_args()
    width, height = map(int, given.size.split("x"))
    source = Segmented((width, height), given.instances, given.fps)
    idle_ms: float | None = None
    for kinds in ((), ("meta",), ("image",), ("annotated",), ("meta", "annotated"), ()):
        spent_ms, received = cost_ms(source, kinds, given.seconds)
        idle_ms = spent_ms if idle_ms is None else idle_ms
        record = {
            "benchmark": "demand",
            "asked_for": list(kinds) or "nobody",
            "cpu_ms_a_frame": round(spent_ms, 2),
            "beyond_idle_ms": round(spent_ms - idle_ms, 2),
            "received": received,
            "size": given.size,
            "instances": given.instances,
            "fps": given.fps,
        }
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
