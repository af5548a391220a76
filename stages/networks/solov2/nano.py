"""solov2-nano: SOLOv2 for two CPU cores, on a ShuffleNetV2.

What differs from the published networks: three levels instead of five, 64 and 32 channels instead
of 256 and 128, coordinates at all levels of the mask branch (without them people side by side
become one mask), a mask branch that ends at a quarter of the canvas with the backbone's stem, mask
features that may be negative, and classes from a branch with a neck of its own, of NanoDet-m's
shape. Input: BGR, normalised as ``NANO`` says.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from .class_branch import ClassBranch
from .convolutions import coordinates, resize
from .output import HeadOutput
from .shufflenet import STAGE_CHANNELS, STEM_CHANNELS, ShuffleNet
from .spec import Spec

# B batch · F features of the neck · E kernel channels · S grid side of a level
# H W height and width of a level

NANO = Spec(
    name="solov2-nano",
    classes=("person", "shape"),
    grids=(40, 24, 12),
    strides=(8, 16, 32),
    kernel_channels=32,
    long_px=544,
    short_px=320,
    mean=(103.53, 116.28, 123.675),
    std=(57.375, 57.12, 58.395),
    channel_order="bgr",
    scale_ranges=((0.0, 0.15), (0.1, 0.4), (0.3, 3.0)),
    relative_ranges=True,
)
"""``shape`` is every moving thing of the synthetic scenes."""
_WIDTH = 64


def _separable(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_in, 3, padding=1, groups=width_in, bias=False),
        nn.BatchNorm2d(width_in),
        nn.Conv2d(width_in, width_out, 1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(inplace=True),
    )


class LocatedConv2d(nn.Conv2d):
    """A 3x3 convolution that is told where it looks: its last two inputs are coordinates x, y.

    What the coordinates add is the same for all pictures of a size, and is computed apart.
    """

    def forward(  # type: ignore[override]  # it needs to know one size more
        self, x_BFHW: Tensor, level: tuple[int, int]
    ) -> Tensor:
        """``level``: (height, width) of the map that ``x`` was resized from."""
        seen = functional.conv2d(x_BFHW, self.weight[:, :-2], padding=1)
        return seen + self.bearing(_size(x_BFHW), level)

    def bearing(self, size: tuple[int, int], level: tuple[int, int]) -> Tensor:
        """What the coordinates of a ``level`` add when it is resized to ``size``: (1, D, *size)."""
        where = coordinates(self.weight.new_empty(1, 1, *level))
        return functional.conv2d(resize(where, size), self.weight[:, -2:], padding=1)


class LocatedLayer(nn.Sequential):
    """A ``LocatedConv2d``, group norm and a rectifier."""

    def __init__(self, width_in: int, width_out: int) -> None:
        located = LocatedConv2d(width_in + 2, width_out, 3, padding=1, bias=False)
        super().__init__(located, nn.GroupNorm(8, width_out), nn.ReLU(inplace=True))

    def forward(  # type: ignore[override]  # as above
        self, x_BFHW: Tensor, level: tuple[int, int]
    ) -> Tensor:
        located, norm, rectifier = self
        y_BFHW: Tensor = rectifier(norm(located(x_BFHW, level)))
        return y_BFHW


def _dense(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, padding=1, bias=False),
        nn.GroupNorm(8, width_out),
        nn.ReLU(inplace=True),
    )


def _projection(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width_in, width_out, 1, bias=False), nn.BatchNorm2d(width_out))


def _size(x_BFHW: Tensor) -> tuple[int, int]:
    return x_BFHW.shape[-2], x_BFHW.shape[-1]


class NanoNeck(nn.Module):
    """A feature pyramid of separable convolutions at strides 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(_projection(width, _WIDTH) for width in STAGE_CHANNELS)
        self.outputs = nn.ModuleList(_separable(_WIDTH, _WIDTH) for _ in STAGE_CHANNELS)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Stages 2, 3, 4 to as many levels of (B, F, H, W), the finest first."""
        merged = [lateral(level) for lateral, level in zip(self.laterals, levels, strict=True)]
        for finer in range(len(merged) - 2, -1, -1):
            coarse = functional.interpolate(merged[finer + 1], size=_size(merged[finer]))
            merged[finer] += coarse
        return [output(level) for output, level in zip(self.outputs, merged, strict=True)]


class NanoMaskBranch(nn.Module):
    """Mask features at a quarter of the canvas."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(LocatedLayer(_WIDTH, width) for _ in STAGE_CHANNELS)
        self.stem = _projection(STEM_CHANNELS, width)
        self.refine = _separable(width, width)
        self.project = nn.Conv2d(width, width, 1)

    def forward(self, stem_BCHW: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """(B, E, H, W), of the stem's height and width."""
        pairs = zip(self.levels, levels, strict=True)
        finest, *coarser = [branch(level, _size(level)) for branch, level in pairs]
        summed = sum((resize(part, _size(finest)) for part in coarser), start=finest)
        fine = self.stem(stem_BCHW)
        fine += resize(summed, _size(stem_BCHW))
        features: Tensor = self.project(self.refine(functional.relu_(fine)))
        return features


class KernelHead(nn.Module):
    """The kernel tower, shared between the levels."""

    def __init__(self, kernel_channels: int) -> None:
        super().__init__()
        self.kernel_tower = nn.ModuleList((LocatedLayer(_WIDTH, _WIDTH), _dense(_WIDTH, _WIDTH)))
        self.kernel = nn.Conv2d(_WIDTH, kernel_channels, 3, padding=1)

    def forward(self, level_BFHW: Tensor, grid: int) -> Tensor:
        """Kernels (B, E, S, S) of one level."""
        first, second = self.kernel_tower
        cells = resize(level_BFHW, (grid, grid))
        kernels: Tensor = self.kernel(second(first(cells, _size(level_BFHW))))
        return kernels


class Solov2Nano(nn.Module):
    """The whole network, untrained: pictures (B, 3, H, W) as ``spec`` says to a ``HeadOutput``.

    H and W are multiples of 32.
    """

    def __init__(self, spec: Spec = NANO) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = ShuffleNet()
        self.neck = NanoNeck()
        self.mask_branch = NanoMaskBranch(spec.kernel_channels)
        self.head = KernelHead(spec.kernel_channels)
        self.class_branch = ClassBranch(len(spec.classes))
        for part in (self.neck, self.mask_branch, self.head, self.class_branch):
            part.apply(_initialise)
        nn.init.normal_(self.head.kernel.weight, std=0.01)  # masks begin near one half
        self.class_branch.start_quiet()

    def forward(self, x_B3HW: Tensor) -> HeadOutput:
        stem, *stages = self.backbone(x_B3HW)
        levels = self.neck(stages)
        pairs = zip(levels, self.spec.grids, strict=True)
        return HeadOutput(
            cls_logits=self.class_branch(stages, self.spec.grids),
            kernels=tuple(self.head(level, grid) for level, grid in pairs),
            mask_features=self.mask_branch(stem, levels),
        )


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
