"""ResNet and ResNeXt as mmdetection's ``style='pytorch'``: the stride is in the 3x3."""

from torch import Tensor, nn
from torch.nn import functional

from .convolutions import convolution
from .spec import ResNetSpec

# B batch · C D channels · H W feature map

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_DEEP = 50  # from here on blocks are bottlenecks


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (B, C, H, W) to (B, D, H / stride, W / stride)."""

    expansion = 1

    def __init__(
        self, spec: ResNetSpec, channels: int, planes: int, stride: int, dcn: bool
    ) -> None:
        del spec, dcn  # ResNet-18 and -34 have neither groups nor deformable stages
        super().__init__()
        self.conv1 = convolution(channels, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = convolution(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = shortcut(channels, planes, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BDHW = functional.relu_(self.bn1(self.conv1(x_BCHW)))
        y_BDHW = self.bn2(self.conv2(y_BDHW))
        y_BDHW += self.downsample(x_BCHW) if self.downsample else x_BCHW
        return functional.relu_(y_BDHW)


class Bottleneck(nn.Module):
    """1x1, 3x3 (grouped, deformable) and 1x1 to four times ``planes``, with a shortcut."""

    expansion = 4

    def __init__(
        self, spec: ResNetSpec, channels: int, planes: int, stride: int, dcn: bool
    ) -> None:
        super().__init__()
        width = planes * spec.group_width // 64 * spec.groups
        out_channels = planes * self.expansion
        self.conv1 = convolution(channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride, groups=spec.groups, deformable=dcn)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = shortcut(channels, out_channels, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BDHW = functional.relu_(self.bn1(self.conv1(x_BCHW)))
        y_BDHW = functional.relu_(self.bn2(self.conv2(y_BDHW)))
        y_BDHW = self.bn3(self.conv3(y_BDHW))
        y_BDHW += self.downsample(x_BCHW) if self.downsample else x_BCHW
        return functional.relu_(y_BDHW)


def shortcut(channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """The projection of a block whose output has another shape than its input."""
    if stride == 1 and channels == out_channels:
        return None
    return nn.Sequential(
        convolution(channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels)
    )


class ResNet(nn.Module):
    """Pictures (B, 3, H, W), normalised, to C2..C5 with strides 4, 8, 16, 32."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        block = Bottleneck if spec.depth >= _DEEP else BasicBlock
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.channels = tuple(64 * 2**stage * block.expansion for stage in range(4))
        channels = 64
        for stage, blocks in enumerate(_BLOCKS[spec.depth]):
            dcn = spec.deformable_backbone and stage > 0
            layer = nn.Sequential()
            for index in range(blocks):
                stride = 2 if stage and index == 0 else 1
                layer.append(block(spec, channels, 64 * 2**stage, stride, dcn))
                channels = self.channels[stage]
            self.add_module(f"layer{stage + 1}", layer)

    def forward(self, x_B3HW: Tensor) -> tuple[Tensor, ...]:
        x_BCHW = functional.relu_(self.bn1(self.conv1(x_B3HW)))
        x_BCHW = functional.max_pool2d(x_BCHW, 3, 2, 1)
        levels = []
        for stage in range(4):
            x_BCHW = self.get_submodule(f"layer{stage + 1}")(x_BCHW)
            levels.append(x_BCHW)
        return tuple(levels)
