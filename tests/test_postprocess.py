"""Post-processing piece by piece: points NMS, Matrix NMS, candidates, the last enlargement."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from stages.networks.segmenter import Crop, Placement
from stages.networks.solov2.output import HeadOutput
from stages.networks.solov2.postprocess import (
    Detections,
    detect_fixed,
    detect_valid,
    matrix_nms,
    points_nms,
)
from stages.networks.solov2.upsample import Enlargement, enlarge, enlarge_packed, unpack
from stages.networks.thresholds import Thresholds

from .golden import Golden, dense, iou, read_golden, thresholds_of

PREDICTIONS = read_golden("predict_by_feat")
CELLS = 6 * sum(grid * grid for grid in PREDICTIONS.meta["num_grids"])
VARIANTS = dict(PREDICTIONS.meta["variants"])


def predictions() -> HeadOutput:
    arrays, levels = PREDICTIONS.arrays, range(5)
    return HeadOutput(
        tuple(torch.from_numpy(arrays[f"cls{level}"]) for level in levels),
        tuple(torch.from_numpy(arrays[f"kernel{level}"]) for level in levels),
        torch.from_numpy(arrays["mask_feats"]),
    )


def placement(index: int) -> Placement:
    meta = PREDICTIONS.meta["metas"][index]
    return Placement(source=tuple(meta["ori_shape"]), resized=tuple(meta["img_shape"]))


def detect(thresholds: Thresholds, fixed: bool) -> list[Detections]:
    strides = PREDICTIONS.meta["strides"]
    if not fixed:
        return detect_valid(predictions(), strides, thresholds)
    both = detect_fixed(predictions(), strides, thresholds)
    return [Detections(*(column[index : index + 1] for column in both)) for index in range(2)]


def crops_of(
    found: Detections, count: int, place: Placement, threshold: float, fixed: bool
) -> list[Crop]:
    soft = found.soft[0]
    enlargement = Enlargement.of((soft.shape[1], soft.shape[2]), 4, place)
    if not fixed:
        return enlarge(soft[:count], enlargement, threshold)
    rows, columns = enlargement.rows.matrix, enlargement.columns.matrix
    bits, boxes = enlarge_packed(soft, rows, columns, threshold)
    return [unpack(bits[n].numpy(), boxes[n].numpy()) for n in range(count)]


def test_points_nms_looks_left_and_up() -> None:
    golden = read_golden("points_nms")
    for index in range(5):
        scores = torch.from_numpy(golden.arrays[f"scores{index}"])
        assert (points_nms(scores).numpy() == golden.arrays[f"out{index}"]).all()


@pytest.mark.parametrize("fixed", [False, True], ids=["valid", "fixed"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_branch_gives_mmdetections_results(variant: str, fixed: bool) -> None:
    test_cfg = PREDICTIONS.meta["base_test_cfg"] | VARIANTS[variant]
    for index, found in enumerate(detect(thresholds_of(test_cfg, CELLS), fixed)):
        place, arrays, key = placement(index), PREDICTIONS.arrays, f"{variant}.{index}"
        count = int((found.scores >= 0).sum())
        assert count == PREDICTIONS.meta["n"][key]
        assert np.allclose(found.scores[0, :count], arrays[f"{key}.scores"], atol=1e-5)
        assert (found.classes[0, :count].numpy() == arrays[f"{key}.labels"]).all()
        crops = crops_of(found, count, place, test_cfg["mask_thr"], fixed)
        areas = np.array([bits.sum() for _, _, bits in crops], int)
        assert np.abs(areas - arrays[f"{key}.areas"]).max(initial=0) <= 2
        if f"{key}.masks" in arrays:
            wanted = PREDICTIONS.masks(f"{key}.masks", place.source)
            for mask, crop in zip(wanted, crops, strict=True):
                assert iou(dense(crop, place.source), mask) > 0.999


def test_cells_below_the_filter_threshold_change_nothing() -> None:
    sure = Thresholds(score=0.01, filter=0.3, products=CELLS)
    only_sure = replace(sure, score=0.2999)
    pairs = zip(detect(sure, False), detect(only_sure, False), strict=True)
    assert all(torch.equal(a, b) for both in pairs for a, b in zip(*both, strict=True))


def test_fewer_products_lose_the_least_sure_cells() -> None:
    every = detect(Thresholds(filter=0.05, products=CELLS), False)
    some = detect(Thresholds(filter=0.05, products=10), False)
    for all_found, found in zip(every, some, strict=True):
        assert 0 < found.scores.shape[1] <= 10
        assert set(found.scores[0].tolist()) <= set(all_found.scores[0].tolist())


def suppressed(golden: Golden, case: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Scores after Matrix NMS and filter, best first, and the inputs that they belong to."""
    first = case.get("first", len(golden.arrays["scores"]))
    shape = tuple(golden.arrays["mask_shape"].tolist())
    masks = torch.from_numpy(golden.masks("masks", shape)[:first]).flatten(1).float()
    labels = torch.from_numpy(golden.arrays["labels"][:first])
    labels = labels * 0 if case.get("labels") == "zeros" else labels
    areas = masks.sum(1).long() + (7 if "mask_area" in case else 0)
    limit = case["nms_pre"] if case["nms_pre"] > 0 else first
    scores, order = torch.from_numpy(golden.arrays["scores"][:first]).sort(descending=True)
    scores, order = scores[:limit], order[:limit]
    thresholds = Thresholds(kernel=case["kernel"], sigma=case["sigma"])
    decay = matrix_nms(masks[None, order], areas[None, order], labels[None, order], thresholds)[0]
    kept = scores * decay >= max(case["filter_thr"], 0)
    best, places = (scores * decay)[kept].sort(descending=True)
    most = case["max_num"] if case["max_num"] > 0 else first
    return best[:most], order[kept][places][:most]


