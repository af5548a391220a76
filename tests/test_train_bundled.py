"""The recipe of the bundled weights: its own pictures, the trainer of everybody."""

import json
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.learning.bundled import main
from stages.networks.checkpoint import load


def coco_folder(folder: Path) -> None:
    """Two pictures of 96x80 px with a person each, and one without."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    box = [[30.0, 5.0, 60.0, 5.0, 60.0, 75.0, 30.0, 75.0]]
    images = [{"id": n, "file_name": f"{n}.png", "width": 96, "height": 80} for n in (1, 2, 3)]
    for image in images:
        cv2.imwrite(
            str(folder / str(image["file_name"])), rng.integers(0, 255, (80, 96, 3), np.uint8)
        )
    people = [{"image_id": n, "category_id": 1, "segmentation": box} for n in (1, 2)]
    categories = [{"id": 1, "name": "person"}]
    content = {"images": images, "annotations": people, "categories": categories}
    (folder / "train.json").write_text(json.dumps(content))


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_the_recipe_trains_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("coco_mini", "pennfudan", "ccp_person"):
        coco_folder(tmp_path / "media" / name)
    changes = ("learn.batch=2", "workers=0", "threads=1", "device=cpu")
    options = [word for change in changes for word in ("--set", change)]
    place = ("--media", tmp_path / "media", "--out", tmp_path / "out")
    assert command(*place, *options, "--iterations", 1) == 0
    caplog.set_level(logging.INFO)
    assert command(*place, *options, "--iterations", 2) == 0
    assert "going on from iteration 1" in caplog.text
    metadata = load(tmp_path / "out" / "best.safetensors").metadata
    assert metadata.classes == ("person", "shape")
    assert metadata.notes["frozen"] == "backbone.conv1, backbone.stage2"


def test_what_is_missing_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--media", tmp_path, "--out", tmp_path) == 2
    assert "--minutes" in capsys.readouterr().err
    assert command("--media", tmp_path, "--out", tmp_path, "--iterations", 1) == 3
    assert "annotation file" in capsys.readouterr().err
