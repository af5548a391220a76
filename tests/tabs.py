"""Talking to the viewer's server as a tab does, without a browser."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from tests.program import running, wait_for_line

LOOK = json.dumps({"type": "look", "streams": ["gate-2"]})
DRAWN = json.dumps({"type": "drawn", "stream": "gate-2"})


@contextmanager
def viewing(
    endpoint: str, cwd: Path, *options: str
) -> Iterator[tuple[int, str, subprocess.Popen[str]]]:
    """The program viewing ``endpoint``: its port, the line that it printed, its process."""
    with running("view", endpoint, "--port", "0", *options, cwd=cwd) as process:
        line = wait_for_line(process, "viewing")
        yield int(line.rpartition(":")[2].partition("/")[0]), line, process


@contextmanager
def knock(port: int, token: str | None = None) -> Iterator[ClientConnection]:
    """A tab that has said its first word."""
    with connect(f"ws://127.0.0.1:{port}/live", max_size=2**24) as tab:
        tab.send(json.dumps({"type": "hello", "token": token}))
        yield tab


def look(tab: ClientConnection) -> None:
    """Look at gate-2, and wait until the server has heard that."""
    tab.send(LOOK)
    for _ in range(2):
        hear(tab, "news")


def hear(tab: ClientConnection, kind: str = "picture") -> tuple[dict[str, object], bytes]:
    """The next message of that kind: of a picture its header and JPEG."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        said = tab.recv(10)
        if isinstance(said, str):
            words = json.loads(said)
            if words["type"] == kind:
                return words, b""
        elif kind == "picture":
            length = int.from_bytes(said[:4], "big")
            return json.loads(said[4 : 4 + length]), said[4 + length :]
    raise AssertionError(f"no {kind} came")
