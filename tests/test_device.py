"""Lanes: the CPU's, and on a machine with CUDA the same promises on the device."""

import pytest
import torch
from torch import Tensor

from pipeline.device import SLOTS, CpuLane, CudaLane, Lane, open_lane
from pipeline.errors import DeviceError

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
LANES = [CpuLane, pytest.param(CudaLane, marks=[pytest.mark.gpu, needs_cuda])]


def squares(pixels: Tensor) -> dict[str, Tensor]:
    wide = pixels.to(torch.int64)
    return {"square": wide * wide, "sum": wide.sum(dim=1)}


@pytest.mark.parametrize("make", LANES)
def test_results_come_back_to_the_host(make: type[CpuLane] | type[CudaLane]) -> None:
    lane: Lane = make()
    pixels = torch.arange(12, dtype=torch.uint8).reshape(3, 4)
    tensors = lane.launch(pixels, squares).finish()
    assert tensors["square"].device.type == "cpu"
    assert tensors["square"].tolist() == (pixels.long() ** 2).tolist()
    assert tensors["sum"].tolist() == [6, 22, 38]


@pytest.mark.parametrize("make", LANES)
def test_flights_overlap_without_mixing(make: type[CpuLane] | type[CudaLane]) -> None:
    lane: Lane = make()
    batches = [torch.full((2, 5 + i), i, dtype=torch.uint8) for i in range(20)]
    waiting = []
    for i, batch in enumerate(batches):
        waiting.append((i, lane.launch(batch, squares)))
        if len(waiting) == SLOTS - 1:
            number, flight = waiting.pop(0)
            square = flight.finish()["square"]
            assert square.shape == (2, 5 + number)
            assert torch.all(square == number * number)


def test_cuda_without_cuda_is_one_clear_error() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(DeviceError, match=r"^--device cuda: wanted a CUDA device, got none .*cpu$"):
        open_lane("cuda")
