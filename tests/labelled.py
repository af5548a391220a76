"""Small labelled pictures: bright squares and dark discs on noise, as COCO files."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as rle

from pipeline.config import load
from stages.learning.training.settings import TrainSettings

SIZE = (80, 96)
"""Height and width, px."""
CLASSES = ("square", "disc")


def content(count: int = 6, seed: int = 0) -> tuple[dict[str, Any], list[np.ndarray[Any, Any]]]:
    """A COCO document with a square and a disc in each picture, and the pictures."""
    rng = np.random.default_rng(seed)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    pictures = []
    for number in range(1, count + 1):
        picture = rng.integers(60, 140, (*SIZE, 3), np.uint8)
        x, y = int(rng.integers(4, 20)), int(rng.integers(4, 24))
        square, disc = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
        square[y : y + 36, x : x + 32] = 1
        cv2.circle(disc, (int(rng.integers(66, 76)), int(rng.integers(24, 54))), 16, 1, -1)
        picture[square > 0], picture[disc > 0] = 230, 15
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": SIZE[1], "height": SIZE[0]}
        )
        for category, mask in enumerate((square, disc), start=1):
            encoded = rle.encode(np.asfortranarray(mask))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "segmentation": {**encoded, "counts": encoded["counts"].decode()},
                    "bbox": list(map(float, cv2.boundingRect(mask))),
                    "iscrowd": 0,
                }
            )
        pictures.append(picture)
    categories = [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}, pictures


def write(folder: Path, document: dict[str, Any], name: str = "labels.json") -> Path:
    """Write a document; its path."""
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def labelled(folder: Path, count: int = 6, seed: int = 0) -> Path:
    """Make a folder with pictures and ``labels.json``; the path of the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    document, pictures = content(count, seed)
    for image, picture in zip(document["images"], pictures, strict=True):
        cv2.imwrite(str(folder / image["file_name"]), picture)
    return write(folder, document)


QUICK = (
    "threads=1",
    "workers=0",
    "device=cpu",
    "start.weights=none",
    "augment.scales=[0.2, 0.25]",
    "learn.batch=2",
    "learn.warmup_iterations=2",
    "watch.line_every=1",
)
"""Settings of a training that takes a moment."""


def quick(data: Path, out: Path, *changes: str) -> TrainSettings:
    """Settings for a training of a few steps on small canvases."""
    given = (*QUICK, f"data.training=['{data}']", f"save.folder='{out}'", *changes)
    return load(TrainSettings, None, given)
