"""COCO instance files: what is read, and what is said when they are wrong."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as rle

from pipeline.errors import SourceError, SourceUnavailable, UnsupportedMedia
from stages.learning.coco import CocoPictures

BOX = np.zeros((20, 30), np.uint8)
BOX[5:15, 10:20] = 1
CROWD = np.zeros((20, 30), np.uint8)
CROWD[:, 25:] = 1


def compressed(mask: np.ndarray[Any, Any]) -> dict[str, Any]:
    encoded = rle.encode(np.asfortranarray(mask))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def uncompressed(mask: np.ndarray[Any, Any]) -> dict[str, Any]:
    flat = mask.flatten(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *runs] if flat[0] else runs}


def content() -> dict[str, Any]:
    polygon = [[9.5, 4.5, 19.5, 4.5, 19.5, 14.5, 9.5, 14.5]]
    return {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 30, "height": 20},
            {"id": 9, "file_name": "sub/b.png", "width": 30, "height": 20},
        ],
        "categories": [
            {"id": 3, "name": "cat"},
            {"id": 5, "name": "person"},
            {"id": 8, "name": "dog"},
        ],
        "annotations": [
            {"image_id": 7, "category_id": 5, "segmentation": compressed(BOX)},
            {"image_id": 7, "category_id": 5, "segmentation": uncompressed(BOX)},
            {"image_id": 7, "category_id": 3, "segmentation": polygon, "iscrowd": 0},
            {"image_id": 7, "category_id": 8, "segmentation": compressed(BOX)},
            {"image_id": 7, "category_id": 5, "segmentation": compressed(CROWD), "iscrowd": 1},
        ],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    picture = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    for name in ("a.png", "sub/b.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    return tmp_path


def write(folder: Path, value: object) -> Path:
    path = folder / "instances.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_every_kind_of_mask_is_read_under_the_networks_class_numbers(folder: Path) -> None:
    sample = CocoPictures(write(folder, content()), folder, ("person", "cat")).sample(0)
    assert sample.classes.tolist() == [0, 0, 1]
    for mask in sample.masks:
        np.testing.assert_array_equal(mask, BOX)


def test_the_picture_is_as_stored(folder: Path) -> None:
    picture = CocoPictures(write(folder, content()), folder, ("person",)).picture(1)
    np.testing.assert_array_equal(picture.ravel(), np.arange(1800).astype(np.uint8))


def test_crowds_are_ignored_not_instances(folder: Path) -> None:
    pictures = CocoPictures(write(folder, content()), folder, ("person",))
    np.testing.assert_array_equal(pictures.sample(0).ignore, CROWD.astype(bool))
    assert [one.is_crowd for one in pictures.annotations(0)] == [False, False, True]


def test_pictures_are_chosen_by_what_they_show(folder: Path) -> None:
    path = write(folder, content())
    assert [i.id for i in CocoPictures(path, folder, ("cat",), choose="with").images] == [7]
    assert [i.id for i in CocoPictures(path, folder, ("cat",), choose="without").images] == [9]
    assert len(CocoPictures(path, folder, ("cat",))) == 2


def test_a_picture_without_annotations_is_an_empty_sample(folder: Path) -> None:
    sample = CocoPictures(write(folder, content()), folder, ("person",)).sample(1)
    assert sample.masks.shape == (0, 20, 30)
    assert not sample.ignore.any()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "Expecting property name"),
        ({"images": []}, "2 mistakes, first annotations: Field required"),
        (
            {**content(), "annotations": [{"image_id": 7, "category_id": 5, "bbox": [1, 2, 3, 4]}]},
            "boxes alone teach no masks",
        ),
        (
            {**content(), "images": [{"id": 1, "file_name": "a", "width": 0, "height": 5}]},
            "0.width",
        ),
    ],
)
def test_a_broken_file_is_named_with_its_mistake(folder: Path, value: object, said: str) -> None:
    with pytest.raises(
        SourceError, match=r"instances\.json: wanted a COCO instance file.*"
    ) as info:
        CocoPictures(write(folder, value), folder, ("person",))
    assert said in str(info.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"none\.json: .* No such file"):
        CocoPictures(tmp_path / "none.json", tmp_path, ("person",))


def test_classes_that_are_not_there_are_said(folder: Path) -> None:
    with pytest.raises(SourceError, match="one of the classes horse, got cat, person, dog"):
        CocoPictures(write(folder, content()), folder, ("horse",))


def test_a_missing_picture_is_named(folder: Path) -> None:
    pictures = CocoPictures(write(folder, content()), folder, ("person",))
    (folder / "a.png").unlink()
    with pytest.raises(SourceUnavailable, match=r"a\.png: .* Give the folder"):
        pictures.sample(0)


def test_a_picture_of_another_size_or_none_is_refused(folder: Path) -> None:
    pictures = CocoPictures(write(folder, content()), folder, ("person",))
    cv2.imwrite(str(folder / "a.png"), np.zeros((10, 30, 3), np.uint8))
    with pytest.raises(UnsupportedMedia, match=r"\[20, 30\] px, got \[10, 30\]"):
        pictures.sample(0)
    (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(UnsupportedMedia, match="bytes that cannot be decoded"):
        pictures.sample(0)


def test_a_jpeg_without_its_end_is_refused(folder: Path) -> None:
    value = content()
    value["images"][0]["file_name"] = "a.jpg"
    pictures = CocoPictures(write(folder, value), folder, ("person",))
    path = folder / "a.jpg"
    cv2.imwrite(str(path), np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3))
    whole = path.read_bytes()
    path.write_bytes(whole[:-60])
    with pytest.raises(UnsupportedMedia, match="bytes that cannot be decoded"):
        pictures.sample(0)
    path.write_bytes(whole + b"what a camera puts behind it")
    assert pictures.sample(0).image.shape == (20, 30, 3)
    path.write_bytes(b"")
    with pytest.raises(UnsupportedMedia, match="bytes that cannot be decoded"):
        CocoPictures(write(folder, value), folder, ("person",)).sample(0)


@pytest.mark.parametrize(
    "segmentation",
    [
        compressed(BOX[:10]),
        {"size": [20, 30]},
        {"size": [20, 30], "counts": "ZZZZZZ~~~"},
        {"size": [20, 30], "counts": [100, 900]},
        {"size": [20, 30], "counts": [100, 200]},
        {"size": [20, 30], "counts": [700, -100]},
        {"size": [20, 30], "counts": [2**62] * 4 + [600]},
        {"size": [20, 30], "counts": [2**70]},
        {"size": [20, 30], "counts": "é"},
        {"size": [20, 30], "counts": None},
        [[1.0, 2.0]],
        [[5.0, 5.0, float("nan"), 5.0, 9.0, 9.0]],
        [[5.0, 5.0, float("inf"), 5.0, 9.0, 9.0]],
        [[5.0, 5.0, -1e12, 5.0, 9.0, 9.0]],
    ],
)
def test_a_broken_mask_is_refused_with_its_picture(folder: Path, segmentation: object) -> None:
    value = content()
    value["annotations"][0]["segmentation"] = segmentation
    with pytest.raises(SourceError, match=r"picture 7: wanted polygons or an RLE"):
        CocoPictures(write(folder, value), folder, ("person",)).sample(0)
