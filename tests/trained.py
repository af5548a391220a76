"""Trainings of a moment, in this process or as a command line, and what they leave."""

from pathlib import Path

import safetensors.torch
import torch
from rich.console import Console

from stages.learning.training.session import train_network
from tests.labelled import QUICK, quick


def options(*more: str) -> list[str]:
    return [word for change in (*QUICK, *more) for word in ("--set", change)]


def command_line(data: Path, out: Path, iterations: int, *more: str) -> list[str]:
    return ["train", f"{data}", "--out", f"{out}", "--iterations", f"{iterations}", *options(*more)]


def trained(data: Path, out: Path, *changes: str) -> Path:
    return train_network(quick(data, out, *changes), Console(stderr=True))


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(path)


def same(one: Path, other: Path) -> bool:
    first, second = tensors(one), tensors(other)
    return all(torch.equal(first[key], second[key]) for key in first | second)
