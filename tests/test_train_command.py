"""``run_stream.py train`` as a user meets it: files that ``run`` takes, resuming, trouble."""

import io
import json
import logging
import signal
import time
from pathlib import Path

import cv2
import pytest
import torch
import typer
from rich.console import Console

from pipeline.config import load
from pipeline.config_page import INTRODUCTION, page
from pipeline.errors import CheckpointMismatch, ConfigError, SourceError, TrainingError
from stages.learning.evaluate import open_segmenter
from stages.learning.training.command import train_app
from stages.learning.training.course import BEST, LAST, STATE
from stages.learning.training.session import train_network
from stages.learning.training.settings import TrainSettings
from stages.networks.checkpoint import load as load_checkpoint
from tests.labelled import CLASSES, content, labelled, quick, write
from tests.program import run, running, wait_for_line
from tests.trained import command_line, same, tensors, trained

ROOT = Path(__file__).parents[1]


def test_what_is_trained_runs_as_it_is_and_has_a_card(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    data, out = labelled(tmp_path / "data", 8), tmp_path / "out"
    terminal = Console(file=io.StringIO(), force_terminal=True, width=160)
    assert train_network(quick(data, out, "learn.iterations=6"), terminal) == out / BEST
    for said in ("8 square, 8 disc", "starts from nothing", "iteration 6:", "7 pictures an epoch"):
        assert said in caplog.text
    assert isinstance(terminal.file, io.StringIO)
    for shown in ("training", "mask loss", "s/it", "0:00:00 left"):
        assert shown in terminal.file.getvalue()
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
    assert open_segmenter(out / BEST).classes == CLASSES  # as run opens it
    told = load_checkpoint(out / BEST).metadata
    assert (told.network, told.classes) == ("solov2-nano", CLASSES)
    assert told.preprocessing is not None
    assert told.notes["seed"] == "0"


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_training_goes_on_to_the_same_result(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = labelled(tmp_path / "data", 8)
    settings = "learn.iterations=8", "save.every_s=0"
    trained(data, tmp_path / "whole", *settings)
    out = tmp_path / "broken"
    given = "save.every_s=0", "workers=1"
    with running(*command_line(data, out, 8, *given), cwd=tmp_path) as process:
        wait_for_line(process, "iteration 5 ")
        workers = children(process.pid)
        assert workers
        process.send_signal(signal.SIGKILL)
        process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.05)  # the test's own limit ends it
    assert (out / STATE).exists()
    assert not (out / LAST).exists()
    caplog.set_level(logging.INFO)
    trained(data, out, *settings)
    assert "going on from iteration" in caplog.text
    assert same(out / LAST, tmp_path / "whole" / LAST)
    assert same(out / BEST, tmp_path / "whole" / BEST)
    measured = [
        json.loads((folder / "card.json").read_text())["record"]["measured"]
        for folder in (out, tmp_path / "whole")
    ]
    assert measured[0] == measured[1]


def test_a_stopped_training_says_so_and_other_settings_are_refused(tmp_path: Path) -> None:
    data, out = labelled(tmp_path / "data"), tmp_path / "out"
    with running(*command_line(data, out, 2000), cwd=tmp_path) as process:
        wait_for_line(process, "iteration 2 ")
        with pytest.raises(TrainingError, match="got another training under way in it"):
            trained(data, out, "learn.iterations=2000")
        process.send_signal(signal.SIGINT)
        assert "the same command goes on" in wait_for_line(process, "stopped at")
        assert process.wait() == 0
    with pytest.raises(CheckpointMismatch, match=r"learn\.batch was 2, is 3.*another --out"):
        trained(data, out, "learn.iterations=2000", "learn.batch=3")
    (out / STATE).write_bytes(b"rubbish")
    with pytest.raises(CheckpointMismatch, match="Remove the file to start anew"):
        trained(data, out, "learn.iterations=2000")


def test_a_training_that_is_over_says_so_and_other_labels_are_another_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, out = labelled(tmp_path / "data"), tmp_path / "out"
    weights = tensors(trained(data, out, "learn.iterations=2"))
    caplog.set_level(logging.INFO)
    again = tensors(trained(data, out, "learn.iterations=2"))
    assert "this training is over" in caplog.text
    assert all(torch.equal(weights[key], again[key]) for key in weights)
    document, _ = content()
    document["annotations"].pop()
    write(tmp_path / "data", document)
    with pytest.raises(CheckpointMismatch, match="other labels: a file of them was changed"):
        trained(data, out, "learn.iterations=3")


def command(*arguments: str) -> None:
    """The command line in this process."""
    train_app(list(arguments), standalone_mode=False)


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    document, _ = content()
    document["annotations"][3]["segmentation"] = []
    wrong = write(tmp_path / "data", document, "wrong.json")
    with pytest.raises(SourceError, match=r"1 × empty mask \(annotation 4\)"):
        command(str(wrong), "--iterations", "1", "--classes", "disc")
    wrongs = ("learn.batch=0", "nothing=1", "augment.zoom=[2.0, 1.0]")
    with pytest.raises(ConfigError, match=r"docs/TRAINING\.md") as told:
        command(str(data), *(word for change in wrongs for word in ("--set", change)))
    for said in ("learn.batch", "one of the keys network, device", "the smaller one first"):
        assert said in str(told.value)
    with pytest.raises(typer.BadParameter, match="say what to learn from"):
        command("--minutes", "1")
    ended = run("train", wrong, "--minutes", "1", cwd=tmp_path)
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"error: {wrong}: wanted data without mistakes")


def test_the_page_tells_every_key_and_its_file_is_right(tmp_path: Path) -> None:
    table = page(TrainSettings()).removeprefix(INTRODUCTION).strip().replace("\n## ", "\n### ")
    text = (ROOT / "docs" / "TRAINING.md").read_text()
    assert table in text
    example = text.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "mine.toml").write_text(example)
    settings = load(TrainSettings, tmp_path / "mine.toml")
    assert settings.learn.minutes == 60
    assert len(settings.data.training) == 2
