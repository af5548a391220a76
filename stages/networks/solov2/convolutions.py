"""Convolutions as SOLOv2 uses them: deformable ones, and those with group norm and ReLU."""

import torch
from torch import Tensor, nn
from torch.nn import functional

# B batch · C D channels · H W feature map

GROUPS = 32


class DeformConv2d(nn.Conv2d):
    """Modulated deformable convolution (DCNv2): offsets and a mask are predicted for each tap.

    Of the 3·k·k channels of ``conv_offset`` the first 2·k·k are (dy, dx) a tap, the rest the mask
    before the sigmoid. torchvision, whose import takes as long as torch's own, is loaded only when
    a network has one of these.
    """

    def __init__(
        self, channels: int, out_channels: int, side: int, stride: int = 1, groups: int = 1
    ) -> None:
        padding = side // 2
        super().__init__(channels, out_channels, side, stride, padding, groups=groups, bias=False)
        self.conv_offset = nn.Conv2d(channels, 3 * side * side, side, stride, padding)
        nn.init.zeros_(self.conv_offset.weight)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        from torchvision.ops import (  # type: ignore[import-untyped]  # noqa: PLC0415
            deform_conv2d,
        )

        taps = self.kernel_size[0] * self.kernel_size[1]
        offset, mask = self.conv_offset(x_BCHW).split((2 * taps, taps), dim=1)
        stride, padding = (self.stride[0], self.stride[1]), self.kernel_size[0] // 2
        # in autocast all but the weights are half, which torchvision cannot mix, nor do on a CPU
        x_BCHW, offset, mask = (one.to(self.weight.dtype) for one in (x_BCHW, offset, mask))
        y_BDHW: Tensor = deform_conv2d(
            x_BCHW, offset, self.weight, self.bias, stride, (padding, padding), mask=mask.sigmoid()
        )
        return y_BDHW


def convolution(
    channels: int,
    out_channels: int,
    side: int,
    stride: int = 1,
    *,
    groups: int = 1,
    deformable: bool = False,
) -> nn.Conv2d:
    """A square convolution without bias that keeps the size (up to the stride)."""
    if deformable:
        return DeformConv2d(channels, out_channels, side, stride, groups)
    return nn.Conv2d(channels, out_channels, side, stride, side // 2, groups=groups, bias=False)


class ConvGroupNorm(nn.Module):
    """Convolution, group norm with 32 groups, ReLU: (B, C, H, W) to (B, D, H, W)."""

    def __init__(
        self, channels: int, out_channels: int, side: int = 3, deformable: bool = False
    ) -> None:
        super().__init__()
        self.conv = convolution(channels, out_channels, side, deformable=deformable)
        self.gn = nn.GroupNorm(GROUPS, out_channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.relu_(self.gn(self.conv(x_BCHW)))


def coordinates(like_BCHW: Tensor) -> Tensor:
    """Coordinate channels (B, 2, H, W) for a feature map: x then y, from -1 to 1, both included.

    They are channels_last, so that joining them to such a map does not turn it round.
    """
    b, _, h, w = like_BCHW.shape
    x_W = torch.linspace(-1, 1, w, dtype=like_BCHW.dtype, device=like_BCHW.device)
    y_H = torch.linspace(-1, 1, h, dtype=like_BCHW.dtype, device=like_BCHW.device)
    xy_BHW2 = torch.stack((x_W.expand(b, h, w), y_H[:, None].expand(b, h, w)), dim=3)
    return xy_BHW2.permute(0, 3, 1, 2)


def resize(x_BCHW: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize to (height, width), corners not aligned."""
    if x_BCHW.shape[-2:] == size:
        return x_BCHW
    return functional.interpolate(x_BCHW, size, mode="bilinear", align_corners=False)
