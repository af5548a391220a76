"""Mask AP of what was found, by pycocotools' COCOeval: not by arithmetic of ours."""

import io
import math
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.masks import RLE, Masks, encode
from stages.networks.segmenter import Crop

from .coco import Annotation


@dataclass(frozen=True)
class ClassScore:
    """``ap``: mean over IoU .50 to .95, ``ap50``: at .50; 0 to 1, nan without ``instances``."""

    name: str
    instances: int
    ap: float
    ap50: float


class Scoring:
    """Collects truth and findings picture by picture, and scores them at the end."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._images: list[dict[str, Any]] = []
        self._truths: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []

    def add(
        self,
        size: tuple[int, int],
        truths: Sequence[Annotation],
        scores: Sequence[float],
        labels: Sequence[int],
        crops: Sequence[Crop],
    ) -> None:
        """One picture of ``size`` (height, width); the last three: what was found in it."""
        image = len(self._images) + 1
        self._images.append({"id": image, "height": size[0], "width": size[1]})
        for truth in truths:
            mask = encode(truth.mask.view(np.bool_))
            self._truths.append(_entry(self._truths, image, truth.label, mask, truth.is_crowd))
        masks = Masks.from_crops(*size, crops)
        for row, (score, label) in enumerate(zip(scores, labels, strict=True)):
            entry = _entry(self._found, image, int(label), masks.to_coco(row), False)
            self._found.append(entry | {"score": float(score)})

    def scores(self) -> list[ClassScore]:
        """A score a class, in the classes' order. Nothing is printed.

        ``sys.stdout`` is replaced meanwhile: no other thread should print.
        """
        with redirect_stdout(io.StringIO()):
            truth, found = self._dataset(self._truths), self._dataset(self._found)
            return [self._score(truth, found, label) for label in range(len(self._classes))]

    def _dataset(self, annotations: list[dict[str, Any]]) -> COCO:
        dataset = COCO()
        categories = [{"id": n + 1, "name": name} for n, name in enumerate(self._classes)]
        dataset.dataset = {
            "images": self._images,
            "categories": categories,
            "annotations": annotations,
        }
        dataset.createIndex()
        return dataset

    def _score(self, truth: COCO, found: COCO, label: int) -> ClassScore:
        name = self._classes[label]
        mine = [one for one in self._truths if one["category_id"] == label + 1]
        instances = sum(not one["iscrowd"] for one in mine)
        if not instances:
            return ClassScore(name, 0, math.nan, math.nan)
        evaluator = COCOeval(truth, found, "segm")
        evaluator.params.catIds = [label + 1]
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
        return ClassScore(name, instances, float(evaluator.stats[0]), float(evaluator.stats[1]))


def _entry(
    before: Sequence[object], image: int, label: int, mask: RLE, is_crowd: bool
) -> dict[str, Any]:
    """An annotation of a COCO file; numbered from 1, as COCOeval takes 0 for unmatched."""
    return {
        "id": len(before) + 1,
        "image_id": image,
        "category_id": label + 1,
        "segmentation": mask,
        "area": float(rle.area(mask)),
        "bbox": rle.toBbox(mask).tolist(),
        "iscrowd": int(is_crowd),
    }
