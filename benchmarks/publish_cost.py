"""What publishing costs the publisher, and whether pictures delay records.

    python benchmarks/publish_cost.py [--frames 150] [--rounds 3]

20 instances at 1080p, 30 frames a second, each with masks of its own; subscribers are plain SUB
sockets in processes of their own. Prints JSON lines. ``subscribers``: CPU of a record in the
stage's thread (median over frames) and in the whole process, by how many listen: least and median
of interleaved rounds. ``busy``: the same for one listener without pauses, which leave a CPU's
caches cold. ``pictures``: age in ms of the records where they arrive, with nobody who
wants pictures and with somebody who wants both kinds, from one camera and from four at once.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import zmq
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.demand import Demand  # noqa: E402  (needs the path)
from pipeline.frame import Frame, Image, Instances, Model, TrackState  # noqa: E402
from pipeline.masks import Bits, Masks  # noqa: E402
from stages.publish import PublishSettings, PublishStage  # noqa: E402

HEIGHT, WIDTH, INSTANCES, RATE_HZ = 1080, 1920, 20, 30
BUSY_HZ = 10_000
ANY_PORT = "tcp://127.0.0.1:*"
WARM_UP = 10
SCENES = 30
LISTENERS = """
import json, sys, time, zmq
endpoint = sys.argv[1]
count, messages, ages = map(int, sys.argv[2:])
context, ages_ms = zmq.Context(), []
poller = zmq.Poller()
for _ in range(count):
    socket = context.socket(zmq.SUB)
    socket.subscribe("v1/")
    socket.connect(endpoint)
    poller.register(socket, zmq.POLLIN)
received = 0
while received < messages * count:
    ready = poller.poll(3000 if received else 20000)
    for socket, _ in ready:
        parts = socket.recv_multipart()
        received += 1
        if ages and parts[0].endswith(b"/meta/"):
            now_ns = time.time_ns()
            ages_ms.append((now_ns - json.loads(parts[1])["time"]["captured_utc_ns"]) / 1e6)
    if not ready:
        break
print(json.dumps({"received": received, "ages_ms": ages_ms}))
"""


def main() -> None:
    options = argparse.ArgumentParser(description="What publishing costs")
    options.add_argument("--frames", type=int, default=150)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    facts = {"cores": os.cpu_count(), "zmq": zmq.zmq_version(), "opencv": cv2.__version__}
    for measure in (subscribers, pictures):
        record = measure(given.frames, given.rounds)
        load = round(os.getloadavg()[0], 1)
        told = {"part": measure.__name__, **facts, "load": load, **record}
        print(json.dumps(told), flush=True)


def subscribers(frames: int, rounds: int) -> dict[str, object]:
    """CPU ms of a record, by how many listen."""
    scenes = [scene(seed) for seed in range(SCENES)]
    spent: dict[int, list[tuple[float, float]]] = {1: [], 5: [], 20: []}
    for _ in range(rounds):
        for count, found in spent.items():
            found.append(cost_ms(scenes, frames, count))
    busy = [cost_ms(scenes, frames, 1, rate_hz=BUSY_HZ)[0] for _ in range(rounds)]
    columns = {count: tuple(zip(*found, strict=True)) for count, found in spent.items()}
    return {"busy_thread_ms": [round(ms, 3) for ms in busy]} | {
        f"{name}_{how}_ms": {count: round(of(column[i]), 3) for count, column in columns.items()}
        for i, name in enumerate(("thread", "process"))
        for how, of in (("least", min), ("median", statistics.median))
    }


def pictures(frames: int, rounds: int) -> dict[str, object]:
    """Ages of records where they arrive, with and without pictures beside them."""
    scenes = [scene(seed) for seed in range(SCENES)]
    ages: dict[str, list[float]] = {}
    for _ in range(rounds):
        for cameras in (1, 4):
            for shown in (False, True):
                name = f"{cameras} cameras, {'pictures' if shown else 'records only'}"
                found = ages_ms(scenes, frames, cameras, shown)
                ages.setdefault(name, []).extend(found[WARM_UP:])
    quantiles = {name: np.percentile(found, (50, 95, 99)) for name, found in ages.items()}
    return {name: [round(age, 1) for age in found.tolist()] for name, found in quantiles.items()}


def cost_ms(
    scenes: list[Instances], frames: int, count: int, rate_hz: int = RATE_HZ
) -> tuple[float, float]:
    """CPU ms of a frame: in the stage's thread, and in the whole process but for the feeding."""
    stage, demand = publisher()
    with listeners(stage.endpoint, count, frames):
        feed = Feed(scenes, frames, 1, lambda: demand.subscribed("cam-0", "meta"), rate_hz=rate_hz)
        for _ in stage.run(feed):
            pass
    return statistics.median(feed.spent_ms[WARM_UP:]), feed.process_ms


def ages_ms(scenes: list[Instances], frames: int, cameras: int, shown: bool) -> list[float]:
    """Ages of the records of all cameras."""
    stage, demand = publisher()
    kinds = ("meta", "image") if shown else ("meta",)
    noise = np.random.default_rng(0).integers(0, 40, (HEIGHT, WIDTH, 3), np.uint8)
    with ExitStack() as stack:
        if shown:
            stack.enter_context(listeners(stage.pictures_endpoint, 1, 2 * frames))
        records = stack.enter_context(listeners(stage.endpoint, 1, frames + 4 * cameras, ages=True))
        ready = lambda: all(demand.subscribed("cam-0", kind) for kind in kinds)  # noqa: E731
        for _ in stage.run(Feed(scenes, frames, cameras, ready, noise)):
            pass
        found: dict[str, list[float]] = json.loads(records.communicate()[0])
        return found["ages_ms"]


