"""NanoDet-m, a detector of boxes (https://github.com/RangiLyu/nanodet), as a start.

It was trained on all of COCO, where we have a few hundred pictures with masks. The class branch of
solov2-nano is of its shape, so what it knows of people need not be learnt anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.errors import CheckpointMismatch, ConfigError, Mistake, WeightsError
from stages.networks.coco_classes import COCO_CLASSES
from stages.networks.solov2.class_branch import WIDTH
from stages.networks.solov2.nano import Solov2Nano

from .training.parts import careful_parts
from .training.start import Start

Floats: TypeAlias = NDArray[np.float32]
_HALF_PRECISION = 0x01306B47
"""ncnn's mark before weights of 16 bits; they are filled up to a multiple of four bytes."""
_BOX_OUTPUTS = 32  # beside the classes: four sides, eight distances each


def adopted(start: Start, file: Path) -> Start:
    """``start``, the class branch of its network with the weights of a NanoDet-m.

    ``file``: ncnn's ``.param``, which lists the layers; their weights, batch norm folded in, are
    beside it in ``.bin``. The network is changed in place, but for its backbone, and for the class
    layers of classes that COCO has not.

    :raises ConfigError: another network than solov2-nano.
    :raises WeightsError: the files cannot be read.
    :raises CheckpointMismatch: they are of another network, or broken.
    """
    network = start.network
    if not isinstance(network, Solov2Nano):
        wrong = Mistake("network", "solov2-nano beside --detector", network.spec.name)
        raise ConfigError("train", [wrong], "No other network has NanoDet's class branch.")
    branch = network.class_branch
    outputs = [nn.Conv2d(WIDTH, len(COCO_CLASSES) + _BOX_OUTPUTS, 1) for _ in branch.towers]
    parts: list[nn.Module] = [branch.laterals]
    for tower, output in zip(branch.towers, outputs, strict=True):
        parts += [tower, output]
    _fill([x for part in parts for x in part.modules() if isinstance(x, nn.Conv2d)], file)
    known = {c: n for n, c in enumerate(network.spec.classes) if c in COCO_CLASSES}
    for score, output in zip(branch.score, outputs, strict=True):
        own, theirs = score.state_dict(), output.state_dict()
        for name, row in known.items():
            for key, values in theirs.items():
                own[key][row] = values[COCO_CLASSES.index(name)]
    remark = f"the class branch starts from {file.name}, classes: {', '.join(known) or 'none'}"
    return replace(start, careful=careful_parts(network), remarks=(*start.remarks, remark))


def _fill(layers: Sequence[nn.Conv2d], file: Path) -> None:
    """Give ``layers`` the weights of the last ones of a file."""
    try:
        listing = file.read_text(encoding="utf-8", errors="replace")
        data = file.with_suffix(".bin").read_bytes()
    except OSError as error:
        raise WeightsError(
            where=str(error.filename or file),
            wanted="a NanoDet-m as ncnn keeps it, a .param with its .bin beside it",
            got=error.strerror or str(error),
            remedy="Give the .param.",
        ) from error
    try:
        theirs = _convolutions(listing, data)[-len(layers) :]
        for layer, (weight, bias) in zip(layers, theirs, strict=True):
            shaped = torch.from_numpy(weight).view(layer.weight.shape)
            layer.load_state_dict({"weight": shaped, "bias": torch.from_numpy(bias)})
    except (ValueError, KeyError, IndexError, RuntimeError) as error:
        raise CheckpointMismatch(
            where=str(file),
            wanted="a NanoDet-m of ncnn, half precision",
            got="other layers, or weights that are not theirs",
            remedy="Give the .param of NanoDet-m; its own .bin must be beside it.",
        ) from error


def _convolutions(listing: str, data: bytes) -> list[tuple[Floats, Floats]]:
    """Weight, flat, and bias of each convolution, in the file's order."""
    found, place = [], 0
    for kind, *words in filter(None, map(str.split, listing.splitlines())):
        if not kind.startswith("Convolution"):
            continue
        options = dict(word.split("=", 1) for word in words if "=" in word)
        outputs, weights = int(options["0"]), int(options["6"])
        if int.from_bytes(data[place : place + 4], "little") != _HALF_PRECISION:
            raise ValueError(f"no mark of half precision at byte {place}")
        weight = np.frombuffer(data, np.float16, weights, place + 4).astype(np.float32)
        place += 4 + (2 * weights + 3) // 4 * 4
        bias = np.frombuffer(data, np.float32, outputs, place).copy()
        place += 4 * outputs
        found.append((weight, bias))
    return found
