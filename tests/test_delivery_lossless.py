"""Nothing is lost: over kills and restarts, to the acknowledged end; who is waited for in vain."""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRAMES = 10_000

PUBLISHER = """
import sys, time
from fractions import Fraction
from pipeline.demand import Demand
from pipeline.frame import Frame
from pipeline.stage import ListInbox
from stages.publish import PublishSettings, PublishStage

def captured():
    for i in range(int(sys.argv[1])):
        yield Frame("film", 0, i, i, Fraction(1, 25), time.monotonic_ns(), 0, "media", None)

settings = PublishSettings(endpoint="tcp://127.0.0.1:*", lossless=("indexer",))
stage = PublishStage(settings, demand=Demand())
print(stage.endpoint, flush=True)
print(sum(1 for frame in stage.run(ListInbox(captured()))), flush=True)
"""

INDEXER = """
import os, sys
from pipeline.client import Subscriber
endpoint, path = sys.argv[1:]
with open(path, "a+b", buffering=0) as results:
    results.seek(0)
    written = results.read().decode().splitlines()
    last = written[-1].split() if written else None
    after = (last[0], int(last[1])) if last else None
    with Subscriber(endpoint, mode="lossless", name="indexer", resume_after=after) as subscriber:
        for frame in subscriber:
            publisher, number = subscriber.position
            results.write(f"{publisher} {number} {frame.seq}\\n".encode())
        print(subscriber.statistics())
"""


def start(program: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def wait_until_written(path: Path, lines: int) -> None:
    deadline = time.monotonic() + 20
    while len(lines_of(path)) < lines:
        assert time.monotonic() < deadline, f"{len(lines_of(path))} of {lines} lines"
        time.sleep(0.01)


def test_every_frame_once_and_in_order_with_the_subscriber_killed_twice(tmp_path: Path) -> None:
    results = tmp_path / "results"
    publisher = start(PUBLISHER, FRAMES)
    assert publisher.stdout is not None
    endpoint = publisher.stdout.readline().strip()
    for killed_at in (FRAMES // 4, FRAMES // 2):
        indexer = start(INDEXER, endpoint, results)
        wait_until_written(results, killed_at)
        indexer.send_signal(signal.SIGKILL)
        indexer.communicate()
        assert len(lines_of(results)) < FRAMES
    indexer = start(INDEXER, endpoint, results)
    out, _ = indexer.communicate(timeout=30)
    published, _ = publisher.communicate(timeout=30)
    assert (indexer.returncode, publisher.returncode, int(published)) == (0, 0, FRAMES)
    got = [int(line.split()[2]) for line in lines_of(results)]
    assert got == list(range(FRAMES))
    assert "0 skipped + 0 lost on the wire" in out
