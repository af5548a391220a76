"""ShuffleNetV2 1.0x with leaky rectifiers: the backbone of solov2-nano.

Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design", 2018. The
names of the parameters are those of torchvision's variant, so that its kind of checkpoint loads.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

# B batch · C channels · H W a level's height and width

STEM_CHANNELS = 24
STAGE_CHANNELS = (116, 232, 464)
"""Channels of stage 2, 3 and 4, at strides 8, 16 and 32."""
SLOPE = 0.1


def _pointwise(width_in: int, width_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(width_in, width_out, 1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.LeakyReLU(SLOPE, inplace=True),
    ]


def _depthwise(width: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False),
        nn.BatchNorm2d(width),
    ]


class ShuffleUnit(nn.Module):
    """Half of the channels pass (or, at stride 2, are halved in size), half are worked on."""

    def __init__(self, width_in: int, width_out: int, stride: int) -> None:
        super().__init__()
        half = width_out // 2
        self.halves_size = stride == 2
        work_in = width_in if self.halves_size else half
        self.branch1 = nn.Sequential(
            *((*_depthwise(width_in, 2), *_pointwise(width_in, half)) if self.halves_size else ())
        )
        self.branch2 = nn.Sequential(
            *_pointwise(work_in, half), *_depthwise(half, stride), *_pointwise(half, half)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H ÷ stride, W ÷ stride)."""
        if self.halves_size:
            return _interleave(self.branch1(x_BCHW), self.branch2(x_BCHW))
        kept, worked = x_BCHW.chunk(2, dim=1)
        return _interleave(kept, self.branch2(worked))


def _interleave(left_BCHW: Tensor, right_BCHW: Tensor) -> Tensor:
    """Channels of the two in turn, l0 r0 l1 r1 …: the shuffle in groups of two."""
    return functional.channel_shuffle(torch.cat((left_BCHW, right_BCHW), dim=1), 2)


class ShuffleNet(nn.Module):
    """The stages without the classifier. Input: BGR, normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, STEM_CHANNELS, 3, 2, 1, bias=False),
            nn.BatchNorm2d(STEM_CHANNELS),
            nn.LeakyReLU(SLOPE, inplace=True),
        )
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stage2 = _stage(STEM_CHANNELS, STAGE_CHANNELS[0], units=4)
        self.stage3 = _stage(STAGE_CHANNELS[0], STAGE_CHANNELS[1], units=8)
        self.stage4 = _stage(STAGE_CHANNELS[1], STAGE_CHANNELS[2], units=4)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, 3, H, W) to the stem and stages 2, 3, 4, at strides 4, 8, 16 and 32."""
        stem = self.maxpool(self.conv1(x_BCHW))
        c3 = self.stage2(stem)
        c4 = self.stage3(c3)
        return stem, c3, c4, self.stage4(c4)


def _stage(width_in: int, width_out: int, units: int) -> nn.Sequential:
    return nn.Sequential(
        ShuffleUnit(width_in, width_out, 2),
        *(ShuffleUnit(width_out, width_out, 1) for _ in range(units - 1)),
    )
