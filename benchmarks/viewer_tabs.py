"""What browser tabs cost the pipeline: the whole program, looked at by none, one and ten.

    python benchmarks/viewer_tabs.py [SOURCE] [--frames 200] [--rounds 3]

For each round: the program alone, with a viewer that nobody looks through, with one tab and with
ten (WebSocket clients in this process that take every picture and say that they drew it). Prints
each round on standard error and then, a line of JSON for each, the medians: frames/s; CPU ms a
frame of the program's process and of the viewer's, both with their start; pictures that a tab got.
A machine that is busy with other things moves the frames/s of single rounds; the CPU of the
program is what tabs could add to.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = [sys.executable, str(ROOT / "run_stream.py")]
ENDPOINT = "tcp://127.0.0.1:5955"
SPEED = re.compile(r"([\d.]+) frames/s\s*$")
CASES = (None, 0, 1, 10)  # tabs; None: no viewer at all


def main() -> None:
    options = argparse.ArgumentParser(description="Cost of browser tabs")
    options.add_argument("source", nargs="?", default="synthetic:demo?size=640x360")
    options.add_argument("--frames", type=int, default=200)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    found: dict[int | None, list[dict[str, float]]] = defaultdict(list)
    for _ in range(given.rounds):
        for tabs in CASES:
            found[tabs].append(measure(given.source, given.frames, tabs))
            print(json.dumps({"tabs": tabs, **found[tabs][-1]}), file=sys.stderr, flush=True)
    for tabs, rounds in found.items():
        medians = {
            name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]
        }
        print(json.dumps({"source": given.source, "tabs": tabs, **medians}), flush=True)


def measure(source: str, frames: int, tabs: int | None) -> dict[str, float]:
    """One run of the program."""
    if tabs is None:
        return run(source, frames)
    with viewer() as (port, process), Tabs(port, tabs) as looking:
        result = run(source, frames)
        pictures = looking.pictures / (tabs or 1)
        process.send_signal(signal.SIGINT)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1e3 / frames
    return result | {"viewer_cpu_ms": cpu_ms, "pictures_a_tab": pictures}


def run(source: str, frames: int) -> dict[str, float]:
    """The program's frames/s, and its CPU for a frame with the loading left in."""
    command = [*PROGRAM, "run", f"line={source}", "--publish", ENDPOINT]
    process = subprocess.Popen(
        [*command, "--max-frames", str(frames)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    process.stderr.close()
    speed = SPEED.search(said)
    assert speed is not None, said
    cpu_ms = (usage.ru_utime + usage.ru_stime) * 1e3 / frames
    return {"frames_a_second": float(speed[1]), "program_cpu_ms": cpu_ms}


@contextmanager
def viewer() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A viewer of ENDPOINT: its port and process."""
    process = subprocess.Popen(
        [*PROGRAM, "view", ENDPOINT, "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    try:
        yield int(line.rpartition(":")[2].strip().rstrip("/")), process
    finally:
        process.stderr.close()


class Tabs:
    """So many tabs in a thread that look at the stream ``line`` and draw as fast as it comes."""

    def __init__(self, port: int, count: int) -> None:
        self.pictures = 0
        self._address = f"ws://127.0.0.1:{port}/live"
        self._count = count
        self._thread = threading.Thread(target=asyncio.run, args=(self._all(),))

    def __enter__(self) -> "Tabs":
        self._thread.start()
        time.sleep(1.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    async def _all(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(self._count)))

    async def _one(self) -> None:
        with suppress(ConnectionClosed):  # the viewer ends
            await self._look()

    async def _look(self) -> None:
        async with connect(self._address, max_size=None) as tab:
            await tab.send('{"type":"hello"}')
            await tab.send('{"type":"look","streams":["line"]}')
            async for said in tab:
                if isinstance(said, bytes):
                    self.pictures += 1
                    await tab.send('{"type":"drawn","stream":"line"}')


if __name__ == "__main__":
    main()
