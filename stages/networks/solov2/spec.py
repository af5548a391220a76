"""The numbers of every SOLOv2: what all have in common, and mmdetection's configurations.

``Spec`` is what pre- and post-processing, targets and losses need to know of a network;
``ResNetSpec`` adds what builds the published ones. The values are those of mmdetection 3's
configurations ``configs/solov2``.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ..coco_classes import COCO_CLASSES

Range = tuple[float, float]
Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One network as seen from outside. Tuples of five (or fewer) are per level, finest first."""

    name: str
    classes: tuple[str, ...] = COCO_CLASSES
    grids: tuple[int, ...] = (40, 36, 24, 16, 12)
    """Cells along each side of a level's grid; it spans the padded canvas."""
    strides: tuple[int, ...] = (8, 8, 16, 32, 32)
    """A mask of a level must have more pixels (at a quarter of the canvas) than its stride."""
    kernel_channels: int
    """Channels of the mask features, and of the 1x1 kernel that each cell predicts."""
    mask_stride: int = 4
    """Canvas pixels per pixel of the mask features."""

    long_px: int
    """Bound of the resized picture's longer side at test time."""
    short_px: int
    """Bound of its shorter side."""
    size_divisor: int = 32
    """The canvas is padded to a multiple of this, px."""
    mean: Triple = (123.675, 116.28, 103.53)
    """Subtracted from 0..255 values, in ``channel_order``."""
    std: Triple = (58.395, 57.12, 57.375)
    channel_order: Literal["rgb", "bgr"] = "rgb"

    scale_ranges: tuple[Range, ...]
    """Training: sqrt(box area) of the objects of each level, both ends inclusive."""
    relative_ranges: bool = False
    """``scale_ranges`` are shares of sqrt(canvas area) instead of px."""
    center_region: float = 0.2
    """Training: side of the region of positive cells, as a share of the box's side."""


@dataclass(frozen=True, kw_only=True)
class ResNetSpec(Spec):
    """A SOLOv2 of mmdetection: ResNet or ResNeXt, FPN, shared towers, mask branch."""

    depth: int
    """Layers of the ResNet: 18, 34, 50 or 101."""
    groups: int = 1
    """Groups of the 3x3 convolutions (ResNeXt)."""
    group_width: int = 64
    """Channels a group at the first stage (ResNeXt: 4)."""
    deformable_backbone: bool = False
    """DCNv2 in the 3x3 convolutions of stages 2 to 4."""
    deformable_tower: Literal["none", "last", "all"] = "none"
    """Which tower convolutions are DCNv2."""
    deformable_masks: bool = False
    """DCNv2 in the whole mask branch, its 1x1 included."""
    fpn_channels: int = 256
    tower_channels: int
    tower_convs: int
    mask_channels: int = 128
    """Channels inside the mask branch."""


_LIGHT_RANGES = ((1, 56), (28, 112), (56, 224), (112, 448), (224, 896))
_LIGHT_DCN_RANGES = ((1, 64), (32, 128), (64, 256), (128, 512), (256, 2048))
_FULL_RANGES = ((1, 96), (48, 192), (96, 384), (192, 768), (384, 2048))

LIGHT_R18 = ResNetSpec(
    name="solov2-light-r18",
    depth=18,
    tower_channels=256,
    tower_convs=2,
    kernel_channels=128,
    long_px=768,
    short_px=448,
    scale_ranges=_LIGHT_RANGES,
)
LIGHT_R34 = replace(LIGHT_R18, name="solov2-light-r34", depth=34)
LIGHT_R50 = replace(LIGHT_R18, name="solov2-light-r50", depth=50)
LIGHT_R50_DCN = replace(
    LIGHT_R50,
    name="solov2-light-r50-dcn",
    tower_convs=3,
    deformable_backbone=True,
    deformable_tower="last",
    scale_ranges=_LIGHT_DCN_RANGES,
)
R50 = ResNetSpec(
    name="solov2-r50",
    depth=50,
    tower_channels=512,
    tower_convs=4,
    kernel_channels=256,
    long_px=1333,
    short_px=800,
    scale_ranges=_FULL_RANGES,
)
R101 = replace(R50, name="solov2-r101", depth=101)
R101_DCN = replace(
    R101,
    name="solov2-r101-dcn",
    deformable_backbone=True,
    deformable_tower="all",
    deformable_masks=True,
)
X101_DCN = replace(R101_DCN, name="solov2-x101-dcn", groups=64, group_width=4)

SPECS = (LIGHT_R18, LIGHT_R34, LIGHT_R50, LIGHT_R50_DCN, R50, R101, R101_DCN, X101_DCN)
