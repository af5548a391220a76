"""``run_stream.py train`` as a user meets it: files that ``run`` takes, resuming, trouble."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import safetensors.torch
import torch
from rich.console import Console

from pipeline.config_page import INTRODUCTION, page
from pipeline.errors import CheckpointMismatch, SourceError, TrainingError
from stages.learning.training.course import BEST, LAST, STATE
from stages.learning.training.session import train_network
from stages.learning.training.settings import TrainSettings
from tests.labelled import CLASSES, QUICK, content, labelled, quick, write
from tests.program import PROGRAM, run, running, wait_for_line

ROOT = Path(__file__).parents[1]


def options(*more: str) -> list[str]:
    return [word for change in (*QUICK, *more) for word in ("--set", change)]


def command_line(data: Path, out: Path, iterations: int, *more: str) -> list[str]:
    return ["train", f"{data}", "--out", f"{out}", "--iterations", f"{iterations}", *options(*more)]


def trained(data: Path, out: Path, *changes: str) -> Path:
    return train_network(quick(data, out, *changes), Console(stderr=True))


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(path)


def same(one: Path, other: Path) -> bool:
    first, second = tensors(one), tensors(other)
    return all(torch.equal(first[key], second[key]) for key in first | second)


def test_what_is_trained_runs_as_it_is_and_has_a_card(tmp_path: Path) -> None:
    data, out = labelled(tmp_path / "data", 8), tmp_path / "out"
    ended = run("train", data, "--out", out, "--iterations", "6", *options(), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for said in (
        "8 square, 8 disc",
        "starts from nothing",
        "iteration 6",
        "mask AP",
        "7 pictures an",
    ):
        assert said in ended.stderr
    card = json.loads((out / "card.json").read_text())
    assert card["classes"] == list(CLASSES)
    assert card["settings"]["learn"]["iterations"] == 6
    assert set(card["final"]["classes"]["disc"]) >= {"mask.AP", "mask.AP50", "box.AP"}
    text = (out / "card.md").read_text()
    for said in ("| class | mask.AP |", "8 pictures, 8 square, 8 disc", "iterations: 6", "seed: 0"):
        assert said in text
    sheets = sorted((out / "sheets").iterdir())
    assert len(sheets) == 5
    sheet = cv2.imread(str(sheets[-1]))
    assert sheet is not None
    assert sheet.shape == (320, 964, 3)
    assert list((out / "events").glob("events.out.tfevents.*"))
    clip = tmp_path / "data" / "1.png"
    done = run(
        "run", clip, "--weights", out / BEST, "--record", tmp_path / "seen", "--publish", "none",
        "--set", "segment.filter_threshold=0", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    inspected = run("weights", "inspect", out / BEST, cwd=tmp_path)
    for said in ("square", "disc", "solov2-nano", "bgr"):
        assert said in inspected.stdout


def test_a_killed_training_goes_on_to_the_same_result(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data", 8)
    trained(data, tmp_path / "whole", "learn.iterations=8")
    out = tmp_path / "broken"
    command = command_line(data, out, 8, "save.every_s=0")
    with running(*command, cwd=tmp_path) as process:
        wait_for_line(process, "iteration 5 ")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (out / STATE).exists()
    assert not (out / LAST).exists()
    ended = run(*command, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "going on from iteration" in ended.stderr
    assert same(out / LAST, tmp_path / "whole" / LAST)
    assert same(out / BEST, tmp_path / "whole" / BEST)
    measured = [
        json.loads((folder / "card.json").read_text())["record"]["measured"]
        for folder in (out, tmp_path / "whole")
    ]
    assert measured[0] == measured[1]


def test_a_stopped_training_says_so_and_other_settings_are_refused(tmp_path: Path) -> None:
    data, out = labelled(tmp_path / "data"), tmp_path / "out"
    command = command_line(data, out, 2000)
    with running(*command, cwd=tmp_path) as process:
        wait_for_line(process, "iteration 2 ")
        process.send_signal(signal.SIGINT)
        assert "the same command goes on" in wait_for_line(process, "stopped at")
        assert process.wait() == 0
    with pytest.raises(CheckpointMismatch, match=r"learn\.batch was 2, is 3.*another --out"):
        trained(data, out, "learn.iterations=2000", "learn.batch=3")
    (out / STATE).write_bytes(b"rubbish")
    with pytest.raises(CheckpointMismatch, match="Remove the file to start anew"):
        trained(data, out, "learn.iterations=2000")


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """With still batch norms they learn what one learns from batches of twice the size."""
    data = labelled(tmp_path / "data", 8)
    alike = ("start.norms=all", "data.hold_out=0", "augment.scales=[0.2, 0.2]", "learn.average=0")
    launcher = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
    ]  # fmt: skip
    ended = subprocess.run(
        [*launcher, PROGRAM, *command_line(data, tmp_path / "two", 3, *alike)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("starts from nothing") == 1
    trained(data, tmp_path / "one", *alike, "learn.iterations=3", "learn.batch=4")
    two, one = tensors(tmp_path / "two" / LAST), tensors(tmp_path / "one" / LAST)
    for key in one:
        torch.testing.assert_close(two[key].float(), one[key].float(), rtol=0.05, atol=2e-3)


def test_a_corrupt_picture_in_the_middle_stops_or_is_counted(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data", 8)
    spoilt = tmp_path / "data" / "4.png"
    spoilt.write_bytes(spoilt.read_bytes()[:60])  # its header is whole
    for number in (1, 2, 3):
        shutil.copy(spoilt, spoilt.with_name(f"{number}.png"))
    with pytest.raises(SourceError, match=r"\d\.png.*bytes that cannot be decoded"):
        trained(data, tmp_path / "stops", "learn.iterations=4", "data.hold_out=0")
    trained(data, tmp_path / "skips", "learn.iterations=4", "data.bad_pictures=skip")
    record = json.loads((tmp_path / "skips" / "card.json").read_text())["record"]
    assert record["skips"] >= 2
    assert "cannot be decoded" in record["spoilt"][0]
    assert "times a picture could not be decoded" in (tmp_path / "skips" / "card.md").read_text()


def test_a_full_disk_stops_or_is_counted(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    small = ("learn.iterations=2", "data.hold_out=0", "watch.events=false")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(TrainingError, match=r"state\.pt: wanted to write .* Make room"):
            trained(data, tmp_path / "stops", *small)
        trained(data, tmp_path / "goes", *small, "save.full_disk=go-on")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in (tmp_path / "goes").iterdir()) == ["card.json", "card.md"]
    assert "3 files could not be written" in (tmp_path / "goes" / "card.md").read_text()


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    document, _ = content()
    document["annotations"][3]["segmentation"] = []
    wrong = write(tmp_path / "data", document, "wrong.json")
    ended = run("train", wrong, "--iterations", "1", "--classes", "disc", cwd=tmp_path)
    assert ended.returncode == 3
    assert ended.stderr.startswith("error: ")
    assert "1 × empty mask (annotation 4)" in ended.stderr
    ended = run("train", "--set", "learn.batch=0", "--set", "nothing=1", data, cwd=tmp_path)
    assert ended.returncode == 2
    assert "learn.batch" in ended.stderr
    assert "one of the keys network, device" in ended.stderr
    ended = run("train", "--set", "augment.zoom=[2.0, 1.0]", data, cwd=tmp_path)
    assert "two numbers above 0, the smaller one first" in ended.stderr


def test_the_page_tells_every_key() -> None:
    table = page(TrainSettings()).removeprefix(INTRODUCTION).strip().replace("\n## ", "\n### ")
    assert table in (ROOT / "docs" / "TRAINING.md").read_text()
