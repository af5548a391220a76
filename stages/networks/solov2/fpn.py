"""Feature pyramid: what the deep levels know, carried down to the fine ones."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

# B batch · C D channels · H W feature map


class _Convolution(nn.Module):
    def __init__(self, channels: int, out_channels: int, side: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, side, padding=side // 2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BDHW: Tensor = self.conv(x_BCHW)
        return y_BDHW


class FPN(nn.Module):
    """C2..C5 to P2..P6, all of ``out_channels``; P6 is every second pixel of P5."""

    def __init__(self, channels: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(_Convolution(c, out_channels, 1) for c in channels)
        self.fpn_convs = nn.ModuleList(
            _Convolution(out_channels, out_channels, 3) for _ in channels
        )

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        sums = [conv(level) for conv, level in zip(self.lateral_convs, levels, strict=True)]
        for fine in range(len(sums) - 2, -1, -1):
            size = sums[fine].shape[-2:]
            sums[fine] = sums[fine] + functional.interpolate(sums[fine + 1], size, mode="nearest")
        outs = [conv(level) for conv, level in zip(self.fpn_convs, sums, strict=True)]
        return (*outs, outs[-1][:, :, ::2, ::2])
