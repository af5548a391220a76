"""Weights by name: the ones that lie in the repository and the ones that others have published.

The facts of the published ones are mmdetection's (``configs/solov2``) and torchvision's. The eight
hex digits in a file's name are the first of its SHA-256.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .download import named_hash

_MMDETECTION = "https://download.openmmlab.com/mmdetection/v2.0/solov2"
_BUNDLED = Path(__file__).parents[1] / "networks" / "solov2" / "weights"


@dataclass(frozen=True)
class Published:
    """Weights with a name. ``place`` is a file of the repository or an address on the net."""

    alias: str
    network: str
    place: Path | str
    licence: str
    trained: str
    """Data, schedule and mask AP on COCO's val2017 in %, where somebody measured it."""

    @property
    def sha256_prefix(self) -> str:
        """The first digits of the file's hash, as its name says; empty for bundled ones."""
        return named_hash(self.place) if isinstance(self.place, str) else ""


def _mmdetection(alias: str, network: str, folder: str, stamp: str, trained: str) -> Published:
    address = f"{_MMDETECTION}/{folder}/{folder}_{stamp}.pth"
    return Published(alias, network, address, "Apache-2.0 (mmdetection)", trained)


_ALL: Final = (
    Published(
        "solov2-nano",
        "solov2-nano",
        _BUNDLED / "solov2-nano.safetensors",
        "Apache-2.0, its data as docs/MODEL_CARD.md says",
        "people and synthetic shapes, in this repository",
    ),
    _mmdetection(
        "solov2-light-r18-coco",
        "solov2-light-r18",
        "solov2_light_r18_fpn_3x_coco",
        "20220511_083717-75fa355b",
        "COCO, 36 epochs: 29.7",
    ),
    _mmdetection(
        "solov2-light-r34-coco",
        "solov2-light-r34",
        "solov2_light_r34_fpn_3x_coco",
        "20220511_091839-e51659d3",
        "COCO, 36 epochs: 31.9",
    ),
    _mmdetection(
        "solov2-light-r50-coco",
        "solov2-light-r50",
        "solov2_light_r50_fpn_3x_coco",
        "20220512_165256-c93a6074",
        "COCO, 36 epochs: 33.7",
    ),
    _mmdetection(
        "solov2-r50-1x-coco",
        "solov2-r50",
        "solov2_r50_fpn_1x_coco",
        "20220512_125858-a357fa23",
        "COCO, 12 epochs: 34.8",
    ),
    _mmdetection(
        "solov2-r50-coco",
        "solov2-r50",
        "solov2_r50_fpn_3x_coco",
        "20220512_125856-fed092d4",
        "COCO, 36 epochs: 37.5",
    ),
    _mmdetection(
        "solov2-r101-coco",
        "solov2-r101",
        "solov2_r101_fpn_3x_coco",
        "20220511_095119-c559a076",
        "COCO, 36 epochs: 39.1",
    ),
    _mmdetection(
        "solov2-r101-dcn-coco",
        "solov2-r101-dcn",
        "solov2_r101_dcn_fpn_3x_coco",
        "20220513_214734-16c966cb",
        "COCO, 36 epochs: 41.2",
    ),
    _mmdetection(
        "solov2-x101-dcn-coco",
        "solov2-x101-dcn",
        "solov2_x101_dcn_fpn_3x_coco",
        "20220513_214337-aef41095",
        "COCO, 36 epochs: 42.4",
    ),
    Published(
        "mask-rcnn-r50-coco",
        "mask-rcnn-r50",
        "https://download.pytorch.org/models/maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        "BSD-3-Clause (torchvision)",
        "COCO, 26 epochs: 34.6",
    ),
)

CATALOGUE: Final = {published.alias: published for published in _ALL}