def test_matrix_nms_is_mmdetections() -> None:
    golden = read_golden("matrix_nms")
    for case in golden.meta["cases"]:
        scores, keep = suppressed(golden, case)
        assert np.allclose(scores, golden.arrays[f"{case['name']}.scores"], atol=1e-6), case
        assert (keep.numpy() == golden.arrays[f"{case['name']}.keep"]).all(), case


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("count", [2, 3])
def test_matrix_nms_of_identical_masks(count: int, kernel: Any) -> None:
    golden = read_golden("matrix_nms").arrays
    square = torch.zeros(8, 8)
    square[2:6, 2:6] = 1
    inside = square.flatten().expand(1, count, -1)
    areas, labels = torch.full((1, count), 16), torch.zeros(1, count)
    decay = matrix_nms(inside, areas, labels, Thresholds(kernel=kernel))[0]
    scores = torch.tensor([0.9, 0.8, 0.7])[:count] * decay
    name = f"identical{count}_{kernel}"
    wanted = np.empty(count, np.float32)
    wanted[golden[f"{name}.keep"]] = golden[f"{name}.scores"]
    assert np.allclose(scores, wanted, atol=1e-6, equal_nan=True)
    assert int((scores >= 0.05).sum()) == len(golden[f"{name}.filtered_keep"])


def blobs(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth soft masks (N, H, W) in 0..1, one of them empty and one full."""
    noise = torch.randn(count, 1, 3, 4, generator=torch.Generator().manual_seed(seed))
    soft = functional.interpolate(4 * noise, (height, width), mode="bicubic").sigmoid()[:, 0]
    soft[0], soft[1] = 0.0, 1.0
    return soft


def in_two_resizes(soft: Tensor, place: Placement, threshold: float) -> NDArray[np.bool_]:
    """mmdetection's last step in the plainest words."""
    height, width = soft.shape[1:]
    large = functional.interpolate(soft[None], (4 * height, 4 * width), mode="bilinear")
    cut = large[:, :, : place.resized[0], : place.resized[1]]
    mask = functional.interpolate(cut, place.source, mode="bilinear")[0] > threshold
    return mask.numpy()


@pytest.mark.parametrize(
    ("source", "resized"),
    [
        ((720, 1280), (432, 768)),
        ((97, 301), (97, 301)),
        ((60, 90), (431, 647)),
        ((333, 500), (447, 672)),
        ((1, 1), (448, 448)),
        ((3, 700), (3, 768)),
        ((11, 2000), (4, 768)),
    ],
)
@pytest.mark.parametrize("threshold", [0.5, 0.4])
def test_enlarging_inside_boxes_equals_two_resizes(
    source: tuple[int, int], resized: tuple[int, int], threshold: float
) -> None:
    place = Placement(source, resized)
    quarter = (-(-resized[0] // 32) * 8, -(-resized[1] // 32) * 8)
    soft = blobs(12, *quarter)
    enlargement = Enlargement.of(quarter, 4, place)
    wanted = in_two_resizes(soft, place, threshold)
    bits, boxes = enlarge_packed(
        soft, enlargement.rows.matrix, enlargement.columns.matrix, threshold
    )
    packed = [unpack(one.numpy(), box.numpy()) for one, box in zip(bits, boxes, strict=True)]
    for index, crop in enumerate(enlarge(soft, enlargement, threshold)):
        differing = np.count_nonzero(dense(crop, source) ^ wanted[index])
        assert differing <= 1e-4 * wanted[index].size
        assert (dense(packed[index], source) ^ dense(crop, source)).sum() <= differing + 2
    y, x = (np.flatnonzero(wanted[2].any(axis)) for axis in (1, 0))
    if y.size:
        assert abs(boxes[2] - torch.tensor([x[0], y[0], x[-1] + 1, y[-1] + 1])).max() <= 1


def test_nothing_to_enlarge() -> None:
    enlargement = Enlargement.of((8, 16), 4, Placement((50, 100), (32, 64)))
    assert enlarge(torch.zeros(0, 8, 16), enlargement, 0.5) == []
    bits, boxes = enlarge_packed(
        torch.zeros(0, 8, 16), enlargement.rows.matrix, enlargement.columns.matrix, 0.5
    )
    assert bits.shape == (0, 50, 13)
    assert boxes.shape == (0, 4)


def test_a_mask_in_the_padding_alone_is_empty() -> None:
    soft = torch.zeros(1, 16, 16)
    soft[:, 12:] = 1.0
    enlargement = Enlargement.of((16, 16), 4, Placement((40, 64), (40, 64)))
    ((x, y, bits),) = enlarge(soft, enlargement, 0.5)
    assert (x, y, bits.shape) == (0, 0, (0, 0))
