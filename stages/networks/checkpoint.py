"""Weights in and out of files: one record, whatever the file's age, origin and container.

``load`` reads our own safetensors, and the files of mmdetection, of the original SOLO repository
and of AdelaiDet; the tensors that it returns always have our names (mmdetection's). Nothing in a
file is executed. ``save`` writes safetensors with what one must know to use them.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pipeline.errors import WeightsError

from .dialects import Dialect, detect, rename
from .torchfile.container import LEGACY_MAGIC, ZIP_MAGIC, TorchFile, open_torch_file
from .torchfile.contents import class_names, short_facts, state_dict

logger = logging.getLogger("maskstream.networks")

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

    ``dialect`` names the key table they were read with, ``sha256`` is the file's, in hex, and
    ``source`` its path, for messages.
    """

    tensors: Mapping[str, Tensor] = field(repr=False)
    metadata: Metadata
    dialect: Dialect
    sha256: str
    source: str


_ADET_PREPROCESSING = Preprocessing("bgr", (103.53, 116.28, 123.675), (1.0, 1.0, 1.0))


def _own(tensor: Tensor) -> Tensor:
    """A copy on the host that shares its memory with no other, as the format demands."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Metadata) -> None:
    """Write ``tensors`` as safetensors with ``metadata``; the same input gives the same bytes.

    :raises WeightsError: the file cannot be written.
    """
    document = {"format": FORMAT} | asdict(metadata)
    header = {METADATA_KEY: json.dumps(document, sort_keys=True)}
    ready = {key: _own(tensors[key]) for key in sorted(tensors)}
    partial = path.with_name(path.name + ".part")
    try:
        partial.write_bytes(safetensors.torch.save(ready, header))
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise WeightsError(
            where=str(path),
            wanted="a file that can be written",
            got=error.strerror or str(error),
            remedy="Give another path, or make room.",
        ) from error


def load(path: Path) -> Checkpoint:
    """Everything in the file ``path``; tensors on the host, as stored (also half precision).

    :raises WeightsError: no such file, or a damaged, cut off or unknown one.
    :raises UnsafeCheckpoint: a pickle that wants to run something. Nothing was run.
    :raises CheckpointMismatch: a file without a state dict.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            stream.seek(0)
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            where=str(path),
            wanted="a file with weights",
            got=error.strerror or str(error),
            remedy="`weights list` shows the names of published weights.",
        ) from error
    if head.startswith((ZIP_MAGIC, LEGACY_MAGIC)):
        with open_torch_file(path) as file:
            return _from_torch(path, file, sha256)
    if head[8:9] == b"{":
        return _from_safetensors(path, sha256)
    raise WeightsError(
        where=str(path),
        wanted="a file of safetensors or torch.save",
        got=_describe(head) if head else "an empty file",
        remedy="Fetch it again, and look at what the address gives in a browser.",
    )


def _from_safetensors(path: Path, sha256: str) -> Checkpoint:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(METADATA_KEY)
            names = file.keys()
            tensors = {key: file.get_tensor(key) for key in names}
        metadata = Metadata() if header is None else _metadata(header)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            where=str(path),
            wanted="a whole safetensors file",
            got=f"a damaged or cut off one ({error})",
            remedy="Delete it and fetch it again.",
        ) from error
    dialect = detect(tensors) if header is None else "maskstream"
    return Checkpoint(rename(tensors, dialect), metadata, dialect, sha256, str(path))


def _from_torch(path: Path, file: TorchFile, sha256: str) -> Checkpoint:
    state = state_dict(path, file.content)
    dialect = detect(state)
    if dialect == "adet":
        logger.warning("%s: right only if its ResNet was built with STRIDE_IN_1X1 False", path)
    meta = file.content.get("meta")
    metadata = Metadata(
        classes=class_names(meta),
        preprocessing=_ADET_PREPROCESSING if dialect == "adet" else None,
        notes=short_facts(meta),
    )
    return Checkpoint(file.read(rename(state, dialect)), metadata, dialect, sha256, str(path))


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


def _describe(head: bytes) -> str:
    """What a file is that is not weights, from how it begins."""
    signs: tuple[tuple[bytes, str], ...] = (
        (b"<", "a web page, or other markup"),
        (b"version https://git-lfs", "a pointer to a file in Git LFS"),
        (b"\x80", "a bare pickle, which is not read"),
        (b"\x1f\x8b", "a gzip archive"),
    )
    if head[257:262] == b"ustar":
        return "a tar archive"
    return next((name for sign, name in signs if head.lstrip().startswith(sign)), "something else")
