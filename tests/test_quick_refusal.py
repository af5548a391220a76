"""What a user gets wrong is told before torch and scipy, which take seconds to load."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import PROGRAM


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "x.mp4", "--set", "segment.bach=2"], 2, "segment.bach: wanted one of the keys"),
        (["run", "--config", "no.toml"], 2, "no.toml: (file): wanted a readable file"),
        (["run"], 2, "sources: wanted at least one source"),
        (["run", "gone.mp4", "lost.mkv"], 3, "gone.mp4, lost.mkv: wanted a readable file"),
        (["run", "x" * 5000], 3, "wanted a readable file, got File name too long"),
        (["run", "~nobody-of-that-name/x.mp4"], 3, "~nobody-of-that-name/x.mp4: wanted a readable"),
        (["run", "synthetic:nowhere"], 2, "got nowhere"),
        (["run", "synthetic:demo", "--publish", "tcp://nowhere"], 7, "got 'tcp://nowhere'"),
        (["run", "synthetic:demo", "--publish", "tcp://0.0.0.0:5555"], 7, "0.0.0.0:5555"),
        (["run", "synthetic:demo", "--weights", "no.pth"], 6, "weights no.pth: wanted a file"),
        (["run", "synthetic:demo", "--weights", "solov2-nan"], 6, "Did you mean solov2-nano?"),
        (["run", "synthetic:demo", "--weights", "x" * 5000], 6, "wanted a file, an address or an"),
        (["run", "synthetic:demo", "--weights", "ftp://x/y.pth"], 6, "got the scheme 'ftp'"),
        (["run", ".", "clips/*.mp4"], 3, "., clips/*.mp4: wanted videos or pictures, got none"),
        (["run", "synthetic:demo", "--record", "/proc/self/x"], 8, "/proc/self/x: wanted a folder"),
        (["run", "gopher://x"], 2, "wanted rtsp(s)://… or http(s)://…"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_mistakes_are_told_without_loading_the_network(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    refused_soon(arguments, code, message, tmp_path)


def test_a_port_in_use_is_told_without_loading_the_network(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        endpoint = f"tcp://127.0.0.1:{port}"
        refused_soon(["run", "synthetic:demo", "--publish", endpoint], 7, "in use", tmp_path)
        metrics = ["--publish", "none", "--metrics", str(port)]
        refused_soon(["run", "synthetic:demo", *metrics], 7, "wanted a free port", tmp_path)


def refused_soon(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", PROGRAM, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert message in done.stderr
    loaded = set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.M))
    assert "numpy" in loaded
    assert not loaded & {"torch", "torchvision", "scipy.optimize"}
