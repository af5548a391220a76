"""From raw predictions to instances, at a quarter of the canvas. The arithmetic is mmdetection's.

Two ways over the same steps. ``detect_fixed`` keeps every shape whatever is in the picture: nothing
waits for the device and all of it can be captured. ``detect_valid`` computes what is there only:
on a CPU, 500 masks would cost more than the backbone. Scores below zero mark empty places.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..thresholds import Thresholds
from .output import HeadOutput

# B batch · C classes · E kernel channels · S grid side · K candidates · N instances
# G cells of all levels · H W a quarter of the canvas · P its pixels

_EMPTY = -1.0
_ROUNDING = 1e-4  # maskness and decay are at most 1, give or take float32


class Detections(NamedTuple):
    """Instances, best first: ``scores`` (B, N), ``classes`` (B, N), ``soft`` (B, N, H, W) in 0..1.

    Of ``detect_fixed`` every score below zero is an empty place.
    """

    scores: Tensor
    classes: Tensor
    soft: Tensor


class Candidates(NamedTuple):
    """Pairs of class and cell that get a mask."""

    scores: Tensor  # (B, K), best first
    classes: Tensor  # (B, K)
    least_areas: Tensor  # (B, K): a mask must have more pixels
    kernels: Tensor  # (B, K, E)


class Weighed(NamedTuple):
    """Masks, and what they make of the class scores."""

    scores: Tensor  # (B, K), below zero where there is nothing
    classes: Tensor  # (B, K)
    areas: Tensor  # (B, K), px
    inside: Tensor  # (B, K, P), float 0 or 1
    soft: Tensor  # (B, K, P), 0..1


def detect_fixed(output: HeadOutput, strides: Sequence[int], thresholds: Thresholds) -> Detections:
    """Instances of a batch with shapes that depend on the batch's alone: N is max_instances."""
    scores_BCG = cell_scores(output, thresholds)
    candidates = select(scores_BCG, output, strides, thresholds.products)
    weighed = weigh(candidates, output, thresholds)
    return _survivors(weighed, output, thresholds, thresholds.candidates)


def detect_valid(
    output: HeadOutput, strides: Sequence[int], thresholds: Thresholds
) -> list[Detections]:
    """The same instances, a picture at a time (B = 1), computing only the cells that count."""
    return [
        _detect_one(_picture(output, index), strides, thresholds)
        for index in range(len(output.mask_features))
    ]


def _detect_one(output: HeadOutput, strides: Sequence[int], thresholds: Thresholds) -> Detections:
    scores_BCG = cell_scores(output, thresholds)
    eligible = min(int(torch.count_nonzero(scores_BCG)), thresholds.products)
    candidates = select(scores_BCG, output, strides, eligible)
    weighed = weigh(candidates, output, thresholds)
    hopeful = int(torch.count_nonzero(weighed.scores >= _hopeful(thresholds)))
    found = _survivors(weighed, output, thresholds, min(hopeful, thresholds.candidates))
    some = int(torch.count_nonzero(found.scores >= 0))
    return Detections(*(column[:, :some] for column in found))


def points_nms(scores_BCSS: Tensor) -> Tensor:
    """Zero each score that is lower than its left, upper or upper left neighbour's."""
    best = functional.max_pool2d(scores_BCSS, 2, stride=1, padding=1)[..., :-1, :-1]
    return torch.where(scores_BCSS == best, scores_BCSS, 0.0)


def cell_scores(output: HeadOutput, thresholds: Thresholds) -> Tensor:
    """Class scores (B, C, G) float32 after points NMS, zero where nothing can come of a cell.

    A final score is never above its class score, and an instance is only ever suppressed by better
    ones: cells below the filter threshold change nothing that is reported.
    """
    levels = [points_nms(logits.float().sigmoid()).flatten(2) for logits in output.cls_logits]
    scores_BCG = torch.cat(levels, dim=2)
    counts = (scores_BCG > thresholds.score) & (scores_BCG >= _hopeful(thresholds))
    return torch.where(counts, scores_BCG, 0.0)


def _hopeful(thresholds: Thresholds) -> float:
    return max(thresholds.filter, 0.0) * (1 - _ROUNDING)


