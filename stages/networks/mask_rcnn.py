"""torchvision's two-stage network behind the ``Segmenter`` contract.

What it finds has no fixed shape, and its non-maximum suppression waits for the device: it is here
for comparison, and because the contract is not SOLOv2's alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import MaskRCNN  # type: ignore[import-untyped]
from torchvision.models.detection.backbone_utils import (  # type: ignore[import-untyped]
    resnet_fpn_backbone,
)
from torchvision.models.detection.image_list import ImageList  # type: ignore[import-untyped]
from torchvision.ops import FrozenBatchNorm2d  # type: ignore[import-untyped]

from .canvas import lay_out
from .coco_classes import COCO_CATEGORY_IDS, COCO_CLASSES
from .segmenter import Batch, Crop, Found, Placement
from .thresholds import Thresholds

# B batch · C channels · H W canvas · N instances · M side of a predicted mask

_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, kw_only=True)
class MaskRcnnSpec:
    """Name, classes and size of use, as of every network."""

    name: str = "mask-rcnn-r50"
    classes: tuple[str, ...] = COCO_CLASSES
    long_px: int = 1333
    short_px: int = 800
    size_divisor: int = 32

    @property
    def labels(self) -> tuple[int, ...]:
        """The network's output of each class; torchvision's COCO weights have gaps."""
        if self.classes == COCO_CLASSES:
            return COCO_CATEGORY_IDS
        return tuple(range(1, len(self.classes) + 1))


class MaskRcnn(MaskRCNN):  # type: ignore[misc]
    """Mask R-CNN on a ResNet-50 with FPN; the keys are those of torchvision's COCO weights."""

    def __init__(self, spec: MaskRcnnSpec) -> None:
        norm = partial(FrozenBatchNorm2d, eps=0.0)  # as those weights were trained
        backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=norm)
        super().__init__(backbone, num_classes=max(spec.labels) + 1)
        self.spec = spec


def mask_rcnn_r50(classes: Sequence[str] = COCO_CLASSES) -> MaskRcnn:
    """44 M parameters, for 800x1344."""
    return MaskRcnn(MaskRcnnSpec(classes=tuple(classes)))


class MaskRcnnSegmenter:
    """Mask R-CNN as something that segment can run; takes the network for itself.

    Scores are the class scores; ``thresholds.score``, ``filter``, ``mask`` and ``max_instances``
    apply. One thread uses it.
    """

    def __init__(
        self, network: MaskRcnn, thresholds: Thresholds, device: torch.device | str = "cpu"
    ) -> None:
        self.spec: MaskRcnnSpec = network.spec
        self.name, self.classes = self.spec.name, self.spec.classes
        self.thresholds = thresholds
        self._network = network.eval().requires_grad_(False).to(device)
        self._network.roi_heads.score_thresh = max(thresholds.score, thresholds.filter)
        self._network.roi_heads.detections_per_img = thresholds.max_instances
        self._mean_C = torch.tensor(_MEAN, device=device)
        self._std_C = torch.tensor(_STD, device=device)
        self._class_of = torch.full((max(self.spec.labels) + 1,), -1, device=device)
        for index, label in enumerate(self.spec.labels):
            self._class_of[label] = index

    def prepare(
        self, pictures: Sequence[NDArray[np.uint8]], aspects: Sequence[float] | None = None
    ) -> Batch:
        """Resize (OpenCV, bilinear, ratio kept) and pad at the right and below."""
        return lay_out(
            pictures,
            aspects,
            long_px=self.spec.long_px,
            short_px=self.spec.short_px,
            divisor=self.spec.size_divisor,
        )

    @torch.inference_mode()
    def detect(self, pixels: Tensor, placements: Sequence[Placement]) -> Mapping[str, Tensor]:
        """Scores, classes, boxes (resized px) and masks (N, M, M) of each picture."""
        sizes = [placement.resized for placement in placements]
        images = ImageList(self._normalise(pixels, placements), sizes)
        features = self._network.backbone(images.tensors)
        proposals, _ = self._network.rpn(images, features)
        found, _ = self._network.roi_heads(features, proposals, sizes)
        tensors: dict[str, Tensor] = {}
        for index, one in enumerate(found):
            classes = self._class_of[one["labels"]]
            known = classes >= 0
            tensors[f"scores.{index}"] = one["scores"][known]
            tensors[f"classes.{index}"] = classes[known].int()
            tensors[f"boxes.{index}"] = one["boxes"][known]
            tensors[f"masks.{index}"] = one["masks"][known, 0]
        return tensors

    def collect(
        self, tensors: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[Found]:
        """Instances, best first, their masks enlarged to their boxes in the source picture."""
        return [
            self._collect_one(tensors, index, placement)
            for index, placement in enumerate(placements)
        ]

    def _collect_one(
        self, tensors: Mapping[str, Tensor], index: int, placement: Placement
    ) -> Found:
        scores, classes, boxes, masks = (
            tensors[f"{name}.{index}"] for name in ("scores", "classes", "boxes", "masks")
        )
        (height, width), (resized_height, resized_width) = placement.source, placement.resized
        ratios = (width / resized_width, height / resized_height) * 2
        crops = [
            paste(mask, box, placement.source, self.thresholds.mask)
            for mask, box in zip(masks, boxes * torch.tensor(ratios), strict=True)
        ]
        return Found(scores.numpy().copy(), classes.numpy().copy(), crops)

    def _normalise(self, pixels_BHWC: Tensor, placements: Sequence[Placement]) -> Tensor:
        x_BHWC = (pixels_BHWC.flip(3).float() - self._mean_C) / self._std_C
        for picture_HWC, placement in zip(x_BHWC, placements, strict=True):
            picture_HWC[placement.resized[0] :] = 0
            picture_HWC[:, placement.resized[1] :] = 0
        return x_BHWC.permute(0, 3, 1, 2)


def paste(mask_MM: Tensor, box: Tensor, size: tuple[int, int], threshold: float) -> Crop:
    """A soft mask in its box (x0 y0 x1 y1, source px) as bits, cut to a picture of ``size``.

    A border of zeros one mask pixel wide lets the edge fall off outside the box.
    """
    side = mask_MM.shape[0]
    padded = functional.pad(mask_MM, (1, 1, 1, 1))
    center, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * (side + 2) / side
    (x0, y0), (x1, y1) = (center - half).long().tolist(), (center + half).long().tolist()
    target = (max(y1 - y0 + 1, 1), max(x1 - x0 + 1, 1))
    soft = functional.interpolate(padded[None, None], target, mode="bilinear")[0, 0]
    left, top = max(x0, 0), max(y0, 0)
    right, bottom = min(x0 + target[1], size[1]), min(y0 + target[0], size[0])
    bits = (soft > threshold)[top - y0 : max(bottom - y0, 0), left - x0 : max(right - x0, 0)]
    return (left, top, bits.numpy()) if bits.numel() else (0, 0, np.zeros((0, 0), np.bool_))
