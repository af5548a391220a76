"""SOLOv2's losses: focal on the classes of all cells, dice on the masks of positive ones."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from stages.learning.targets import PictureTargets
from stages.networks.solov2.output import HeadOutput

# B batch · C classes · E kernel channels · G cells of all levels together · S grid side
# N objects · K positive cells of a picture · P pixels of the mask features

_MASK_WEIGHT = 3.0
_GAMMA, _ALPHA = 2.0, 0.25
_EPSILON = 1e-3


class Losses(NamedTuple):
    """Scalars with gradients, and how many cells were positive."""

    classes: Tensor
    masks: Tensor
    positive_cells: int

    def total(self) -> Tensor:
        """What to minimise."""
        return self.classes + self.masks


class Share(NamedTuple):
    """What a batch is a part of, when gradients of ``parts`` batches are averaged afterwards."""

    positive_cells: int
    """Of all the parts together."""
    parts: int


def positive_cells(targets: Sequence[PictureTargets], classes: int) -> int:
    """Cells that shall say one of the classes; a cell of two objects counts once."""
    return int(sum((level.labels < classes).sum() for t in targets for level in t.levels))


def solov2_losses(
    output: HeadOutput, targets: Sequence[PictureTargets], share: Share | None = None
) -> Losses:
    """Losses of a batch, normalised as mmdetection does it.

    Dice: 3 × its sum over all targets ÷ positive cells, a cell of two objects counted once. Focal:
    summed over cells and classes ÷ (positive cells + 1); ignored cells are left out, and classes
    that are unlabelled in a picture, except where they are. With ``share`` the divisors are those
    of the whole, so that the mean over its parts is what one large batch would have given.
    """
    logits_BGC = _cells_last(output.cls_logits).float()
    background = logits_BGC.shape[-1]
    device = logits_BGC.device
    labels_BG = torch.from_numpy(_flat(targets, "labels")).to(device)
    counted_BG = torch.from_numpy(~_flat(targets, "ignored")).to(device)
    known_BC = torch.from_numpy(_known(targets, background)).to(device)
    known_BGC = known_BC[:, None].expand_as(logits_BGC)
    positive = positive_cells(targets, background)
    whole, parts = share or Share(positive, 1)
    focal = focal_loss(logits_BGC[counted_BG], labels_BG[counted_BG], known_BGC[counted_BG])
    kernels_BGE = _cells_last(output.kernels).float()
    pairs = zip(kernels_BGE, output.mask_features.float(), targets, strict=True)
    dice = [_picture_dice(kernels, features, target) for kernels, features, target in pairs]
    masks = torch.stack(dice).sum() * (_MASK_WEIGHT * parts / max(whole, 1))
    return Losses(focal * parts / (whole + 1), masks, positive)


def focal_loss(logits_MC: Tensor, labels_M: Tensor, known_MC: Tensor | None = None) -> Tensor:
    """Sum of the sigmoid focal loss; label C means none of the classes.

    ``known_MC``: where a 0 of the truth counts; a 1 always does.
    """
    truth_MC = one_hot(labels_M, logits_MC.shape[1] + 1)[:, :-1].to(logits_MC.dtype)
    chance_MC = logits_MC.sigmoid()
    wrong_MC = chance_MC + truth_MC - 2 * chance_MC * truth_MC
    weight_MC = (1 - _ALPHA + (2 * _ALPHA - 1) * truth_MC) * wrong_MC**_GAMMA
    if known_MC is not None:
        weight_MC = weight_MC * (known_MC | (truth_MC > 0))
    entropy_MC = binary_cross_entropy_with_logits(logits_MC, truth_MC, reduction="none")
    return (weight_MC * entropy_MC).sum()


def dice_loss(soft_KP: Tensor, truth_KP: Tensor) -> Tensor:
    """1 − the dice coefficient with squares below, (K,)."""
    shared_K = (soft_KP * truth_KP).sum(1)
    own_K = soft_KP.square().sum(1) + _EPSILON + truth_KP.square().sum(1) + _EPSILON
    return 1 - 2 * shared_K / own_K


def _picture_dice(kernels_GE: Tensor, features_EHW: Tensor, target: PictureTargets) -> Tensor:
    """Summed dice losses of one picture's positive cells."""
    grids = [level.labels.size for level in target.levels]
    starts = np.concatenate(([0], np.cumsum(grids)[:-1]))
    cells = np.concatenate([s + x.cells for s, x in zip(starts, target.levels, strict=True)])
    if len(cells) == 0:
        # a gradient of zero, so that every parameter has one
        return features_EHW.sum() * 0 + kernels_GE.sum() * 0
    objects = np.concatenate([level.objects for level in target.levels])
    device = kernels_GE.device
    truth_NP = torch.from_numpy(target.masks).to(device).flatten(1).to(kernels_GE.dtype)
    soft_KP = (kernels_GE[torch.from_numpy(cells).to(device)] @ features_EHW.flatten(1)).sigmoid()
    return dice_loss(soft_KP, truth_NP[torch.from_numpy(objects).to(device)]).sum()


def _cells_last(levels: Sequence[Tensor]) -> Tensor:
    """(B, C, S, S) of every level to (B, G, C)."""
    return torch.cat([level.flatten(2) for level in levels], dim=2).transpose(1, 2)


def _flat(targets: Sequence[PictureTargets], column: str) -> NDArray[Any]:
    return np.stack(
        [np.concatenate([getattr(level, column).ravel() for level in t.levels]) for t in targets]
    )


def _known(targets: Sequence[PictureTargets], classes: int) -> NDArray[np.bool_]:
    known = np.ones((len(targets), classes), np.bool_)
    for row, target in zip(known, targets, strict=True):
        row[list(target.unlabelled)] = False
    return known
