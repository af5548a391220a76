"""The same network, faster: batch norm folded, memory laid out for convolutions, graphs replayed.

Whatever is done here is checked against the plain network before it is used.
"""

import copy
import logging
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .nano import Solov2Nano
from .onednn import has_onednn, use_onednn
from .unshuffled import unshuffle

logger = logging.getLogger("maskstream.networks")

_CHECK_PX = 64
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.03}
_WARM_UPS = 3


def fold_batch_norm(network: nn.Module) -> None:
    """Move every batch norm into the convolution that is registered just before it, in place.

    The network must be in evaluation mode.
    """
    for module in network.modules():
        children = list(module.named_children())
        for (_, conv), (name, norm) in pairwise(children):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold(conv, norm)
                setattr(module, name, nn.Identity())


def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError("a batch norm without statistics cannot be folded")
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight,
        conv.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )


def quicken(
    network: nn.Module, device: torch.device, precision: torch.dtype
) -> tuple[nn.Module, torch.dtype]:
    """A faster copy of ``network`` on ``device`` and the type of its input.

    Where it fails or does not say the same as the plain network, that is logged and the plain one
    returned, which computes in float32.
    """
    plain = copy.deepcopy(network).eval().requires_grad_(False).to(device)
    fast = copy.deepcopy(plain)
    fold_batch_norm(fast)
    if isinstance(fast, Solov2Nano):
        unshuffle(fast)
    fast = fast.to(precision).to(memory_format=torch.channels_last)
    if device.type == "cpu" and has_onednn():
        use_onednn(fast)
    try:
        difference = _largest_difference(plain, fast, device, precision)
    except RuntimeError as error:  # no such operator in this precision
        logger.warning("the fast network fails, the plain one is used: %s", error)
        return plain, torch.float32
    if difference <= _TOLERANCE[precision]:
        return fast, precision
    logger.warning(
        "the fast network differs from the plain one by %.2g of the largest value (%.2g is usual "
        "for %s), the plain one is used",
        difference,
        _TOLERANCE[precision],
        precision,
    )
    return plain, torch.float32


@torch.inference_mode()
def _largest_difference(
    plain: nn.Module, fast: nn.Module, device: torch.device, precision: torch.dtype
) -> float:
    """Of all outputs for one picture of noise, as a share of the plain output's largest value.

    NaN when either output has one.
    """
    noise = torch.randn(1, 3, _CHECK_PX, _CHECK_PX, generator=torch.Generator().manual_seed(0))
    x = noise.to(device).contiguous(memory_format=torch.channels_last)
    wanted, got = plain(x), fast(x.to(precision))
    pairs = zip(_tensors(wanted), _tensors(got), strict=True)
    shares = [(a - b.float()).abs().amax() / a.abs().amax().clamp(min=1) for a, b in pairs]
    return float(torch.stack(shares).amax())  # Python's max would pass over a NaN


def _tensors(output: tuple[tuple[Tensor, ...], tuple[Tensor, ...], Tensor]) -> list[Tensor]:
    logits, kernels, features = output
    return [*logits, *kernels, features]


class Replay:
    """A computation on a CUDA device captured once for one shape of input, then replayed.

    ``compute`` must not wait for the device, and its shapes must depend on the input's alone. The
    results are the caller's own. One thread uses it, on one stream at a time.
    """

    def __init__(self, compute: Callable[[Tensor], Mapping[str, Tensor]], example: Tensor) -> None:
        self._input = example.clone()
        side = torch.cuda.Stream(example.device)
        side.wait_stream(torch.cuda.current_stream(example.device))
        with torch.cuda.stream(side):  # what is allocated or tuned on first use, is so here
            for _ in range(_WARM_UPS):
                compute(self._input)
        torch.cuda.current_stream(example.device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._output = compute(self._input)

    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        self._input.copy_(x)
        self._graph.replay()
        return {name: tensor.clone() for name, tensor in self._output.items()}
