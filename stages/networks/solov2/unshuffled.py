"""ShuffleNetV2 for use, without its shuffles: the same numbers, a third of the copying.

A unit hands half of its channels on untouched and mixes the order. Both are bookkeeping: who reads
a channel can as well look for it where it lies. So here the untouched halves stay where they were
made, a unit gathers only the half that it works on, and the first convolution of each reader has
its weights in the order in which the channels come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .nano import Solov2Nano
from .shufflenet import ShuffleNet, ShuffleUnit

# B batch · C channels · H W a level's height and width

Place = tuple[int, int]
"""A channel: which tensor of the stage made so far, and its number in there."""


@dataclass(frozen=True)
class Gathering:
    """Runs of channels (tensor, first, one past the last) that are joined, and the order so made.

    ``order``: for each channel of the join, which of the wanted ones it is.
    """

    runs: tuple[tuple[int, int, int], ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, wanted: Sequence[Place]) -> "Gathering":
        """Of ``wanted`` channels, each tensor's in a row."""
        order = sorted(range(len(wanted)), key=lambda index: wanted[index])
        runs: list[tuple[int, int, int]] = []
        for tensor, channel in sorted(wanted):
            if runs and runs[-1][0] == tensor and runs[-1][2] == channel:
                runs[-1] = (tensor, runs[-1][1], channel + 1)
            else:
                runs.append((tensor, channel, channel + 1))
        return cls(tuple(runs), tuple(order))

    def join(self, made: Sequence[Tensor]) -> Tensor:
        """(B, C, H, W) of the runs."""
        parts = [made[tensor][:, first:end] for tensor, first, end in self.runs]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class UnshuffledStage(nn.Module):
    """A stage of a ShuffleNet, whose units it takes over.

    ``order``: for each channel of the input, which one of the shuffled network's it is. The output
    has its channels in ``self.order``.
    """

    def __init__(self, stage: nn.Sequential, order: Sequence[int]) -> None:
        super().__init__()
        first, *others = (unit for unit in stage if isinstance(unit, ShuffleUnit))
        for branch in (first.branch1, first.branch2):
            _reorder_inputs(branch, order)
        self.branches = nn.ModuleList((first.branch1, first.branch2))
        half = len(_convolutions(first.branch2)[-1].weight)
        channels = _shuffled([(0, index) for index in range(half)], made=1)
        self._gatherings = []
        for made, unit in enumerate(others, start=2):
            gathering = Gathering.of(channels[half:])
            _reorder_inputs(unit.branch2, gathering.order)
            self.branches.append(unit.branch2)
            self._gatherings.append(gathering)
            channels = _shuffled(channels[:half], made)
        self._result = Gathering.of(channels)
        self.order = self._result.order

    def forward(self, x_BCHW: Tensor) -> Tensor:
        left, right, *others = self.branches
        made = [left(x_BCHW), right(x_BCHW)]
        for branch, gathering in zip(others, self._gatherings, strict=True):
            made.append(branch(gathering.join(made)))
        return self._result.join(made)


class UnshuffledNet(nn.Module):
    """A ``ShuffleNet`` with folded norms, taken over; the stages' channels are in ``orders``."""

    def __init__(self, shuffled: ShuffleNet) -> None:
        super().__init__()
        self.conv1 = shuffled.conv1
        self.stages = nn.ModuleList()
        self.orders: list[Sequence[int]] = []
        order: Sequence[int] = range(len(_convolutions(shuffled.conv1)[-1].weight))
        for stage in (shuffled.stage2, shuffled.stage3, shuffled.stage4):
            unshuffled = UnshuffledStage(stage, order)
            order = unshuffled.order
            self.stages.append(unshuffled)
            self.orders.append(order)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        """As ``ShuffleNet``, but for the order of channels."""
        levels = [_max_pool(self.conv1(x_BCHW))]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return levels


def _max_pool(x_BCHW: Tensor) -> Tensor:
    """``max_pool2d(x, 3, 2, 1)`` for even sides, rows first: twice as fast as torch's on a CPU.

    torch's also writes the place of each maximum, which takes twice the memory of the result.
    """
    rows = torch.maximum(x_BCHW[:, :, 0::2], x_BCHW[:, :, 1::2])
    torch.maximum(rows[:, :, 1:], x_BCHW[:, :, 1:-1:2], out=rows[:, :, 1:])
    pooled = torch.maximum(rows[..., 0::2], rows[..., 1::2])
    torch.maximum(pooled[..., 1:], rows[..., 1:-1:2], out=pooled[..., 1:])
    return pooled


def unshuffle(network: Solov2Nano) -> None:
    """Replace the backbone in place. Its batch norms must have been folded."""
    backbone = UnshuffledNet(network.backbone)
    for reader in (network.neck, network.class_branch):
        for lateral, order in zip(reader.laterals, backbone.orders, strict=True):
            _reorder_inputs(lateral, order)
    network.add_module("backbone", backbone)


def _shuffled(kept: Sequence[Place], made: int) -> list[Place]:
    """Kept and new channels in turn: the order that the shuffle would give them."""
    return [place for index, old in enumerate(kept) for place in (old, (made, index))]


def _convolutions(branch: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in branch.modules() if isinstance(layer, nn.Conv2d)]


def _reorder_inputs(branch: nn.Module, order: Sequence[int]) -> None:
    """Let the first convolutions of ``branch`` take input channels in ``order``.

    A depthwise one hands the order on, and so the next has to take it as well.
    """
    chosen = list(order)
    for conv in _convolutions(branch):
        if conv.groups == 1:
            conv.weight = nn.Parameter(conv.weight[:, chosen], requires_grad=False)
            return
        conv.weight = nn.Parameter(conv.weight[chosen], requires_grad=False)
        if conv.bias is not None:
            conv.bias = nn.Parameter(conv.bias[chosen], requires_grad=False)
