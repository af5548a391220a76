"""Where the network runs: a Lane carries a batch to the device, computes, and carries it back.

On CUDA a lane is three streams (copy in, compute, copy out) joined by events, and a ring of slots
with pinned buffers that are allocated once and only grow. On the CPU the same surface computes at
once. One thread owns a lane.
"""

import os
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import torch
from torch import Tensor

from .errors import DeviceError

Compute = Callable[[Tensor], Mapping[str, Tensor]]
DeviceName = Literal["auto", "cpu", "cuda"]

SLOTS = 3
"""One batch being filled, one computing, one being read."""


class Flight(Protocol):
    """A batch under way."""

    def finish(self) -> Mapping[str, Tensor]:
        """Wait for this batch only; host tensors, valid until ``SLOTS - 1`` further launches."""
        ...


class Lane(Protocol):
    """The way to a device and back. ``overlaps``: launching returns before the work is done."""

    device: torch.device
    overlaps: bool

    def launch(self, pixels: Tensor, compute: Compute) -> Flight:
        """Queue copy-in of ``pixels`` (host), ``compute`` on the device, and copy-out."""
        ...


def open_lane(name: DeviceName) -> Lane:
    """A lane to the named device; ``auto`` takes CUDA when there is one.

    :raises DeviceError: when CUDA was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            where="--device cuda",
            wanted="a CUDA device",
            got=f"none that torch {torch.__version__} can use",
            remedy="Check the driver with nvidia-smi, or run with --device cpu",
        )
    return CudaLane() if available and name != "cpu" else CpuLane()


def usable_cores() -> int:
    """CPU cores that this process may run on, where the system tells; else those of the machine."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Landed:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors

    def finish(self) -> Mapping[str, Tensor]:
        return self._tensors


class CpuLane:
    """The CPU as a lane: nothing to copy, nothing to wait for."""

    overlaps = False

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    def launch(self, pixels: Tensor, compute: Compute) -> Flight:
        with torch.inference_mode():
            return _Landed(compute(pixels))


class _Buffer:
    """Bytes that are handed out as tensors of any shape; grows, never shrinks."""

    def __init__(self, device: torch.device, pinned: bool) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8, device=device)
        self._pinned = pinned

    def like(self, tensor: Tensor) -> Tensor:
        """A tensor of that shape and type in these bytes; it ends the life of the one before."""
        size_bytes = tensor.numel() * tensor.element_size()
        if self._bytes.numel() < size_bytes:
            self._bytes = torch.empty(
                size_bytes, dtype=torch.uint8, device=self._bytes.device, pin_memory=self._pinned
            )
        return self._bytes[:size_bytes].view(tensor.dtype).view(tensor.shape)


class _Slot:
    """The memory and the events of one batch at a time."""

    def __init__(self, device: torch.device) -> None:
        self.host_in = _Buffer(torch.device("cpu"), pinned=True)
        self.device_in = _Buffer(device, pinned=False)
        self._device = device
        self._host_out: dict[str, _Buffer] = {}
        self.copied, self.computed, self.done = (torch.cuda.Event() for _ in range(3))
        self.results: Mapping[str, Tensor] = {}
        self.host_results: Mapping[str, Tensor] = {}

    def host_out(self, name: str) -> _Buffer:
        return self._host_out.setdefault(name, _Buffer(torch.device("cpu"), pinned=True))

    def finish(self) -> Mapping[str, Tensor]:
        self.done.synchronize()
        self.results = {}  # device memory may go back to the allocator only now
        return self.host_results


class CudaLane:
    """A CUDA device: three streams and a ring of slots. All memory is taken once a shape is known.

    Device results are held by their slot until the copy-out has been waited for, so that the
    allocator cannot hand their memory out again while it is still being read.
    """

    overlaps = True

    def __init__(self, index: int = 0) -> None:
        self.device = torch.device("cuda", index)
        self._copy_in, self._copy_out = (torch.cuda.Stream(self.device) for _ in range(2))
        self._compute = torch.cuda.Stream(self.device, priority=-1)
        self._slots = [_Slot(self.device) for _ in range(SLOTS)]
        self._launched = 0

    def launch(self, pixels: Tensor, compute: Compute) -> Flight:
        slot = self._slots[self._launched % SLOTS]
        self._launched += 1
        slot.done.synchronize()  # returns at once unless a caller lets more than SLOTS fly
        host = slot.host_in.like(pixels)
        host.copy_(pixels)
        with torch.inference_mode():
            self._queue(slot, host, compute)
        return slot

    def _queue(self, slot: _Slot, host: Tensor, compute: Compute) -> None:
        with torch.cuda.stream(self._copy_in):
            on_device = slot.device_in.like(host)
            on_device.copy_(host, non_blocking=True)
            slot.copied.record(self._copy_in)
        self._compute.wait_event(slot.copied)
        with torch.cuda.stream(self._compute):
            slot.results = compute(on_device)
            slot.computed.record(self._compute)
        self._copy_out.wait_event(slot.computed)
        with torch.cuda.stream(self._copy_out):
            slot.host_results = {
                name: slot.host_out(name).like(result).copy_(result, non_blocking=True)
                for name, result in slot.results.items()
            }
            slot.done.record(self._copy_out)
