"""AP and AR of masks and of boxes, by pycocotools' COCOeval: not by arithmetic of ours."""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.masks import RLE

Kind = Literal["mask", "box"]
KINDS: tuple[Kind, ...] = ("mask", "box")
FIGURES = (
    *("AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge"),
    *("AR1", "AR10", "AR100", "ARsmall", "ARmedium", "ARlarge"),
)
"""In the order of COCOeval's ``stats``. Small: under 32² px, large: from 96² px on."""
EVERY_CLASS = "all"
"""The name of the score of all classes together."""


@dataclass(frozen=True)
class Thing:
    """What is to be found: index of its class, its mask at the picture's size, or a crowd's."""

    label: int
    mask: RLE
    is_crowd: bool = False


@dataclass(frozen=True)
class Finding:
    """What was found: index of its class, its mask at the picture's size, 0 to 1."""

    label: int
    mask: RLE
    score: float


@dataclass(frozen=True)
class ClassScore:
    """``mask`` and ``box``: each of ``FIGURES``, 0 to 1; nan where there was nothing to find."""

    name: str
    instances: int
    mask: Mapping[str, float]
    box: Mapping[str, float]

    @property
    def ap(self) -> float:
        """Mask AP: the mean over IoU .50 to .95."""
        return self.mask["AP"]

    @property
    def ap50(self) -> float:
        """Mask AP at IoU .50."""
        return self.mask["AP50"]

    def figures(self) -> dict[str, float]:
        """All of them: ``mask.AP``, ``mask.AP50`` … ``box.ARlarge``."""
        return {f"{kind}.{name}": getattr(self, kind)[name] for kind in KINDS for name in FIGURES}


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision (101,) at recalls 0, .01 … 1 of one class, masks at ``iou``."""

    name: str
    iou: float
    precision: NDArray[np.float64]


class Scoring:
    """Collects truth and findings picture by picture, and scores them at the end."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._images: list[dict[str, Any]] = []
        self._truths: list[dict[str, Any]] = []
        self._found: list[dict[str, Any]] = []
        self._evaluated: dict[Kind, COCOeval] = {}

    def add(self, size: tuple[int, int], truths: Iterable[Thing], found: Iterable[Finding]) -> None:
        """One picture of ``size`` (height, width), what is in it and what was found."""
        self._evaluated.clear()
        image = len(self._images) + 1
        self._images.append({"id": image, "height": size[0], "width": size[1]})
        for truth in truths:
            entry = _entry(self._truths, image, truth.label, truth.mask)
            self._truths.append(entry | {"iscrowd": int(truth.is_crowd)})
        for finding in found:
            entry = _entry(self._found, image, finding.label, finding.mask)
            self._found.append(entry | {"score": finding.score})

    def scores(self) -> list[ClassScore]:
        """A score a class, in the classes' order. Nothing is printed.

        ``sys.stdout`` is replaced meanwhile: no other thread should print.
        """
        return [self._score(slice(k, k + 1), name) for k, name in enumerate(self._classes)]

    def overall(self) -> ClassScore:
        """All classes together: the mean over those with something to find."""
        return self._score(slice(None), EVERY_CLASS)

    def curves(self, iou: float = 0.5) -> list[Curve]:
        """The precision-recall curve of each class that has something to find."""
        evaluator = self._evaluator("mask")
        at = int(np.argmin(np.abs(evaluator.params.iouThrs - iou)))
        precision = evaluator.eval["precision"][at, :, :, 0, -1]
        return [
            Curve(name, iou, precision[:, k])
            for k, name in enumerate(self._classes)
            if precision[:, k].min(initial=0) >= 0
        ]

    def _evaluator(self, kind: Kind) -> COCOeval:
        if kind not in self._evaluated:
            with redirect_stdout(io.StringIO()):
                truth, found = self._dataset(self._truths), self._dataset(self._found)
                evaluator = COCOeval(truth, found, {"mask": "segm", "box": "bbox"}[kind])
                evaluator.evaluate()
                evaluator.accumulate()
            self._evaluated[kind] = evaluator
        return self._evaluated[kind]

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

    def _score(self, classes: slice, name: str) -> ClassScore:
        chosen = set(range(1, len(self._classes) + 1)[classes])
        instances = sum(one["category_id"] in chosen and not one["iscrowd"] for one in self._truths)
        mask, box = (self._figures(kind, classes, instances) for kind in KINDS)
        return ClassScore(name, instances, mask, box)

    def _figures(self, kind: Kind, classes: slice, instances: int) -> dict[str, float]:
        if not instances:
            return dict.fromkeys(FIGURES, math.nan)
        evaluator = self._evaluator(kind)
        whole = evaluator.eval
        evaluator.eval = whole | {
            "precision": whole["precision"][:, :, classes],
            "recall": whole["recall"][:, classes],
        }
        with redirect_stdout(io.StringIO()):
            evaluator.summarize()
        evaluator.eval = whole
        stats = (float(value) for value in evaluator.stats)
        return {name: math.nan if v < 0 else v for name, v in zip(FIGURES, stats, strict=True)}


def _entry(before: Sequence[object], image: int, label: int, mask: RLE) -> dict[str, Any]:
    """An annotation of a COCO file; numbered from 1, as COCOeval takes 0 for unmatched."""
    return {
        "id": len(before) + 1,
        "image_id": image,
        "category_id": label + 1,
        "segmentation": mask,
        "area": float(rle.area(mask)),
        "bbox": rle.toBbox(mask).tolist(),
        "iscrowd": 0,
    }
