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
    soft: Tensor  # (B, K, P), 0..1


def detect_fixed(output: HeadOutput, strides: Sequence[int], thresholds: Thresholds) -> Detections:
    """Instances of a batch with shapes that depend on the batch's alone: N is max_instances."""
    scores_BCG = cell_scores(output, thresholds)
    candidates = select(scores_BCG, output, strides, thresholds.products)
    weighed = weigh(candidates, output, thresholds)
    return _shaped(_survivors(weighed, thresholds), output)


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
    hopeful_K = weighed.scores[0] >= _hopeful(thresholds)
    weighed = Weighed(*(column[:, hopeful_K] for column in weighed))
    found = _survivors(weighed, thresholds)
    some = int(torch.count_nonzero(found.scores >= 0))
    return _shaped(Weighed(*(column[:, :some] for column in found)), output)


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
    kernels_BEG = torch.cat([kernels.flatten(2) for kernels in output.kernels], dim=2)
    picked = cells_BK[:, None].expand(-1, kernels_BEG.shape[1], -1)
    least_areas_G = torch.cat(
        [
            torch.full((kernels.shape[2] * kernels.shape[3],), stride, device=scores_BCG.device)
            for kernels, stride in zip(output.kernels, strides, strict=True)
        ]
    )
    return Candidates(
        scores_BK, places_BK // cells, least_areas_G[cells_BK], kernels_BEG.gather(2, picked).mT
    )


def weigh(candidates: Candidates, output: HeadOutput, thresholds: Thresholds) -> Weighed:
    """The masks in one product; each score times the mean of the soft values inside its mask."""
    features_BEP = output.mask_features.flatten(2)
    soft_BKP = (candidates.kernels @ features_BEP).float().sigmoid_()
    inside_BKP = soft_BKP > thresholds.mask
    areas_BK = inside_BKP.sum(2)
    maskness_BK = (soft_BKP * inside_BKP).sum(2) / areas_BK.clamp(min=1)
    valid_BK = (candidates.scores > 0) & (areas_BK > candidates.least_areas)
    scores_BK = torch.where(valid_BK, candidates.scores * maskness_BK, _EMPTY)
    return Weighed(scores_BK, candidates.classes, areas_BK, soft_BKP)


def _survivors(weighed: Weighed, thresholds: Thresholds) -> Weighed:
    weighed = _best(weighed, thresholds.candidates)
    inside_BKP = (weighed.soft > thresholds.mask).float()
    decay_BK = matrix_nms(inside_BKP, weighed.areas, weighed.classes, thresholds)
    scores_BK = weighed.scores * decay_BK
    kept_BK = (weighed.scores >= 0) & (scores_BK >= max(thresholds.filter, 0.0))
    scores_BK = torch.where(kept_BK, scores_BK, _EMPTY)
    return _best(weighed._replace(scores=scores_BK), thresholds.max_instances)


def _best(weighed: Weighed, count: int) -> Weighed:
    scores_BK, order_BK = weighed.scores.topk(min(count, weighed.scores.shape[1]))
    pixels = order_BK[:, :, None].expand(-1, -1, weighed.soft.shape[2])
    return Weighed(
        scores_BK,
        weighed.classes.gather(1, order_BK),
        weighed.areas.gather(1, order_BK),
        weighed.soft.gather(1, pixels),
    )


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


def _shaped(found: Weighed, output: HeadOutput) -> Detections:
    soft_BNHW = found.soft.unflatten(2, output.mask_features.shape[2:])
    return Detections(found.scores, found.classes, soft_BNHW)
