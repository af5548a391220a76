"""What a user gets wrong is told before torch, which takes seconds to load."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import PROGRAM

LOADED = """
import atexit, runpy, sys
atexit.register(lambda: print("torch" in sys.modules, "scipy" in sys.modules))
sys.argv[:] = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "x.mp4", "--set", "segment.bach=2"], 2, "segment.bach: wanted one of the keys"),
        (["run", "--config", "no.toml"], 2, "no.toml: (file): wanted a readable file"),
        (["run"], 2, "sources: wanted at least one source"),
        (["run", "gone.mp4", "lost.mkv"], 3, "gone.mp4, lost.mkv: wanted a readable file"),
        (["run", "synthetic:nowhere"], 2, "got nowhere"),
        (["run", "gopher://x"], 2, "wanted rtsp(s)://… or http(s)://…"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_without_loading_the_network(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, PROGRAM, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout.split() == ["False", "False"], "torch or scipy was loaded"
