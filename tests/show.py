"""A publisher to look at, as a process that a test can kill: moving things in two streams.

    python -m tests.show tcp://127.0.0.1:5555 [FRAMES A SECOND]

``gate-2`` has two tracked things and a tentative one; the name of the other stream is markup.
"""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.channel import Channel
from pipeline.clock import SystemClock
from pipeline.demand import Demand
from pipeline.frame import Frame, Image, Instances, TrackState
from pipeline.inbox import FairInbox
from pipeline.masks import Masks
from stages.publish import PublishSettings, PublishStage
from tests.station import ellipse, frame

ROOT = Path(__file__).parents[1]
GATE, MARKUP = "gate-2", "<img src=x onerror=document.title='taken'>"
HEIGHT, WIDTH = 180, 320
STEPS = 120


def things(step: int) -> Instances:
    """A person (7) and a shape (9) that go to and fro, and a tentative one (12)."""
    x = int(abs(step % STEPS - STEPS / 2) * 3)
    crops = [
        (20 + x // 2, 60, ellipse(80, 40)),
        (250 - x, 30, ellipse(40, 60)),
        (140, 130, ellipse(30, 30)),
    ]
    masks = Masks.from_crops(HEIGHT, WIDTH, crops)
    found = Instances.detected(
        masks, np.array([0.93, 0.71, 0.4], np.float32), np.array([0, 1, 1], np.int32)
    )
    states = np.array([TrackState.TRACKED, TrackState.TRACKED, TrackState.TENTATIVE], np.uint8)
    return replace(found, track_ids=np.array([7, 9, 12]), states=states)


def picture(step: int) -> Image:
    """A grey ground with a light bar that moves."""
    bgr = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    at = step * 5 % (WIDTH - 10)
    bgr[:, at : at + 10] = 200
    return Image.from_bgr(bgr)


def shown(step: int, stream: str) -> Frame:
    """The frame of ``stream`` at ``step``, captured now. Of every ten, one was dropped."""
    lost = step // 10
    return frame(
        step + lost,
        stream,
        image=picture(step),
        canvas=None,
        instances=things(step),
        ended=(),
        dropped={"stale": lost} if lost else {},
        captured_utc_ns=time.time_ns(),
    )


def main(endpoint: str, fps: float) -> None:
    """Publish until killed."""
    channel = Channel("publish", capacity=100)
    stage = PublishStage(
        PublishSettings(endpoint=endpoint),
        demand=Demand(),
        clock=SystemClock(),
        streams=(GATE, MARKUP),
    )

    def feed() -> None:
        began = time.monotonic()
        for step in range(1_000_000):
            for stream in (GATE, MARKUP):
                channel.put(shown(step, stream))
            time.sleep(max(0.0, began + step / fps - time.monotonic()))

    threading.Thread(target=feed, daemon=True).start()
    for _ in stage.run(FairInbox([channel])):
        pass


def free_port() -> int:
    """A port that nobody listens at, to come back to after a kill."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def showing(endpoint: str, fps: float = 10) -> Iterator[subprocess.Popen[bytes]]:
    """This publisher in a process of its own; killed at the end of the block."""
    command = [sys.executable, "-m", "tests.show", endpoint, str(fps)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
