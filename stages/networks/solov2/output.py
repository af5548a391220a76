"""What a SOLOv2 network says of a batch, before any post-processing."""

from typing import NamedTuple

from torch import Tensor

# B batch · C classes · E kernel channels · S grid side of a level · H W a quarter of the canvas


class HeadOutput(NamedTuple):
    """Raw predictions, a level after the other.

    ``cls_logits``: (B, C, S, S) each, before the sigmoid and points NMS. ``kernels``: (B, E, S, S)
    each. ``mask_features``: (B, E, H, W), shared by all levels.
    """

    cls_logits: tuple[Tensor, ...]
    kernels: tuple[Tensor, ...]
    mask_features: Tensor
