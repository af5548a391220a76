"""One training step after the other, and everything needed to stop and go on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import CheckpointMismatch
from stages.learning.batches import TrainingBatch
from stages.learning.losses import Losses, solov2_losses
from stages.learning.schedule import rate_factor
from stages.networks.solov2.nano import Solov2Nano
from stages.networks.solov2.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to learn. Rates are AdamW's peaks, the schedule scales them."""

    head_rate: float = 1e-3
    """Neck, mask branch and head, which start from nothing."""
    backbone_rate: float = 2e-4
    """Stages 3 and 4 of the backbone, which start from a detector's; the rest stays as it is."""
    weight_decay: float = 0.05
    """Of weights with two or more dimensions."""
    warmup_iterations: int = 200
    clip_norm: float = 10.0
    average: float = 0.998
    """Share of the old in the running average of the weights, which is what is exported."""


class Trainer:
    """A solov2-nano being trained on the CPU or a device. Owned by one thread."""

    def __init__(self, network: Solov2Nano, recipe: Recipe, device: torch.device) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.recipe, self.device = recipe, device
        self.iteration = 0
        self.elapsed_s = 0.0
        _freeze(network)
        self._normalise = Normalise(network.spec, device)
        self._optimizer = torch.optim.AdamW(list(_groups(network, recipe)))
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self._average = {k: v.clone() for k, v in network.state_dict().items()}

    def step(self, batch: TrainingBatch, progress: float) -> Losses:
        """Learn from one batch; ``progress`` (0 to 1) is how much of the training is over."""
        set_training(self.network)
        factor = rate_factor(self.iteration, progress, self.recipe.warmup_iterations)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        losses = solov2_losses(self.network(self._normalise(batch.pixels)), batch.targets)
        self._optimizer.zero_grad(set_to_none=True)
        losses.total().backward()
        trained = [p for group in self._optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(trained, self.recipe.clip_norm)
        self._optimizer.step()
        self.iteration += 1
        self._follow()
        return losses

    def _follow(self) -> None:
        """Move the running average; early on it follows faster."""
        kept = min(self.recipe.average, (1 + self.iteration) / (10 + self.iteration))
        for key, value in self.network.state_dict().items():
            average = self._average[key]
            if average.is_floating_point():
                average.lerp_(value, 1 - kept)
            else:
                average.copy_(value)

    def averaged(self) -> dict[str, Tensor]:
        """Copies of the averaged weights under the network's keys."""
        return {key: value.clone() for key, value in self._average.items()}

    def save(self, path: Path) -> None:
        """Write all that :meth:`resume` needs; a kill meanwhile leaves the file before it."""
        state = {
            "network": self.network.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "iteration": self.iteration,
            "elapsed_s": self.elapsed_s,
        }
        partial = path.with_name(path.name + ".part")
        torch.save(state, partial)
        partial.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote; nothing in the file is executed.

        :raises CheckpointMismatch: when the file is broken or of another network.
        """
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._average = state["average"]
            self.iteration, self.elapsed_s = state["iteration"], state["elapsed_s"]
        except Exception as error:  # reading rubbish stumbles over anything
            raise CheckpointMismatch(
                where=str(path),
                wanted="the state of a training of this network",
                got=" ".join(str(error).split())[:200] or type(error).__name__,
                remedy="Remove the file to start anew, or give another --out.",
            ) from error


class Normalise:
    """(B, H, W, 3) uint8 BGR to the network's (B, 3, H, W) float, channels last in memory."""

    def __init__(self, spec: Spec, device: torch.device) -> None:
        self._device = device
        self._flips = spec.channel_order == "rgb"
        self._mean = torch.tensor(spec.mean, device=device)
        self._std = torch.tensor(spec.std, device=device)

    def __call__(self, pixels_BHW3: Tensor) -> Tensor:
        values = pixels_BHW3.to(self._device, torch.float32)
        if self._flips:
            values = values.flip(-1)
        return ((values - self._mean) / self._std).permute(0, 3, 1, 2)


def set_training(network: Solov2Nano) -> None:
    """Training mode, but with the backbone's batch statistics left as they are."""
    network.train()
    for module in network.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _freeze(network: Solov2Nano) -> None:
    for part in (network.backbone.conv1, network.backbone.stage2):
        part.requires_grad_(False)


def _groups(network: Solov2Nano, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Parameters by learning rate, and by whether they decay."""
    fresh = (network.neck, network.mask_branch, network.head)
    rates = ((recipe.head_rate, fresh), (recipe.backbone_rate, (network.backbone,)))
    for rate, parts in rates:
        trained = [p for part in parts for p in part.parameters() if p.requires_grad]
        for decay, chosen in (
            (recipe.weight_decay, [p for p in trained if p.dim() > 1]),
            (0.0, [p for p in trained if p.dim() <= 1]),
        ):
            yield {"params": chosen, "lr": rate, "weight_decay": decay}
