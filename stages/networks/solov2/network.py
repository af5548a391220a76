"""SOLOv2 put together: backbone, pyramid, head."""

from torch import Tensor, nn

from .backbone import ResNet
from .fpn import FPN
from .head import Head
from .output import HeadOutput
from .spec import ResNetSpec


class Solov2(nn.Module):
    """Pictures (B, 3, H, W), normalised, sides multiples of 32, to a ``HeadOutput``.

    The keys of its state dict are mmdetection 3's.
    """

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = ResNet(spec)
        self.neck = FPN(self.backbone.channels, spec.fpn_channels)
        self.mask_head = Head(spec)

    def forward(self, x_B3HW: Tensor) -> HeadOutput:
        output: HeadOutput = self.mask_head(self.neck(self.backbone(x_B3HW)))
        return output
