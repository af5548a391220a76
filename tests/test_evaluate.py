"""Evaluation: what known findings score, and that the evaluator is quiet."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import CheckpointMismatch
from pipeline.masks import encode
from stages.judging.mask_score import Finding, Scoring, Thing
from stages.learning.coco import Annotation, CocoPictures
from stages.learning.evaluate import (
    Example,
    Spent,
    coco_examples,
    evaluate,
    judge,
    open_segmenter,
    scene_examples,
)
from stages.learning.scenes import scene
from stages.networks.checkpoint import Metadata, save
from stages.networks.segmenter import Batch, Crop, Found, Placement
from stages.networks.solov2.nano import Solov2Nano

Report = tuple[list[float], list[int], list[Crop]]


class Oracle:
    """A segmenter that reports what it was told to, picture after picture."""

    name = "oracle"

    def __init__(self, classes: tuple[str, ...], reports: list[Report]) -> None:
        self.classes = classes
        self._reports = iter(reports)

    def prepare(
        self, pictures: Sequence[NDArray[np.uint8]], aspects: Sequence[float] | None = None
    ) -> Batch:
        del aspects
        sizes = [(picture.shape[0], picture.shape[1]) for picture in pictures]
        pixels = torch.from_numpy(np.stack(pictures))
        return Batch(pixels, tuple(Placement(size, size) for size in sizes))

    def detect(self, pixels: Tensor, placements: Sequence[Placement]) -> Mapping[str, Tensor]:
        assert len(pixels) == len(placements)
        return {"pixels": pixels}

    def collect(
        self, tensors: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[Found]:
        assert len(tensors["pixels"]) == len(placements)
        scores, labels, crops = next(self._reports)
        return [Found(np.array(scores, np.float32), np.array(labels, np.int32), crops)]


def box(x: int, y: int, side: int) -> Crop:
    return x, y, np.ones((side, side), np.bool_)


def truth(label: int, x: int, y: int, side: int, is_crowd: bool = False) -> Annotation:
    mask = np.zeros((60, 80), np.uint8)
    mask[y : y + side, x : x + side] = 1
    return Annotation(label, mask, is_crowd)


def example(*truths: Annotation) -> Example:
    return Example(np.zeros((60, 80, 3), np.uint8), truths)


def test_what_is_found_exactly_scores_one_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    oracle = Oracle(("a", "b"), [([0.9, 0.4], [0, 1], [box(5, 5, 20), box(40, 10, 30)])])
    scores = evaluate(oracle, [example(truth(0, 5, 5, 20), truth(1, 40, 10, 30))])
    assert [(one.name, one.instances) for one in scores] == [("a", 1), ("b", 1)]
    assert [one.ap for one in scores] == pytest.approx([1, 1])
    assert [one.ap50 for one in scores] == pytest.approx([1, 1])
    assert capfd.readouterr() == ("", "")


def test_a_rough_mask_counts_at_the_thresholds_that_it_meets() -> None:
    # 20 x 20 shifted by 4 columns: IoU = 16 / 24 = .67 meets .50 .55 .60 .65 of the ten
    oracle = Oracle(("a",), [([0.9], [0], [box(9, 5, 20)])])
    score = evaluate(oracle, [example(truth(0, 5, 5, 20))])[0]
    assert (score.ap, score.ap50) == pytest.approx((0.4, 1.0))


def test_false_findings_before_true_ones_cost_precision() -> None:
    oracle = Oracle(("a",), [([0.9, 0.8], [0, 0], [box(50, 30, 20), box(5, 5, 20)])])
    score = evaluate(oracle, [example(truth(0, 5, 5, 20))])[0]
    assert score.ap50 == pytest.approx(0.5)


def test_what_lies_in_a_crowd_counts_for_nothing() -> None:
    oracle = Oracle(("a",), [([0.9, 0.8], [0, 0], [box(45, 15, 10), box(5, 5, 20)])])
    picture = example(truth(0, 5, 5, 20), truth(0, 40, 10, 30, is_crowd=True))
    score = evaluate(oracle, [picture])[0]
    assert (score.instances, score.ap) == pytest.approx((1, 1.0))


def test_nothing_found_is_zero_and_nothing_to_find_is_no_number() -> None:
    oracle = Oracle(("a", "b"), [([], [], [])])
    found, absent = evaluate(oracle, [example(truth(0, 5, 5, 20))])
    assert (found.instances, found.ap, found.ap50) == (1, 0.0, 0.0)
    assert absent.instances == 0
    assert np.isnan(absent.ap)


def test_findings_count_in_their_own_picture_only() -> None:
    mask = encode(truth(0, 5, 5, 20).mask.view(np.bool_))
    scoring = Scoring(("a",))
    scoring.add((60, 80), [Thing(0, mask)], [])
    scoring.add((60, 80), [], [Finding(0, mask, 0.9)])
    assert scoring.scores()[0].ap50 == 0


def test_all_classes_sizes_and_boxes_are_scored() -> None:
    # b, found with a hole, has the right box: its box scores 1, its mask IoU is 800 / 900
    x, y, bits = box(40, 10, 30)
    bits[10:20, 10:20] = False
    oracle = Oracle(("a", "b", "c"), [([0.9, 0.4], [0, 1], [box(5, 5, 20), (x, y, bits)])])
    scoring = judge(oracle, [example(truth(0, 5, 5, 20), truth(1, 40, 10, 30))])
    whole = scoring.overall()
    assert (whole.name, whole.instances) == ("all", 2)
    assert whole.box["AP"] == pytest.approx(1)
    assert whole.mask["AP"] == pytest.approx((1 + 0.8) / 2)
    assert whole.mask["APsmall"] == pytest.approx(0.9)
    assert np.isnan(whole.mask["APlarge"])
    assert whole.figures()["mask.AP75"] == pytest.approx(1)
    assert [curve.name for curve in scoring.curves()] == ["a", "b"]
    assert scoring.curves()[0].precision.min() == pytest.approx(1)


def test_the_time_of_each_part_is_taken() -> None:
    oracle = Oracle(("a",), [([], [], [])] * 3)
    spent = Spent()
    judge(oracle, [example()] * 3, spent=spent)
    assert len(spent.seconds) == 3
    assert set(spent.median_ms()) == {"prepare", "network", "collect"}
    assert spent.frames_per_s() > 0
    assert Spent().frames_per_s() == 0


def test_a_coco_file_is_scored_by_its_own_masks(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((60, 80, 3), np.uint8))
    polygon = [[4.5, 4.5, 24.5, 4.5, 24.5, 24.5, 4.5, 24.5]]
    (tmp_path / "a.json").write_text(
        json.dumps(
            {
                "images": [{"id": 0, "file_name": "a.png", "width": 80, "height": 60}],
                "categories": [{"id": 3, "name": "b"}],
                "annotations": [{"image_id": 0, "category_id": 3, "segmentation": polygon}],
            }
        )
    )
    pictures = CocoPictures(tmp_path / "a.json", tmp_path, ("a", "b"))
    oracle = Oracle(("a", "b"), [([0.5], [1], [box(5, 5, 20)])])
    assert evaluate(oracle, coco_examples(pictures))[1].ap == pytest.approx(1)


def test_a_scene_is_scored_by_its_truth() -> None:
    world = scene("demo", 160, 90, 5)
    reports: list[Report] = []
    for index in range(0, world.frames, 10):
        masks = world.render(index)[1].masks
        crops = [
            (int(x), int(y), bits)
            for (x, y), bits in zip(masks.origins.tolist(), masks.crops, strict=True)
        ]
        reports.append(([0.9] * len(crops), [1] * len(crops), crops))
    classes = ("person", "shape")
    scores = evaluate(Oracle(classes, reports), scene_examples(world, classes, every=10))
    assert scores[1].ap == pytest.approx(1)
    assert scores[1].instances > 25
    assert scores[0].instances == 0


def test_weights_are_opened_at_another_size(tmp_path: Path) -> None:
    weights = tmp_path / "nano.safetensors"
    torch.manual_seed(0)
    save(weights, Solov2Nano().state_dict(), Metadata(network="solov2-nano"))
    segmenter = open_segmenter(weights, size=(128, 64))
    assert segmenter.classes == ("person", "shape")
    assert segmenter.prepare([np.zeros((90, 160, 3), np.uint8)]).pixels.shape[1:3] == (64, 128)
    save(tmp_path / "other.safetensors", {"a": torch.zeros(1)}, Metadata())
    with pytest.raises(CheckpointMismatch):
        open_segmenter(tmp_path / "other.safetensors")
