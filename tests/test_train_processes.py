"""Training in two processes, as torchrun starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.errors import TrainingError
from stages.learning.training.course import LAST
from stages.learning.training.ranks import ranks
from tests.labelled import labelled
from tests.program import PROGRAM
from tests.trained import command_line, tensors, trained


def in_two(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The program in two processes."""
    launcher = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
    ]  # fmt: skip
    return subprocess.run(
        [*launcher, PROGRAM, *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """With still batch norms they learn what one learns from batches of twice the size."""
    data = labelled(tmp_path / "data", 8)
    alike = ("start.norms=all", "data.hold_out=0", "augment.scales=[0.2, 0.2]", "learn.average=0")
    ended = in_two(*command_line(data, tmp_path / "two", 3, *alike), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("starts from nothing") == 1
    trained(data, tmp_path / "one", *alike, "learn.iterations=3", "learn.batch=4")
    two, one = tensors(tmp_path / "two" / LAST), tensors(tmp_path / "one" / LAST)
    for key in one:
        torch.testing.assert_close(two[key].float(), one[key].float(), rtol=0.05, atol=2e-3)


def with_a_broken_picture(folder: Path) -> Path:
    """Eight pictures, one without its second half."""
    data, picture = labelled(folder, 8), folder / "4.png"
    picture.write_bytes(picture.read_bytes()[:60])
    return data


def test_two_processes_stop_together(tmp_path: Path) -> None:
    data = with_a_broken_picture(tmp_path / "data")
    alike = ("data.hold_out=0", "augment.paste=0", "learn.batch=1")
    ended = in_two(*command_line(data, tmp_path / "stops", 8, *alike), cwd=tmp_path)
    assert ended.returncode != 0
    assert ended.stderr.count("4.png: wanted a picture") == 1
    assert ended.stderr.count("wanted to go on together with the other processes") == 1
    assert "[rank" not in ended.stderr  # a traceback of a process


def test_two_processes_count_together(tmp_path: Path) -> None:
    data = with_a_broken_picture(tmp_path / "data")
    alike = ("data.hold_out=0", "augment.paste=0", "learn.batch=1", "data.bad_pictures=skip")
    ended = in_two(*command_line(data, tmp_path / "skips", 8, *alike), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    record = json.loads((tmp_path / "skips" / "card.json").read_text())["record"]
    assert record["skips"] == ended.stderr.count("WARNING skipped: ") == 2


def test_a_world_without_addresses_is_refused() -> None:
    told = {"WORLD_SIZE": "2", "RANK": "0"}
    wanted = r"got no LOCAL_RANK, MASTER_ADDR, MASTER_PORT\. Start it with torchrun"
    with pytest.raises(TrainingError, match=wanted), ranks(torch.device("cpu"), told):
        pass
