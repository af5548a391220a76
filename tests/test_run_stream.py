"""The program as a user runs it: the demo, files, subscribers, the ways to stop."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import pytest

from tests.media import write_video
from tests.program import PROGRAM, run, running, wait_for_line

pytestmark = pytest.mark.timeout(180)  # starting a process that loads torch can take its time
DEMO_FRAMES = 250


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def pictures_in(file: Path) -> int:
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))


def assert_accounts_add_up(headers: list[dict[str, Any]]) -> None:
    for index, header in enumerate(headers):
        assert header["seq"] == index + sum(header["dropped"].values())


def test_the_demo_runs_without_anything(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    headers = lines_of(tmp_path / "out" / "demo.jsonl")
    assert [header["seq"] for header in headers] == list(range(DEMO_FRAMES))
    assert pictures_in(tmp_path / "out" / "demo.mp4") == DEMO_FRAMES
    seen = sum(len(header["instances"]) for header in headers)
    assert seen > 2 * DEMO_FRAMES  # several things are in view all the time
    for word in ("captured", "segment", "p95", "demo.mp4", "published 250"):
        assert word in done.stderr


def test_of_other_packages_only_warnings_are_shown() -> None:
    code = (
        "import logging; from rich.console import Console; from stages.driver import log_to;"
        "log_to(Console(stderr=True)); other = logging.getLogger('torch.deep.inside');"
        "other.info('chatter'); other.warning('smoke');"
        "logging.getLogger('maskstream.x').info('us')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROGRAM.parent, capture_output=True, text=True, check=True
    )
    assert "chatter" not in done.stderr
    assert "WARNING smoke" in done.stderr
    assert "INFO us" in done.stderr


def test_a_subscriber_in_another_process_gets_what_is_recorded(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/publish"
    video = write_video(tmp_path / "Clip One.mp4", frames=40, width=96, height=64, fps=25)
    watch = [sys.executable, str(PROGRAM), "watch", endpoint, "--json"]
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        done = run("run", video, "--publish", endpoint, "--record", "kept", cwd=tmp_path)
        published = [json.loads(line) for line in watcher.stdout]
    assert done.returncode == 0, done.stderr
    recorded = lines_of(tmp_path / "kept" / "clip-one.jsonl")
    assert len(recorded) == 40
    assert_accounts_add_up(recorded)
    by_seq = {header["seq"]: header for header in recorded}
    assert published, "the watcher connected while the program loaded its network"
    for header in published:
        same = by_seq[header["seq"]]
        for key in ("stream", "epoch", "dropped", "image", "model", "instances", "ended"):
            assert header[key] == same[key]


def test_several_sources_and_a_missing_one(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", frames=5, width=64, height=48, fps=25)
    two = write_video(tmp_path / "two.mkv", frames=7, width=48, height=64, fps=10)
    done = run(
        "run", one, "second=two.mkv", "nowhere.mp4", "--publish", "none", "--record", "out",
        cwd=tmp_path,
    )  # fmt: skip
    assert two.exists()
    assert done.returncode == 3
    assert "nowhere.mp4" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines_of(tmp_path / "out" / "one.jsonl")) == 5
    assert len(lines_of(tmp_path / "out" / "second.jsonl")) == 7


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_drains_and_ends_well(tmp_path: Path, asked: signal.Signals) -> None:
    source = "synthetic:crowd?size=320x180&live=1"
    with running("run", source, "--publish", "none", "--record", "out", cwd=tmp_path) as process:
        wait_for_line(process, "frames/s")
        process.send_signal(asked)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert "captured" in told
    (lines,) = (tmp_path / "out").glob("*.jsonl")
    headers = lines_of(lines)
    assert_accounts_add_up(headers)
    assert pictures_in(lines.with_suffix(".mp4")) == len(headers) > 0


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_before_it_began_it_ends_well(tmp_path: Path, asked: signal.Signals) -> None:
    fifo = tmp_path / "settings.toml"
    os.mkfifo(fifo)
    # opening it returns when the program has begun to read; it waits for more
    with running("run", "--config", fifo, cwd=tmp_path) as process, fifo.open("w"):
        process.send_signal(asked)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert told == "stopped before it began\n"


def test_max_frames_ends_each_source(tmp_path: Path) -> None:
    done = run(
        "run", "synthetic:crossing?size=64x48", "--max-frames", "3", "--publish", "none",
        "--record", "out", "--set", "record.video=false", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["crossing.jsonl"]
    assert len(lines_of(tmp_path / "out" / "crossing.jsonl")) == 3


def test_help_has_examples(tmp_path: Path) -> None:
    for arguments in (["--help"], ["run", "--help"], ["watch", "--help"], ["weights", "--help"]):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 0
        assert "Example" in done.stdout or "Without a command" in done.stdout
