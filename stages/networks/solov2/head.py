"""The SOLOv2 head: for each cell of each grid, class logits and the kernel of its mask."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .convolutions import ConvGroupNorm, coordinates, resize
from .mask_branch import MaskBranch
from .output import HeadOutput
from .spec import ResNetSpec

# B batch · C channels · E kernel channels · S grid side · H W feature map


class Head(nn.Module):
    """P2..P6 to a ``HeadOutput``. The towers are shared by all levels."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        self.grids = spec.grids
        channels, classes = spec.tower_channels, len(spec.classes)
        self.cls_convs = _tower(spec, spec.fpn_channels)
        self.kernel_convs = _tower(spec, spec.fpn_channels + 2)
        self.conv_cls = nn.Conv2d(channels, classes, 3, padding=1)
        self.conv_kernel = nn.Conv2d(channels, spec.kernel_channels, 3, padding=1)
        self.mask_feature_head = MaskBranch(spec)

    def forward(self, levels: Sequence[Tensor]) -> HeadOutput:
        pairs = [
            self._level(level, grid)
            for level, grid in zip(towards_grids(levels), self.grids, strict=True)
        ]
        masks_BEHW = self.mask_feature_head(levels[: MaskBranch.LEVELS])
        return HeadOutput(tuple(c for c, _ in pairs), tuple(k for _, k in pairs), masks_BEHW)

    def _level(self, x_BCHW: Tensor, grid: int) -> tuple[Tensor, Tensor]:
        # Resizing works channel by channel, so features and coordinates are joined after it.
        x_BCSS = resize(x_BCHW, (grid, grid))
        where_B2SS = resize(coordinates(x_BCHW), (grid, grid))
        kernels_BESS = self.conv_kernel(self.kernel_convs(torch.cat((x_BCSS, where_B2SS), dim=1)))
        return self.conv_cls(self.cls_convs(x_BCSS)), kernels_BESS


def towards_grids(levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """P2..P6 at the head's strides 8, 8, 16, 32, 32: P2 halved, P6 as large as P5."""
    p2, p3, p4, p5, p6 = levels
    h, w = p5.shape[-2:]
    return functional.avg_pool2d(p2, 2), p3, p4, p5, resize(p6, (h, w))


def _tower(spec: ResNetSpec, channels: int) -> nn.Sequential:
    tower = nn.Sequential()
    for index in range(spec.tower_convs):
        last = index == spec.tower_convs - 1
        dcn = spec.deformable_tower == "all" or (spec.deformable_tower == "last" and last)
        tower.append(ConvGroupNorm(channels, spec.tower_channels, deformable=dcn))
        channels = spec.tower_channels
    return tower
