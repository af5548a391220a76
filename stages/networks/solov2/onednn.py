"""Convolutions by oneDNN on a CPU, with what follows them."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from .nano import LocatedConv2d

# B batch · C D F channels · H W feature map

_SIZES = 64  # sizes of maps whose coordinates are kept


class OneDnnConv2d(nn.Module):
    """A convolution that always takes oneDNN's way, its weights laid out for it once.

    torch sends small ones, and with one thread the pointwise ones too, to a way without oneDNN that
    took half of the small network's time; and it lays out the weights anew at each call. The
    rectifier behind a convolution is computed with it.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = conv.weight, conv.bias
        self._padding = [int(side) for side in conv.padding]
        self._shape = (conv.stride, conv.dilation, conv.groups)
        self._rectifier: tuple[str, list[float], str] = ("none", [], "")
        self._packed: Tensor | None = None
        self._packed_for = 0

    def rectify(self, rectifier: nn.ReLU | nn.LeakyReLU) -> None:
        """Apply ``rectifier`` to the result."""
        slope = getattr(rectifier, "negative_slope", None)
        self._rectifier = ("relu", [], "") if slope is None else ("leaky_relu", [slope], "")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if (
            x_BCHW.numel() > self._packed_for
        ):  # the layout that suits a large input suits small ones
            self._packed_for = x_BCHW.numel()
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, self._padding, *self._shape, list(x_BCHW.shape)
            )
        y_BDHW: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x_BCHW, self._packed, self.bias, self._padding, *self._shape, *self._rectifier
        )
        return y_BDHW


class OneDnnLocated(nn.Module):
    """A ``LocatedConv2d`` by oneDNN that keeps what the coordinates add."""

    def __init__(self, conv: LocatedConv2d) -> None:
        super().__init__()
        plain = nn.Conv2d(conv.in_channels - 2, conv.out_channels, 3, padding=1, bias=False)
        plain.weight = nn.Parameter(conv.weight[:, :-2], requires_grad=False)
        self._look = OneDnnConv2d(plain)
        self._bearing = lru_cache(maxsize=_SIZES)(conv.bearing)

    def forward(self, x_BFHW: Tensor, level: tuple[int, int]) -> Tensor:
        seen: Tensor = self._look(x_BFHW)
        return seen.add_(self._bearing((x_BFHW.shape[2], x_BFHW.shape[3]), level))


def has_onednn() -> bool:
    """If this torch has oneDNN, and the two operators of it that are no promise of torch's."""
    names = ("_reorder_convolution_weight", "_convolution_pointwise")
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name) for name in names
    )


def use_onednn(network: nn.Module) -> None:
    """Replace every plain convolution by a ``OneDnnConv2d``, with the rectifier behind it."""
    for name, child in list(network.named_children()):
        if type(child) is nn.Conv2d:
            setattr(network, name, OneDnnConv2d(child))
            continue
        if isinstance(child, LocatedConv2d):
            setattr(network, name, OneDnnLocated(child))
            continue
        use_onednn(child)
        if type(child) is nn.Sequential:
            setattr(network, name, _rectified(child))


def _rectified(layers: nn.Sequential) -> nn.Sequential:
    kept: list[nn.Module] = []
    for layer in layers:
        before = kept[-1] if kept else None
        if isinstance(before, OneDnnConv2d) and isinstance(layer, nn.ReLU | nn.LeakyReLU):
            before.rectify(layer)
        elif not isinstance(layer, nn.Identity):
            kept.append(layer)
    return nn.Sequential(*kept)
