"""What the segment stage can run: networks by name, and how each becomes a ``Segmenter``."""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import TYPE_CHECKING, TypeAlias

import torch

from pipeline.errors import ConfigError, Mistake

from .coco_classes import COCO_CLASSES
from .segmenter import Segmenter
from .solov2 import builders
from .solov2.model import Solov2Segmenter
from .solov2.nano import Solov2Nano
from .solov2.network import Solov2
from .solov2.spec import Spec
from .thresholds import Thresholds

if TYPE_CHECKING:
    from .mask_rcnn import MaskRcnn

Network: TypeAlias = "Solov2 | Solov2Nano | MaskRcnn"
"""Every one has a ``spec`` with at least ``name`` and ``classes``."""


def _mask_rcnn_r50(classes: Sequence[str] = COCO_CLASSES) -> "MaskRcnn":
    # torchvision takes as long to import as torch itself, and only this network needs it
    from .mask_rcnn import mask_rcnn_r50  # noqa: PLC0415

    return mask_rcnn_r50(classes)


NETWORKS: dict[str, Callable[..., Network]] = {
    "solov2-nano": builders.solov2_nano,
    "solov2-light-r18": builders.solov2_light_r18,
    "solov2-light-r34": builders.solov2_light_r34,
    "solov2-light-r50": builders.solov2_light_r50,
    "solov2-light-r50-dcn": builders.solov2_light_r50_dcn,
    "solov2-r50": builders.solov2_r50,
    "solov2-r101": builders.solov2_r101,
    "solov2-r101-dcn": builders.solov2_r101_dcn,
    "solov2-x101-dcn": builders.solov2_x101_dcn,
    "mask-rcnn-r50": _mask_rcnn_r50,
}
"""Name → builder of the untrained network; its one argument are the class names."""


def build_network(name: str, classes: Sequence[str] | None = None) -> Network:
    """An untrained network; without ``classes`` for those of its published weights.

    :raises ConfigError: for a name that is not in ``NETWORKS``.
    """
    if name not in NETWORKS:
        raise ConfigError(
            "segment",
            [Mistake("segment.network", f"one of {', '.join(NETWORKS)}", repr(name))],
            "Name one of these, or none to take the network that the weights belong to",
        )
    return NETWORKS[name]() if classes is None else NETWORKS[name](classes)


def published_classes(name: str) -> tuple[str, ...]:
    """The class names of a network of ``NETWORKS`` as it was published."""
    classes: Sequence[str] = signature(NETWORKS[name]).parameters["classes"].default
    return tuple(classes)


def make_segmenter(
    network: Network,
    thresholds: Thresholds,
    *,
    device: torch.device | str = "cpu",
    precision: torch.dtype = torch.float32,
) -> Segmenter:
    """A loaded network with everything before and after it, on ``device``.

    ``precision`` is that of SOLOv2's convolutions; scores and masks are float32 in any case.
    """
    if isinstance(network, Solov2 | Solov2Nano):
        spec: Spec = network.spec  # type: ignore[assignment]  # MaskRcnn's base is untyped
        return Solov2Segmenter(
            network, spec, spec.classes, thresholds, device=device, precision=precision
        )
    from .mask_rcnn import MaskRcnnSegmenter  # noqa: PLC0415  (as above)

    return MaskRcnnSegmenter(network, thresholds, device)
