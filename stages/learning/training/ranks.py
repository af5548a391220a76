"""Several processes that train one network, as torchrun starts them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import TrainingError

from .parts import Trainable

TOLD = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun says to each process, beside how many there are."""


@dataclass(frozen=True)
class Ranks:
    """This process among ``world``; number 0 measures, shows and saves."""

    rank: int = 0
    world: int = 1
    local: int = 0
    """Number on this machine, which is that of its CUDA device."""

    @property
    def leads(self) -> bool:
        """Whether this is number 0."""
        return self.rank == 0

    def total(self, value: float) -> float:
        """The sum of everybody's value."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self._device())
        distributed.all_reduce(shared)
        return float(shared)

    def agreed(self, values: Sequence[float]) -> list[float]:
        """Number 0's values, for all."""
        if self.world == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self._device())
        distributed.broadcast(shared, 0)
        told: list[float] = shared.tolist()
        return told

    def _device(self) -> torch.device:
        """Where this backend can communicate from."""
        if distributed.get_backend() == "nccl":
            return torch.device("cuda", self.local)
        return torch.device("cpu")


@contextmanager
def ranks(device: torch.device, environment: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """The processes that torchrun started, joined; one alone without it.

    :raises TrainingError: another process ended before this one, or they do not know one another.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        yield Ranks()
        return
    if missing := [name for name in TOLD if name not in environment]:
        raise TrainingError(
            where=f"WORLD_SIZE={environment['WORLD_SIZE']}",
            wanted=f"{', '.join(TOLD)} beside it, as torchrun sets them",
            got=f"no {', '.join(missing)}",
            remedy="Start it with torchrun, or unset WORLD_SIZE to train alone.",
        )
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(
            distributed.get_rank(), distributed.get_world_size(), int(environment["LOCAL_RANK"])
        )
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        raise TrainingError(
            where=f"process {distributed.get_rank()}",
            wanted="to go on together with the other processes",
            got="one of them ended",
            remedy="Its own message says why; the same command goes on from the last state.",
        ) from error
    finally:
        distributed.destroy_process_group()


def _is_lost(error: RuntimeError) -> bool:
    """Whether it says that another process cannot be reached; gloo's has no class of its own."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error)


def joined(network: Trainable, among: Ranks) -> Trainable | DistributedDataParallel:
    """The network as it is called in training: gradients are averaged over all processes."""
    return network if among.world == 1 else DistributedDataParallel(network)
