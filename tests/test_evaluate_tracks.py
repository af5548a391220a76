"""The command ``evaluate tracks``: its tables, its file, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigError, SourceError, StreamError
from pipeline.masks import encode
from stages.evaluation.cli import evaluate_app
from stages.evaluation.tracks import class_names
from stages.judging.mots import Line, Seen


def seen(identity: int, x: int, category: int = 1) -> Seen:
    bits = np.zeros((60, 160), np.bool_)
    bits[20:40, x : x + 20] = True
    return Seen(identity, category, encode(bits))


def write(folder: Path, name: str, frames: list[list[Seen]]) -> None:
    folder.mkdir(exist_ok=True)
    lines = [str(Line(n, one)) for n, there in enumerate(frames) for one in there]
    (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def evaluate(*arguments: str | Path) -> None:
    evaluate_app(["tracks", *map(str, arguments)], standalone_mode=False)


def scene() -> list[list[Seen]]:
    return [[seen(1001, 4 * n), seen(2001, 120, 2)] for n in range(10)]


def detections(path: Path, name: str = "a") -> None:
    rows = []
    for n, there in enumerate(scene()):
        dets = []
        for one in there:
            counts = one.mask["counts"]
            assert isinstance(counts, bytes)
            dets.append({"rle": counts.decode(), "score": 0.9, "class": one.category})
        row = {"seq": name, "frame": n, "time_s": n / 10, "size": [60, 160], "dets": dets}
        rows.append(json.dumps(row) + "\n")
    path.write_text("".join(rows))


def test_what_is_right_scores_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("truth", "results"):
        write(tmp_path / folder, "a", scene())
    out = tmp_path / "out"
    evaluate("--ground-truth", tmp_path / "truth", "--results", tmp_path / "results", "--out", out)
    metrics = json.loads((out / "metrics.json").read_text())
    for figure in ("HOTA", "DetA", "AssA", "IDF1", "sMOTSA", "MOTSA"):
        assert metrics[f"track.{figure}"] == pytest.approx(1)
    assert metrics["track.IDSW"] == 0
    assert set(metrics["classes"]) == {"car", "pedestrian"}
    assert metrics["sequences"]["a"]["track.HOTA"] == pytest.approx(1)
    shown = capsys.readouterr().out
    assert "HOTA" in shown
    assert "pedestrian         100.0" in shown


def test_a_switch_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "truth", "a", scene())
    switched = [[seen(1001 + n // 5, 4 * n), seen(2001, 120, 2)] for n in range(10)]
    write(tmp_path / "results", "a", switched)
    out = tmp_path / "out"
    evaluate(
        *("--ground-truth", tmp_path / "truth", "--results", tmp_path / "results"),
        *("--classes", "van=1", "--out", out),
    )
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["track.IDSW"] == metrics["classes"]["van"]["track.IDSW"] == 1


def test_a_frame_number_may_be_large(tmp_path: Path) -> None:
    """As of who numbers frames by the clock: what is between costs nothing."""
    late = [(900_000_000 + n, one) for n, there in enumerate(scene()) for one in there]
    for folder in ("truth", "results"):
        (tmp_path / folder).mkdir()
        text = "".join(f"{Line(frame, one)}\n" for frame, one in late)
        (tmp_path / folder / "a.txt").write_text(text)
    out = tmp_path / "out"
    evaluate("--ground-truth", tmp_path / "truth", "--results", tmp_path / "results", "--out", out)
    assert json.loads((out / "metrics.json").read_text())["track.HOTA"] == pytest.approx(1)


def test_detections_are_tracked_first_and_can_be_tuned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "truth", "a", scene())
    detections(tmp_path / "a.jsonl")
    given = ("--ground-truth", tmp_path / "truth", "--detections", tmp_path / "a.jsonl")
    evaluate(*given)
    assert "car" in (shown := capsys.readouterr().out)
    assert "100.0" in shown
    evaluate(*given, "--set", "track.start_score=0.95")
    assert "100.0" not in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"track\.lost_s: wanted .* got -1"):
        evaluate(*given, "--set", "track.lost_s=-1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "wanted one of the two, got both or none"),
        (["--results", "r", "--detections", "d"], "wanted one of the two, got both or none"),
        (["--results", "r", "--set", "track.lost_s=1"], "wanted --detections with it"),
        (["--results", "r", "--classes", "car"], "wanted names and numbers such as car=1,person=2"),
        (["--results", "no"], "no such folder"),
        (["--detections", "no"], "wanted a file of detections"),
        (
            ["--results", "truth", "--classes", "bus=3"],
            "annotations of bus=3, got the classes 1, 2",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    write(tmp_path / "truth", "a", scene())
    given = [str(tmp_path / a) if a in ("r", "d", "no", "truth") else a for a in arguments]
    with pytest.raises(StreamError, match=message):
        evaluate("--ground-truth", tmp_path / "truth", *given)


def test_a_truth_without_annotations_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "truth", "a", [[]])
    with pytest.raises(SourceError, match="wanted annotations, got none"):
        evaluate("--ground-truth", tmp_path / "truth", "--results", tmp_path / "truth")


def test_detections_of_an_unknown_sequence_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "truth", "a", scene())
    detections(tmp_path / "d.jsonl", "b")
    with pytest.raises(SourceError, match="detections of the sequences a, got of b too"):
        evaluate("--ground-truth", tmp_path / "truth", "--detections", tmp_path / "d.jsonl")


def test_a_folder_that_cannot_be_made_is_named_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StreamError, match="wanted a folder that can be written to, got File exists"
    ):
        evaluate(
            "--ground-truth", tmp_path / "no", "--results", tmp_path, "--out", tmp_path / "file"
        )


def test_names_of_numbers() -> None:
    assert class_names("car=1, person=2") == {1: "car", 2: "person"}
    assert class_names(None) is None
    for wrong in ("car", "=1", "car=x", "a=1,b=1", "sky=10"):
        with pytest.raises(ConfigError):
            class_names(wrong)
