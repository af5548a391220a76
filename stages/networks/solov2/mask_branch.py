"""The mask branch: P2..P5 made into one map at a quarter of the canvas."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .convolutions import ConvGroupNorm, coordinates, resize
from .spec import ResNetSpec

# B batch · C channels · E kernel channels · H W feature map


class _Climb(nn.Module):
    """One level brought up to the finest: a convolution and a doubling for each octave."""

    def __init__(self, channels: int, out_channels: int, octaves: int, deformable: bool) -> None:
        super().__init__()
        self.octaves = octaves
        for step in range(max(octaves, 1)):
            conv = ConvGroupNorm(channels, out_channels, deformable=deformable)
            self.add_module(f"conv{step}", conv)
            channels = out_channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        for step, conv in enumerate(self.children()):
            x_BCHW = conv(x_BCHW)
            if step < self.octaves:
                h, w = x_BCHW.shape[-2:]
                x_BCHW = resize(x_BCHW, (2 * h, 2 * w))
        return x_BCHW


class MaskBranch(nn.Module):
    """P2..P5 to mask features (B, E, H, W), never negative. Only P5 is told where it is."""

    LEVELS = 4

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        inner, dcn = spec.mask_channels, spec.deformable_masks
        deepest = self.LEVELS - 1
        self.convs_all_levels = nn.ModuleList(
            _Climb(spec.fpn_channels + 2 * (octaves == deepest), inner, octaves, dcn)
            for octaves in range(self.LEVELS)
        )
        self.conv_pred = ConvGroupNorm(inner, spec.kernel_channels, 1, deformable=dcn)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        *finer, deepest = levels
        inputs = [*finer, torch.cat((deepest, coordinates(deepest)), dim=1)]
        climbs = zip(self.convs_all_levels, inputs, strict=True)
        sum_BCHW = sum(climb(level) for climb, level in climbs)
        features_BEHW: Tensor = self.conv_pred(sum_BCHW)
        return features_BEHW
