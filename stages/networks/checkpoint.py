"""Weights in and out of files: one record, whatever the file's age, origin and container.

``load`` reads our own safetensors, and the files of mmdetection, of the original SOLO repository
and of AdelaiDet; the tensors that it returns always have our names (mmdetection's). Nothing in a
file is executed. ``save`` writes safetensors with what one must know to use them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
from torch import Tensor

from pipeline.errors import WeightsError

METADATA_KEY = "maskstream"
FORMAT = 1


@dataclass(frozen=True)
class Preprocessing:
    """How pixels become the network's input: ``(pixel - mean) / std``, channels in ``order``.

    ``mean`` and ``std`` are in 0..255 units and in that order.
    """

    order: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Metadata:
    """What a file says about its tensors; None where it says nothing.

    ``network`` is a name in ``stages.networks.NETWORKS``, ``notes`` free text (licence, data,
    command) for people.
    """

    network: str | None = None
    classes: tuple[str, ...] | None = None
    preprocessing: Preprocessing | None = None
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A file's tensors under our names, what it says about them, and where it came from.

    ``dialect`` names the key table they were read with, ``sha256`` is the file's, in hex.
    """

    tensors: Mapping[str, Tensor]
    metadata: Metadata
    dialect: str
    sha256: str


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Metadata) -> None:
    """Write ``tensors`` as safetensors with ``metadata``; the same input gives the same bytes.

    :raises WeightsError: the file cannot be written.
    """
    document = {"format": FORMAT} | asdict(metadata)
    header = {METADATA_KEY: json.dumps(document, sort_keys=True)}
    ready = {key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)}
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(safetensors.torch.save(ready, header))
        partial.replace(path)
    except OSError as error:
        raise WeightsError(
            where=str(path),
            wanted="a file that can be written",
            got=error.strerror or str(error),
            remedy="Give another path, or make room.",
        ) from error


def _metadata(text: str) -> Metadata:
    document: dict[str, Any] = json.loads(text)
    preprocessing = document["preprocessing"]
    return Metadata(
        network=document["network"],
        classes=None if document["classes"] is None else tuple(document["classes"]),
        preprocessing=preprocessing
        and Preprocessing(
            preprocessing["order"], tuple(preprocessing["mean"]), tuple(preprocessing["std"])
        ),
        notes=document["notes"],
    )
