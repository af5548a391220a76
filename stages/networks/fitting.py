"""Whether tensors belong to a network: compared key by key and shape by shape, both ways."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline.errors import CheckpointMismatch

from .checkpoint import Checkpoint

Shape = tuple[int, ...]
Table = Mapping[str, Shape]
"""The keys of a state dict and the shapes of their tensors."""

_SHOWN = 3
_COUNTER = ".num_batches_tracked"
_UNCOUNTED = ("maskstream", "adet", "torchvision")  # made for use, or with frozen batch norm
_CLASS_LAYERS = (
    "mask_head.conv_cls.",
    "class_branch.score.",
    "roi_heads.box_predictor.",
    "_fcn_logits.",
)
_OTHER_HEADS = ("mask_head.mask_convs", "mask_head.conv_mask_list")
_OFFSETS_V1, _OFFSETS_V2 = 18, 27


@dataclass(frozen=True)
class Difference:
    """What keeps tensors from being a network's; false when nothing does."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[tuple[str, Shape, Shape], ...]
    """key, the network's shape, the tensor's shape"""

    def __len__(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)

    def __str__(self) -> str:
        shapes = [f"{key}: {got} instead of {wanted}" for key, wanted, got in self.misshapen]
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "of another shape": shapes}
        return ", ".join(f"{len(k)} {kind} ({_first(k)})" for kind, k in kinds.items() if k)


def _first(items: Sequence[str]) -> str:
    return "; ".join(items[:_SHOWN]) + ("; …" if len(items) > _SHOWN else "")


def table_of(network: nn.Module) -> Table:
    """The keys and shapes of a network, which may be on the meta device."""
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def compare(checkpoint: Checkpoint, table: Table, *, any_classes: bool = False) -> Difference:
    """The difference between a file's tensors and a network's.

    The counters of batch norm, which only training reads, do not matter where a dialect may leave
    them out. ``any_classes`` lets the layers that depend on the number of classes be of any width.
    """
    tensors = checkpoint.tensors
    optional = (_COUNTER,) if checkpoint.dialect in _UNCOUNTED else ()

    def same(key: str, got: Shape) -> bool:
        free = 1 if any_classes and any(layer in key for layer in _CLASS_LAYERS) else 0
        return len(got) == len(table[key]) and got[free:] == table[key][free:]

    return Difference(
        missing=tuple(k for k in table if k not in tensors and not k.endswith(optional)),
        unexpected=tuple(k for k in tensors if k not in table and not k.endswith(optional)),
        misshapen=tuple(
            (key, table[key], shape)
            for key, tensor in tensors.items()
            if key in table and not same(key, shape := tuple(tensor.shape))
        ),
    )


def identify(checkpoint: Checkpoint, tables: Iterable[tuple[str, Table]]) -> str:
    """The network of ``tables`` that the tensors belong to, for whatever number of classes.

    ``tables`` is read only until one fits.

    :raises CheckpointMismatch: none does; says how the nearest one differs.
    """
    differences = {}
    for name, table in tables:
        differences[name] = compare(checkpoint, table, any_classes=True)
        if not differences[name]:
            return name
    nearest = min(differences, key=lambda name: len(differences[name]))
    wanted = f"weights of one of {', '.join(differences)}"
    raise mismatch(checkpoint, nearest, differences[nearest], wanted)


def mismatch(
    checkpoint: Checkpoint, name: str, difference: Difference, wanted: str
) -> CheckpointMismatch:
    """The error for tensors that differ from the network ``name``."""
    return CheckpointMismatch(
        where=checkpoint.source,
        wanted=wanted,
        got=f"{difference} against the {len(checkpoint.tensors)} tensors read as"
        f" {checkpoint.dialect} names, compared with {name}",
        remedy=_reason(checkpoint, difference),
    )


def _reason(checkpoint: Checkpoint, difference: Difference) -> str:
    if any(key.startswith(_OTHER_HEADS) for key in checkpoint.tensors):
        return "This is a SOLO of version 1 or a Decoupled SOLO, which have another head."
    for key, wanted, got in difference.misshapen:
        if ".conv_offset." in key and (got[0], wanted[0]) == (_OFFSETS_V1, _OFFSETS_V2):
            return (
                "This network has deformable convolutions of version 1, without modulation; only"
                " version 2 is built here."
            )
    return "`weights list` shows what fits; `weights inspect` what is in a file."


def class_count(tensors: Mapping[str, Tensor]) -> int | None:
    """How many classes the tensors tell apart; None where no layer that says so is known."""
    for layer in ("mask_head.conv_cls.", "class_branch.score.0."):
        if (bias := tensors.get(f"{layer}bias")) is not None:
            return int(bias.shape[0])
    outputs = tensors.get("roi_heads.box_predictor.cls_score.bias")
    if outputs is None:
        return None
    # torchvision's first output is the background; its COCO weights count the gaps in COCO's ids
    return {91: 80}.get(int(outputs.shape[0]), int(outputs.shape[0]) - 1)


def fit(network: nn.Module, name: str, checkpoint: Checkpoint) -> None:
    """Copy the tensors into ``network``, which is called ``name``, in its precision.

    :raises CheckpointMismatch: a key or a shape differs; the network is as it was.
    """
    difference = compare(checkpoint, table_of(network))
    if difference:
        raise mismatch(checkpoint, name, difference, f"weights of {name}")
    own = network.state_dict()
    with torch.no_grad():
        for key, tensor in own.items():
            if key in checkpoint.tensors:
                tensor.copy_(checkpoint.tensors[key])
