"""One training step after the other, and everything needed to stop and go on."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import TrainingError
from stages.networks.solov2.spec import Spec

from ..batches import TrainingBatch
from ..losses import Losses, Share, positive_cells, solov2_losses
from .parts import freeze, frozen_parts, groups, peak_rates, still_norms
from .ranks import Ranks, joined
from .schedule import rate_factor
from .settings import LearnSettings, StartSettings
from .start import Start

_PRECISIONS = {"float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class StepReport:
    """What one step was like: losses of this process, positive cells of all, the peak rate."""

    class_loss: float
    mask_loss: float
    positive_cells: int
    rate: float


class Trainer:
    """A SOLOv2 being trained on the CPU or a device. Owned by one thread."""

    def __init__(
        self,
        start: Start,
        learn: LearnSettings,
        parts: StartSettings,
        device: torch.device,
        among: Ranks | None = None,
    ) -> None:
        self.network = start.network.to(device).to(memory_format=torch.channels_last)
        self.learn, self.device = learn, device
        self.ranks = among or Ranks()
        self.iteration = 0
        self.elapsed_s = 0.0
        self.frozen = frozen_parts(self.network, parts, start.pretrained)
        freeze(self.network, self.frozen)
        self.rates = peak_rates(self.network, learn, start.whole)
        self._still = still_norms(self.network, parts, self.frozen, start.pretrained)
        self._normalise = Normalise(self.network.spec, device)
        self._optimizer = self._make_optimizer(start.careful)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self._average = {k: v.clone() for k, v in self.network.state_dict().items()}
        self._precision = _PRECISIONS.get(learn.precision)
        self._scaler = torch.amp.GradScaler(device.type, enabled=learn.precision == "float16")
        self._joined = joined(self.network, self.ranks)

    def _make_optimizer(self, careful: tuple[str, ...]) -> torch.optim.Optimizer:
        chosen = list(groups(self.network, self.rates, careful, self.learn))
        if self.learn.optimizer == "sgd":
            return torch.optim.SGD(chosen, momentum=self.learn.momentum)
        return torch.optim.AdamW(chosen)

    def step(self, batches: Sequence[TrainingBatch], progress: float) -> StepReport:
        """Learn from some batches at once; ``progress`` (0 to 1) is how much is over.

        :raises TrainingError: the loss is no number; nothing was learnt from these batches.
        """
        self._set_training()
        rate = self._set_rates(progress)
        classes = len(self.network.spec.classes)
        own = sum(positive_cells(batch.targets, classes) for batch in batches)
        whole = int(self.ranks.total(own))
        share = Share(whole, len(batches) * self.ranks.world)
        self._optimizer.zero_grad(set_to_none=True)
        sums = [0.0, 0.0]
        for number, batch in enumerate(batches):
            losses = self._backward(batch, share, len(batches), number == len(batches) - 1)
            sums = [sums[0] + losses.classes.item(), sums[1] + losses.masks.item()]
        self._descend(batches)
        self.iteration += 1
        self._follow()
        return StepReport(sums[0] / len(batches), sums[1] / len(batches), whole, rate)

    def _set_training(self) -> None:
        """Training mode, but some batch norms keep the statistics that they have."""
        self.network.train()
        for norm in self._still:
            norm.eval()

    def _set_rates(self, progress: float) -> float:
        learn = self.learn
        factor = rate_factor(
            self.iteration, progress, learn.warmup_iterations, learn.schedule, learn.steps
        )
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        return self.rates[0] * factor

    def _backward(self, batch: TrainingBatch, share: Share, batches: int, is_last: bool) -> Losses:
        """Add a batch's gradients; processes exchange them with the last batch of a step only."""
        waiting = isinstance(self._joined, DistributedDataParallel) and not is_last
        with self._joined.no_sync() if waiting else nullcontext():  # type: ignore[operator]
            with torch.autocast(
                self.device.type, self._precision, enabled=self._precision is not None
            ):
                output = self._joined(self._normalise(batch.pixels))
            losses = solov2_losses(output, batch.targets, share)
            total = losses.total()
            if not math.isfinite(total.item()):
                raise self._no_number("a loss", f"{total.item()}", [batch])
            self._scaler.scale(total / batches).backward()
        return losses

    def _descend(self, batches: Sequence[TrainingBatch]) -> None:
        self._scaler.unscale_(self._optimizer)
        trained = [p for group in self._optimizer.param_groups for p in group["params"]]
        norm = float(nn.utils.clip_grad_norm_(trained, self.learn.clip_norm))
        if not math.isfinite(norm) and not self._scaler.is_enabled():
            raise self._no_number("a gradient", f"the length {norm}", batches)
        self._scaler.step(self._optimizer)  # which leaves out what overflowed
        self._scaler.update()

    def _no_number(self, what: str, got: str, batches: Sequence[TrainingBatch]) -> TrainingError:
        names = ", ".join(name for batch in batches for name in batch.names)
        return TrainingError(
            where=f"iteration {self.iteration + 1}",
            wanted=f"{what} that is a number",
            got=f"{got} for {names or 'pictures without names'}",
            remedy="Look at these pictures, or lower learn.rate. The last saved state stays.",
        )

    def _follow(self) -> None:
        """Move the running average; early on it follows faster."""
        kept = min(self.learn.average, (1 + self.iteration) / (10 + self.iteration))
        for key, value in self.network.state_dict().items():
            average = self._average[key]
            if average.is_floating_point():
                average.lerp_(value, 1 - kept)
            else:
                average.copy_(value)

    def averaged(self) -> dict[str, Tensor]:
        """Copies of the averaged weights under the network's keys."""
        return {key: value.clone() for key, value in self._average.items()}

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs, not copied."""
        return {
            "network": self.network.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "iteration": self.iteration,
            "elapsed_s": self.elapsed_s,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state` gave."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self._average = state["average"]
        self.iteration, self.elapsed_s = state["iteration"], state["elapsed_s"]


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
