"""From some weights to a network that has them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from pipeline.errors import CheckpointMismatch

from . import NETWORKS, Network, build_network, published_classes
from .checkpoint import Checkpoint
from .fitting import Table, class_count, compare, fit, identify, mismatch, table_of
from .solov2.spec import Spec


def load_network(
    checkpoint: Checkpoint,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    size: tuple[int, int] | None = None,
) -> Network:
    """The network that ``checkpoint`` is of, with its weights, classes and preprocessing.

    ``name`` is the network that it must be of; without one the tensors decide. Class names are
    ``classes``, else the file's, else those that the network was published with. ``size``: long and
    short side of the canvas, px, where it should not be the network's own.

    :raises CheckpointMismatch: the weights are of another network, or for other classes.
    :raises ConfigError: there is no network of this ``name``.
    """
    name = _network_name(checkpoint, name)
    network = build_network(name, _class_names(checkpoint, name, classes))
    fit(network, name, checkpoint)
    preprocessing = checkpoint.metadata.preprocessing
    if preprocessing is not None and isinstance(network.spec, Spec):
        network.spec = replace(
            network.spec,
            channel_order=preprocessing.order,
            mean=preprocessing.mean,
            std=preprocessing.std,
        )
    if size is not None:
        network.spec = replace(network.spec, long_px=size[0], short_px=size[1])
    return network


def _blank(name: str) -> Network:
    """A network of shapes alone, for its table; the first one takes torch a second or more."""
    with torch.device("meta"):
        return build_network(name)


def _tables() -> Iterator[tuple[str, Table]]:
    return ((name, table_of(_blank(name))) for name in NETWORKS)


def network_of(checkpoint: Checkpoint) -> str:
    """The network that the tensors belong to: as the file says, or by their names and shapes.

    :raises CheckpointMismatch: to none.
    """
    said = checkpoint.metadata.network
    return said if said in NETWORKS else identify(checkpoint, _tables())


def _network_name(checkpoint: Checkpoint, name: str | None) -> str:
    if name is None:
        return network_of(checkpoint)
    difference = compare(checkpoint, table_of(_blank(name)), any_classes=True)
    if not difference:
        return name
    try:
        actual = network_of(checkpoint)
    except CheckpointMismatch:
        actual = name
    if actual == name:  # of nothing that we know
        raise mismatch(checkpoint, name, difference, f"weights of {name}")
    raise CheckpointMismatch(
        where=checkpoint.source,
        wanted=f"weights of {name}",
        got=f"weights of {actual}: {difference}",
        remedy=f"Use --network {actual}, or leave --network out.",
    )


def _class_names(
    checkpoint: Checkpoint, name: str, classes: Sequence[str] | None
) -> tuple[str, ...]:
    count = class_count(checkpoint.tensors)
    published = published_classes(name)
    if count is None:  # no weights of this network, which is told when they are fitted
        return published
    fallback = published if len(published) == count else None
    named = classes or checkpoint.metadata.classes or fallback
    if named is not None and len(named) == count:
        return tuple(named)
    whose = "the configuration" if classes else "the file"
    raise CheckpointMismatch(
        where=checkpoint.source,
        wanted=f"names for the {count} classes of its tensors",
        got=f"{len(named)} names in {whose}" if named else "none in the file",
        remedy="Name them in segment.classes, in the order of the training.",
    )