def select(
    scores_BCG: Tensor, output: HeadOutput, strides: Sequence[int], count: int
) -> Candidates:
    """The ``count`` best pairs of class and cell, with their kernels."""
    cells = scores_BCG.shape[2]
    flat_B = scores_BCG.flatten(1)
    scores_BK, places_BK = flat_B.topk(min(count, flat_B.shape[1]))
    cells_BK = places_BK % cells
    kernels_BGE = torch.cat(
        [level.permute(0, 2, 3, 1).flatten(1, 2) for level in output.kernels], 1
    )
    least_areas_G = torch.cat(
        [
            torch.full((level.shape[2] * level.shape[3],), stride, device=scores_BCG.device)
            for level, stride in zip(output.kernels, strides, strict=True)
        ]
    )
    return Candidates(
        scores_BK, places_BK // cells, least_areas_G[cells_BK], _rows(kernels_BGE, cells_BK)
    )


def weigh(candidates: Candidates, output: HeadOutput, thresholds: Thresholds) -> Weighed:
    """The masks in one product; each score times the mean of the soft values inside its mask."""
    features_BEP = output.mask_features.flatten(2)
    soft_BKP = (candidates.kernels @ features_BEP).float().sigmoid_()
    inside_BKP = torch.gt(soft_BKP, thresholds.mask, out=torch.empty_like(soft_BKP))
    areas_BK = inside_BKP.sum(2)
    maskness_BK = (soft_BKP * inside_BKP).sum(2) / areas_BK.clamp(min=1)
    valid_BK = (candidates.scores > 0) & (areas_BK > candidates.least_areas)
    scores_BK = torch.where(valid_BK, candidates.scores * maskness_BK, _EMPTY)
    return Weighed(scores_BK, candidates.classes, areas_BK, inside_BKP, soft_BKP)


def _survivors(
    weighed: Weighed, output: HeadOutput, thresholds: Thresholds, candidates: int
) -> Detections:
    """What is left of the best ``candidates`` after Matrix NMS; soft masks are copied at last."""
    scores_BK, order_BK = weighed.scores.topk(min(candidates, weighed.scores.shape[1]))
    inside_BKP = _rows(weighed.inside, order_BK)
    classes_BK = weighed.classes.gather(1, order_BK)
    areas_BK = weighed.areas.gather(1, order_BK)
    decayed_BK = scores_BK * matrix_nms(inside_BKP, areas_BK, classes_BK, thresholds)
    kept_BK = (scores_BK >= 0) & (decayed_BK >= max(thresholds.filter, 0.0))
    decayed_BK = torch.where(kept_BK, decayed_BK, _EMPTY)
    scores_BN, best_BN = decayed_BK.topk(min(thresholds.max_instances, decayed_BK.shape[1]))
    soft_BNP = _rows(weighed.soft, order_BK.gather(1, best_BN))
    soft_BNHW = soft_BNP.unflatten(2, output.mask_features.shape[2:])
    return Detections(scores_BN, classes_BK.gather(1, best_BN), soft_BNHW)


def _rows(x_BKP: Tensor, order_BN: Tensor) -> Tensor:
    """The named rows of each picture (B, N, P), copied whole and not value by value."""
    pictures, rows = x_BKP.shape[:2]
    first_B1 = rows * torch.arange(pictures, device=x_BKP.device)[:, None]
    chosen = x_BKP.flatten(0, 1).index_select(0, (first_B1 + order_BN).flatten())
    return chosen.view(*order_BN.shape, x_BKP.shape[2])


def matrix_nms(
    inside_BKP: Tensor, areas_BK: Tensor, classes_BK: Tensor, thresholds: Thresholds
) -> Tensor:
    """The factor (B, K) by which better masks of its class lower each score; sorted, best first.

    ``inside_BKP``: masks of float 0 or 1. With the linear kernel the third of three equal masks
    gets NaN, as in mmdetection.
    """
    shared_BKK = inside_BKP @ inside_BKP.mT
    union_BKK = areas_BK[:, :, None] + areas_BK[:, None, :] - shared_BKK
    same_BKK = classes_BK[:, :, None] == classes_BK[:, None, :]
    iou_BKK = (shared_BKK / union_BKK.clamp(min=1) * same_BKK).triu(diagonal=1)
    if not iou_BKK.numel():
        return areas_BK.float()
    worst_BK = iou_BKK.amax(dim=1)  # of each mask with any better one
    if thresholds.kernel == "linear":
        ratio_BKK = (1 - iou_BKK) / (1 - worst_BK[:, :, None])
    else:
        ratio_BKK = torch.exp(thresholds.sigma * (worst_BK[:, :, None] ** 2 - iou_BKK**2))
    return ratio_BKK.amin(dim=1)


def _picture(output: HeadOutput, index: int) -> HeadOutput:
    one = slice(index, index + 1)
    return HeadOutput(
        tuple(logits[one] for logits in output.cls_logits),
        tuple(kernels[one] for kernels in output.kernels),
        output.mask_features[one],
    )
