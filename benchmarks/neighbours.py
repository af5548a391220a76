"""What bad subscribers cost the good ones.

    python benchmarks/neighbours.py [--seconds 600]

A publisher sends 30 records and pictures a second to 9 good subscribers in another process, 5 of
mode credit and 4 of mode all: first alone, then beside one that never reads, one that is stopped
(SIGSTOP), and 50 that connect and leave at random, with and without a word, on the sockets of
records, pictures and delivery. Prints JSON lines: records that were published and that the worst of
the good ones got, records lost, ages in ms, what the publisher's process holds before and after.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.demand import Demand  # noqa: E402  (needs the path)
from pipeline.frame import Frame, Image  # noqa: E402
from pipeline.stage import ListInbox  # noqa: E402
from stages.publish import PublishSettings, PublishStage  # noqa: E402

RATE_HZ = 30
SETTLE_S = 8.0
GOOD = """
import json, sys, threading, time
from pipeline.client import Subscriber
endpoint, seconds = sys.argv[1], float(sys.argv[4])
good = [Subscriber(endpoint, mode="credit", credit=8) for _ in range(5)]
good += [Subscriber(endpoint, mode="all", waiting=10_000) for _ in range(4)]
begun, ages_ms = time.monotonic(), []
def take(subscriber):
    while time.monotonic() - begun < seconds:
        message = subscriber.take(1)
        if message is not None:
            ages_ms.append((time.time_ns() - message.frame.captured_utc_ns) / 1e6)
threads = [threading.Thread(target=take, args=(subscriber,)) for subscriber in good]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counts = [subscriber.statistics().kinds["bench", "meta"] for subscriber in good]
ages_ms.sort()
print(json.dumps({"published": max(c.captured for c in counts),
                  "worst_received": min(c.received for c in counts),
                  "passed_over": max(c.passed_over for c in counts),
                  "lost": max(c.lost for c in counts),
                  "p50_ms": round(ages_ms[len(ages_ms) // 2], 1),
                  "p99_ms": round(ages_ms[len(ages_ms) * 99 // 100], 1)}))
"""
HELLO = """
import json, random, sys, time, zmq
context = zmq.Context()
records, pictures, delivery = sys.argv[1:4]
hello = json.dumps({"v": 1, "kind": "hello", "mode": "credit", "streams": None, "credit": 64,
                    "kinds": ["meta", "image"]})
def open_one(at, hwm):
    sock = context.socket(zmq.DEALER if at == delivery else zmq.SUB)
    sock.rcvhwm = hwm
    sock.connect(at)
    sock.send_string(hello) if at == delivery else sock.subscribe("v1/")
    return sock
"""
STUCK = f"""{HELLO}
asking, listening, looking = (open_one(at, 1) for at in (delivery, records, pictures))
while True:
    time.sleep(1)
    asking.send(b'{{"v":1,"kind":"ping"}}')
"""
CROWD = f"""{HELLO}
here = [None] * 50
while True:
    place = random.randrange(50)
    sock = here[place]
    if sock is None:
        here[place] = open_one(random.choice((records, pictures, delivery)), 1000)
    else:
        if sock.type == zmq.DEALER and random.random() < 0.5:
            sock.send(b'{{"v":1,"kind":"bye"}}')
        sock.close(100)
        here[place] = None
    time.sleep(0.02)
"""


def main() -> None:
    options = argparse.ArgumentParser(description="What bad subscribers cost the good ones")
    options.add_argument("--seconds", type=float, default=600)
    seconds = options.parse_args().seconds
    with published() as stage:
        tell("alone", stage, min(seconds, 60), [])
        tell("beset", stage, seconds, [STUCK, STUCK, CROWD])


def tell(name: str, stage: PublishStage, seconds: float, bad: list[str]) -> None:
    """Measure once, with such neighbours."""
    with ExitStack() as stack:
        neighbours = [stack.enter_context(another(program, stage, 0)) for program in bad]
        if neighbours:
            time.sleep(1)
            neighbours[0].send_signal(signal.SIGSTOP)
        with another(GOOD, stage, seconds) as good:
            time.sleep(SETTLE_S)
            before = held()
            out, _ = good.communicate()
        after = held()
    print(json.dumps({"neighbours": name, **json.loads(out), "before": before, "after": after}))


@contextmanager
def another(program: str, stage: PublishStage, seconds: float) -> Iterator["subprocess.Popen[str]"]:
    endpoints = [stage.endpoint, stage.pictures_endpoint, stage.delivery_endpoint]
    command = [sys.executable, "-c", program, *endpoints, str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def held() -> dict[str, int]:
    """Memory and open files of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "rss_mb": pages * os.sysconf("SC_PAGESIZE") >> 20,
        "files": len(os.listdir("/proc/self/fd")),
    }


@contextmanager
def published() -> Iterator[PublishStage]:
    """A publish stage at work in a thread."""
    stop = threading.Event()
    picture = b"\xff\xd8" + np.random.default_rng(0).bytes(30_000)
    image = Image("jpeg", (np.frombuffer(picture, np.uint8),), 640, 480)

    def captured() -> Iterator[Frame]:
        seq = 0
        while not stop.wait(1 / RATE_HZ):
            moments = time.monotonic_ns(), time.time_ns()
            yield Frame("bench", 0, seq, seq, Fraction(1, RATE_HZ), *moments, "arrival", image)
            seq += 1

    settings = PublishSettings(endpoint="tcp://127.0.0.1:*", linger_s=0)
    stage = PublishStage(settings, demand=Demand(), streams=("bench",))
    thread = threading.Thread(target=lambda: deque(stage.run(ListInbox(captured())), maxlen=0))
    thread.start()
    try:
        yield stage
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