def publisher() -> tuple[PublishStage, Demand]:
    demand = Demand()
    settings = PublishSettings(endpoint=ANY_PORT, linger_s=0.2, status_interval_s=60)
    return PublishStage(settings, demand=demand), demand


@contextmanager
def listeners(
    endpoint: str, count: int, messages: int, *, ages: bool = False
) -> Iterator["subprocess.Popen[str]"]:
    """``count`` subscribers in a process of their own."""
    told = [endpoint, str(count), str(messages), str(int(ages))]
    command = [sys.executable, "-c", LISTENERS, *told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Feed:
    """An inbox that gives frames at their time, and counts the CPU that is spent between them."""

    def __init__(
        self,
        scenes: list[Instances],
        frames: int,
        cameras: int,
        ready: Callable[[], bool],
        picture: NDArray[np.uint8] | None = None,
        rate_hz: int = RATE_HZ,
    ) -> None:
        self.spent_ms: list[float] = []
        self.process_ms = 0.0
        self._scenes, self._frames, self._cameras = scenes, frames, cameras
        self._ready, self._picture = ready, picture
        self._gap_ns = 1_000_000_000 // rate_hz
        self._given, self._due_ns, self._since_s = 0, 0, 0.0
        self._process_s, self._own_s = 0.0, 0.0

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        """One frame, when it is due."""
        del limit  # one is always allowed
        if self._since_s:
            self.spent_ms.append((time.thread_time() - self._since_s) * 1e3)
            self._since_s = 0.0
        if self._given == self._frames:
            spent_s = time.process_time() - self._process_s - self._own_s
            self.process_ms = spent_s / (self._frames - WARM_UP) * 1e3
            return None
        left_s = timeout_s or 0.0
        if not self._due_ns and self._ready():
            self._due_ns = time.monotonic_ns() + 500_000_000
        if not self._due_ns or (wait_s := (self._due_ns - time.monotonic_ns()) / 1e9) > left_s:
            time.sleep(left_s)
            return []
        time.sleep(max(0.0, wait_s))
        return [self._next()]

    def at_end(self) -> bool:
        return self._given == self._frames

    def drop(self, frame: Frame, reason: str) -> None:
        raise AssertionError(f"{frame} was dropped: {reason}")

    def __iter__(self) -> Iterator[Frame]:
        while (frames := self.take()) is not None:
            yield from frames

    def _next(self) -> Frame:
        if self._given == WARM_UP:
            self._process_s, self._own_s = time.process_time(), 0.0
        began_s = time.thread_time()
        seq, camera = divmod(self._given, self._cameras)
        late_ns = time.monotonic_ns() - self._due_ns
        frame = self._frame(f"cam-{camera}", seq, time.time_ns() - late_ns)
        self._given += 1
        self._due_ns += self._gap_ns * (camera + 1 == self._cameras) * self._cameras
        self._since_s = time.thread_time()
        self._own_s += self._since_s - began_s
        return frame

    def _frame(self, stream: str, seq: int, utc_ns: int) -> Frame:
        image = Image("jpeg", (), WIDTH, HEIGHT)
        if self._picture is not None:
            image = Image.from_bgr(self._picture)
        return Frame(
            stream=stream,
            epoch=0,
            seq=seq,
            pts=seq,
            time_base=Fraction(1, RATE_HZ),
            captured_ns=self._due_ns,
            captured_utc_ns=utc_ns,
            clock="arrival",
            image=image,
            canvas=image,
            model=Model("bench", "0" * 64, ("person",)),
            instances=fresh(self._scenes[self._given % len(self._scenes)]),
            stages_ms={"decode": 4.321, "segment": 21.987, "track": 1.234},
        )


def scene(seed: int) -> Instances:
    """20 blobs with the ragged edges that a network gives them: some 20 KB as RLE."""
    rng = np.random.default_rng(seed)
    masks = Masks.from_crops(HEIGHT, WIDTH, (blob(rng) for _ in range(INSTANCES)))
    tracked = Instances.detected(
        masks, rng.random(INSTANCES).astype(np.float32), np.zeros(INSTANCES, np.int32)
    )
    return Instances(
        tracked.boxes,
        tracked.scores,
        tracked.classes,
        masks,
        np.arange(INSTANCES, dtype=np.int64),
        np.full(INSTANCES, TrackState.TRACKED, np.uint8),
    )


def blob(rng: np.random.Generator) -> tuple[int, int, Bits]:
    h, w = int(rng.integers(120, 420)), int(rng.integers(80, 320))
    y, x = int(rng.integers(0, HEIGHT - h)), int(rng.integers(0, WIDTH - w))
    down, right = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    angle, radius = np.arctan2(down, right), np.hypot(down, right)
    edge = 0.8 + sum(
        rng.normal(0, 0.04) * np.cos(k * angle + rng.uniform(0, 6)) for k in range(1, 12)
    )
    bits: Bits = radius + rng.normal(0, 0.004, (h, w)) < edge
    return x, y, bits


def fresh(instances: Instances) -> Instances:
    """The same with arrays of its own, so that nothing that is kept can help."""
    masks = instances.masks
    crops = tuple(crop.copy() for crop in masks.crops)
    return Instances(
        instances.boxes,
        instances.scores,
        instances.classes,
        Masks(masks.height, masks.width, masks.origins.copy(), crops),
        instances.track_ids,
        instances.states,
    )


if __name__ == "__main__":
    main()
