"""How old is what a slow subscriber sees: each way of subscribing, beside plain pyzmq.

    python benchmarks/staleness.py [--seconds 8] [--service 0.2] [--kilobytes 150]

A publisher sends 30 pictures a second; a subscriber in another process takes ``service`` seconds
for each. Prints JSON lines: ages in ms when it begins with a message (p50, the oldest, the last),
how many it handled, and how many it was told it did not get.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import zmq

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.demand import Demand  # noqa: E402  (needs the path)
from pipeline.frame import Frame, Image  # noqa: E402
from pipeline.stage import ListInbox  # noqa: E402
from stages.publish import PublishSettings, PublishStage  # noqa: E402

RATE_HZ = 30
ANY_PORT = "tcp://127.0.0.1:*"
COMMON = """
import json, sys, time
endpoint, mode = sys.argv[1:3]
seconds, service_s = map(float, sys.argv[3:])
ages_ms, begun = [], time.monotonic()
def handle(captured_ns):
    ages_ms.append((time.time_ns() - captured_ns) / 1e6)
    time.sleep(service_s)
    return time.monotonic() - begun < seconds
def tell(skipped):
    ages = {"p50": sorted(ages_ms)[len(ages_ms) // 2], "oldest": max(ages_ms), "last": ages_ms[-1]}
    counts = {"handled": len(ages_ms), "told_skipped": skipped}
    print(json.dumps({name: round(age) for name, age in ages.items()} | counts))
"""
PLAIN = f"""{COMMON}
import zmq
socket = zmq.Context().socket(zmq.SUB)
if mode == "hwm2":
    socket.rcvhwm = 2
socket.subscribe("")
socket.connect(endpoint)
while handle(json.loads(socket.recv_multipart()[1])["time"]["captured_utc_ns"]):
    pass
tell(None)
"""
OURS = f"""{COMMON}
from pipeline.client import Subscriber
with Subscriber(endpoint, kinds=("image",), mode=mode) as subscriber:
    for frame in subscriber:
        if not handle(frame.captured_utc_ns):
            break
    counts = subscriber.statistics().kinds["bench", "image"]
tell(counts.skipped + counts.passed_over + counts.lost)
"""


def main() -> None:
    options = argparse.ArgumentParser(description="Age of what a slow subscriber sees")
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--service", type=float, default=0.2)
    options.add_argument("--kilobytes", type=int, default=150)
    given = options.parse_args()
    picture = b"\xff\xd8" + np.random.default_rng(0).bytes(given.kilobytes * 1000)
    for name, mode in (("plain PUB and SUB", "plain"), ("plain, HWM 2", "hwm2")):
        with Plain(picture, 2 if mode == "hwm2" else 1000) as plain:
            tell(name, subscriber(PLAIN, plain.endpoint, given, mode))
    for mode in ("plain", "latest", "credit"):
        with Ours(picture) as ours:
            program = PLAIN if mode == "plain" else OURS
            endpoint = ours.stage.pictures_endpoint if mode == "plain" else ours.stage.endpoint
            name = "plain SUB to maskstream" if mode == "plain" else f"Subscriber, mode {mode}"
            tell(name, subscriber(program, endpoint, given, mode))


def tell(name: str, found: dict[str, object]) -> None:
    print(json.dumps({"subscriber": name, **found, "zmq": zmq.zmq_version()}), flush=True)


def subscriber(
    program: str, endpoint: str, given: argparse.Namespace, mode: str
) -> dict[str, object]:
    """Run one to its end; what it says."""
    arguments = [endpoint, mode, str(given.seconds), str(given.service)]
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


class Plain:
    """A publisher as in every tutorial."""

    def __init__(self, picture: bytes, waiting: int) -> None:
        self._picture = picture
        self._stop = threading.Event()
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.PUB)
        self._socket.sndhwm = waiting
        self._socket.bind(ANY_PORT)
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Plain":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close(0)
        self._context.term()

    def _run(self) -> None:
        while not self._stop.wait(1 / RATE_HZ):
            header = json.dumps({"time": {"captured_utc_ns": time.time_ns()}}).encode()
            self._socket.send_multipart([b"", header, self._picture])


class Ours:
    """The publish stage, fed at the same rate."""

    def __init__(self, picture: bytes) -> None:
        self._image = Image("jpeg", (np.frombuffer(picture, np.uint8),), 640, 480)
        self._stop = threading.Event()
        self.stage = PublishStage(
            PublishSettings(endpoint=ANY_PORT, linger_s=0), demand=Demand(), streams=("bench",)
        )
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Ours":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for _ in self.stage.run(ListInbox(self._frames())):
            pass

    def _frames(self) -> Iterator[Frame]:
        seq = 0
        while not self._stop.wait(1 / RATE_HZ):
            now_ns, utc_ns = time.monotonic_ns(), time.time_ns()
            yield Frame(
                "bench", 0, seq, seq, Fraction(1, RATE_HZ), now_ns, utc_ns, "arrival", self._image
            )
            seq += 1


if __name__ == "__main__":
    main()
