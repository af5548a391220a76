"""What solov2-nano finds things with: neck, towers and class layers as NanoDet-m has them.

NanoDet-m (https://github.com/RangiLyu/nanodet) is a detector of boxes on the same backbone. Being
of its shape, this part can begin with its weights, which were trained on all of COCO.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .convolutions import resize
from .shufflenet import SLOPE, STAGE_CHANNELS

# B batch · C classes · F features · S grid side of a level · H W height and width of a level

WIDTH = 96
_PRIOR = 0.01


def _separable() -> list[nn.Module]:
    return [
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Conv2d(WIDTH, WIDTH, 1),
        nn.LeakyReLU(SLOPE, inplace=True),
    ]


class ClassBranch(nn.Module):
    """Class logits of every cell, from the backbone's stages.

    Paths from coarse to fine and back (PANet, Liu et al., 2018) without convolutions; then, for
    each level its own, two separable convolutions and the class layer. No normalisation: NanoDet's
    is folded in.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in STAGE_CHANNELS)
        self.towers = nn.ModuleList(
            nn.Sequential(*_separable(), *_separable()) for _ in STAGE_CHANNELS
        )
        self.score = nn.ModuleList(nn.Conv2d(WIDTH, num_classes, 1) for _ in STAGE_CHANNELS)

    def start_quiet(self) -> None:
        """Begin with few objects: a probability of 1 %."""
        for name, values in self.score.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(values, -math.log((1 - _PRIOR) / _PRIOR))
            else:
                nn.init.normal_(values, std=0.01)

    def forward(self, stages: Sequence[Tensor], grids: Sequence[int]) -> tuple[Tensor, ...]:
        """Stages 2, 3, 4 to (B, C, S, S) of as many levels, the finest first."""
        levels = [lateral(stage) for lateral, stage in zip(self.laterals, stages, strict=True)]
        for finer in range(len(levels) - 2, -1, -1):
            size = levels[finer].shape[-2:]
            levels[finer] += resize(levels[finer + 1], (size[0], size[1]))
        for coarser in range(1, len(levels)):
            levels[coarser] += functional.avg_pool2d(levels[coarser - 1], 2)
        parts = zip(levels, self.towers, self.score, grids, strict=True)
        return tuple(
            resize(score(tower(level_BFHW)), (grid, grid))
            for level_BFHW, tower, score, grid in parts
        )
