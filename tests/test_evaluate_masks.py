"""The command ``evaluate masks``: networks or results beside the truth, and what it refuses."""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError, StreamError
from pipeline.masks import encode
from stages.evaluation.cli import evaluate_app
from stages.networks.checkpoint import Metadata, save
from stages.networks.solov2.nano import Solov2Nano

SIDE = 20


def rle(x: int, y: int) -> dict[str, object]:
    bits = np.zeros((60, 80), np.bool_)
    bits[y : y + SIDE, x : x + SIDE] = True
    mask = encode(bits)
    counts = mask["counts"]
    assert isinstance(counts, bytes)
    return {"size": [60, 80], "counts": counts.decode()}


def annotation(number: int, image: int, category: int, x: int) -> dict[str, object]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": rle(x, 10),
        "bbox": [x, 10, SIDE, SIDE],
        "area": SIDE * SIDE,
        "iscrowd": 0,
    }


def result(image: int, category: int, x: int, score: float = 0.9) -> dict[str, object]:
    mask = rle(x, 10)
    return {"image_id": image, "category_id": category, "segmentation": mask, "score": score}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pictures: a person (3) and a shape (5) in the first, a person in the second."""
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((60, 80, 3), np.uint8))
    names = enumerate(("a.png", "b.png"), start=1)
    content = {
        "images": [{"id": n, "file_name": name, "width": 80, "height": 60} for n, name in names],
        "categories": [{"id": 3, "name": "person"}, {"id": 5, "name": "shape"}],
        "annotations": [annotation(1, 1, 3, 5), annotation(2, 1, 5, 50), annotation(3, 2, 3, 30)],
    }
    path = tmp_path / "data.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "nano.safetensors"
    said = Metadata(network="solov2-nano", classes=("person", "shape"))
    save(path, Solov2Nano().state_dict(), said)
    return path


def write(path: Path, results: object) -> Path:
    path.write_text(json.dumps(results))
    return path


def evaluate(*arguments: str | Path) -> None:
    evaluate_app(["masks", *map(str, arguments)], standalone_mode=False)


def metrics(out: Path) -> Mapping[str, object]:
    found: Mapping[str, object] = json.loads((out / "metrics.json").read_text())
    return found


def test_results_are_scored_by_class(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [result(1, 3, 5), result(2, 3, 30), result(1, 5, 54)]  # 16 of 24 columns: IoU .67
    results = write(tmp_path / "mine.json", found)
    out = tmp_path / "out"
    evaluate(data, "--results", results, "--out", out)
    got = metrics(out)
    assert got["mask.AP"] == pytest.approx((1 + 0.4) / 2)
    assert got["box.AP50"] == pytest.approx(1)
    assert got["mask.APlarge"] is None
    classes = got["classes"]
    assert isinstance(classes, dict)
    assert classes["person"]["mask.AP"] == pytest.approx(1)
    assert classes["shape"]["mask.AP"] == pytest.approx(0.4)
    assert classes["person"]["instances"] == 2
    assert (out / "precision-recall.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "mine, masks, data.json, 2 pictures" in shown
    assert "person          2  100.0" in shown


def test_results_need_no_pictures(data: Path, tmp_path: Path) -> None:
    for picture in tmp_path.glob("*.png"):
        picture.unlink()
    results = write(tmp_path / "mine.json", [result(1, 3, 5), result(2, 3, 30)])
    evaluate(data, "--results", results, "--classes", "person", "--out", tmp_path / "out")
    assert metrics(tmp_path / "out")["mask.AP"] == pytest.approx(1)
    with pytest.raises(StreamError, match=r"wanted its pictures, such as a\.png"):
        evaluate(data)


def test_a_folder_that_cannot_be_is_refused_at_once(data: Path) -> None:
    with pytest.raises(StreamError, match="wanted a folder that can be written to"):
        evaluate(data, "--out", data)


def test_classes_can_be_chosen(data: Path, tmp_path: Path) -> None:
    results = write(tmp_path / "mine.json", [result(1, 3, 5), result(2, 3, 30)])
    evaluate(data, "--results", results, "--classes", "person,", "--out", tmp_path / "out")
    got = metrics(tmp_path / "out")
    assert got["mask.AP"] == pytest.approx(1)
    assert set(got["classes"]) == {"person"}  # type: ignore[call-overload]  # an object of JSON


def test_networks_are_put_side_by_side_with_their_times(
    data: Path, nano: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(nano.read_bytes())
    networks = f"{nano},{other}"
    evaluate(f"{data}={tmp_path}", "--networks", networks, "--size", "128x96", "--out", tmp_path)
    got = metrics(tmp_path)["networks"]
    assert isinstance(got, dict)
    assert set(got) == {"nano", "other"}
    assert got["nano"]["mask.AP"] == got["other"]["mask.AP"]
    for part in ("frames_per_s", "prepare_ms", "network_ms", "collect_ms"):
        assert got["nano"][f"speed.{part}"] > 0
    shown = capsys.readouterr().out
    assert "frames/s" in shown
    assert "accuracy and speed" in shown


def test_a_scene_is_data_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate("synthetic:crossing?size=320x180&fps=5", "--out", tmp_path)
    assert metrics(tmp_path)["mask.AP50"] == pytest.approx(1)
    assert "one frame in 5" in capsys.readouterr().err
    with pytest.raises(StreamError, match="wanted annotated instances, got none"):
        evaluate("synthetic:empty?size=320x180&fps=1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "dog"], "wanted instances of dog, got only of person, shape"),
        (["--weights", "a", "--networks", "b"], "wanted one of the three, got several"),
        (["--networks", "a,a"], "wanted different names"),
        (["--size", "96"], "wanted long x short side in px"),
        (["--weights", "no-such-thing"], "wanted a file, an address or an alias"),
    ],
)
def test_what_cannot_be_meant_is_refused(data: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(StreamError, match=message):
        evaluate(data, *arguments)


def test_class_lists_that_do_not_match_are_refused(data: Path, nano: Path, tmp_path: Path) -> None:
    content = json.loads(data.read_text())
    content["categories"] = [{"id": 3, "name": "cat"}, {"id": 5, "name": "dog"}]
    write(data, content)
    wanted = r"wanted a class that the networks know \(.*: person, shape\), got cat, dog"
    with pytest.raises(StreamError, match=wanted):
        evaluate(data, "--weights", nano)
    content["categories"] = [{"id": 3, "name": "person"}, {"id": 5, "name": "dog"}]
    write(data, content)
    with pytest.raises(StreamError, match=r"wanted a network that knows dog, got one of person"):
        evaluate(data, "--weights", nano, "--classes", "person,dog")
    evaluate(data, "--weights", nano, "--size", "128x96", "--out", tmp_path)
    assert set(metrics(tmp_path)["classes"]) == {"person"}  # type: ignore[call-overload]


def test_data_without_annotations_is_refused(data: Path, nano: Path) -> None:
    write(data, json.loads(data.read_text()) | {"annotations": []})
    with pytest.raises(StreamError, match="wanted annotated instances, got none"):
        evaluate(data, "--weights", nano)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([result(9, 3, 5), result(8, 3, 5)], "pictures that the data has, got 2 unknown: 8, 9"),
        ([result(1, 4, 5)], "results of categories that the data has, got 1 unknown: 4"),
        ({"a": 1}, "wanted COCO results: a list of image_id"),
        ([{"image_id": 1}], r"got 0\.category_id: Field required"),
        ([result(1, 3, 5) | {"score": "high"}], r"got 0\.score"),
        ([result(1, 3, 5) | {"segmentation": {"size": [6, 8], "counts": ""}}], "picture 1: wanted"),
    ],
)  # fmt: skip
def test_results_that_do_not_belong_are_refused(
    data: Path, tmp_path: Path, results: object, message: str
) -> None:
    with pytest.raises(StreamError, match=message):
        evaluate(data, "--results", write(tmp_path / "mine.json", results))


def test_files_that_are_not_there_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=r"no\.json: wanted a readable file, got No such file"):
        evaluate(data, "--results", tmp_path / "no.json")
    with pytest.raises(StreamError, match="No such file"):
        evaluate(tmp_path / "no.json")
    (tmp_path / "text.json").write_text("{")
    with pytest.raises(StreamError, match="wanted COCO results"):
        evaluate(data, "--results", tmp_path / "text.json")
    with pytest.raises(ConfigError):
        evaluate(data, "--results", tmp_path / "no.json", "--weights", "a")
