"""``run_stream.py train`` as a user meets it: files that ``run`` takes, resuming, trouble."""

import io
import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
import safetensors.torch
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
        process.send_signal(signal.SIGINT)
        assert "the same command goes on" in wait_for_line(process, "stopped at")
        assert process.wait() == 0
    with pytest.raises(CheckpointMismatch, match=r"learn\.batch was 2, is 3.*another --out"):
        trained(data, out, "learn.iterations=2000", "learn.batch=3")
    (out / STATE).write_bytes(b"rubbish")
    with pytest.raises(CheckpointMismatch, match="Remove the file to start anew"):
        trained(data, out, "learn.iterations=2000")


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
    assert (
        "times a training picture could not be decoded"
        in (tmp_path / "skips" / "card.md").read_text()
    )


def test_a_full_disk_stops_or_is_counted(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    small = ("learn.iterations=2", "data.hold_out=0", "watch.events=false")
    whole = tmp_path / "whole"
    best_bytes = trained(data, whole, *small).stat().st_size
    assert (whole / STATE).stat().st_size > 2 * best_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * best_bytes, hard))
    try:
        with pytest.raises(
            TrainingError, match=r"state\.pt: wanted to write .* got File too large. Make room"
        ):
            trained(data, tmp_path / "stops", *small)
        assert same(trained(data, tmp_path / "goes", *small, "save.full_disk=go-on"), whole / BEST)
        assert "1 files could not be written" in (tmp_path / "goes" / "card.md").read_text()
        resource.setrlimit(resource.RLIMIT_FSIZE, (best_bytes // 2, hard))
        for share in ("0", "0.2"):  # without and with pictures to measure on
            out = tmp_path / f"without {share}"
            with pytest.raises(TrainingError, match="to leave the best weights, got no room"):
                trained(data, out, *small, "save.full_disk=go-on", f"data.hold_out={share}")
            assert not {BEST, LAST, STATE} & {path.name for path in out.iterdir()}
            assert "files could not be written" in (out / "card.md").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_cannot_be_is_said_before_anything_is_read(tmp_path: Path) -> None:
    place = labelled(tmp_path / "data")  # a file
    with pytest.raises(TrainingError, match=r"labels\.json: wanted a folder .* --out DIR"):
        trained(tmp_path / "none.json", place)


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


def test_a_corrupt_picture_to_measure_on_stops_or_is_left_out(tmp_path: Path) -> None:
    data, held = labelled(tmp_path / "data"), labelled(tmp_path / "held")
    spoilt = tmp_path / "held" / "4.png"
    spoilt.write_bytes(spoilt.read_bytes()[:60])
    given = ("learn.iterations=1", f"data.validation='{held}'")
    with pytest.raises(SourceError, match=r"held/4\.png.*bytes that cannot be decoded"):
        trained(data, tmp_path / "stops", *given)
    trained(data, tmp_path / "skips", *given, "data.bad_pictures=skip")
    card = json.loads((tmp_path / "skips" / "card.json").read_text())
    assert card["final"]["pictures"] == 5
    assert len(card["left_out"]) == 1
    text = (tmp_path / "skips" / "card.md").read_text()
    assert "1 validation pictures could not be decoded" in text


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
