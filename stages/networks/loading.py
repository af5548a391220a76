"""From the name of some weights to a network that has them."""

import difflib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import torch

from pipeline.errors import CheckpointMismatch, WeightsError
from pipeline.redact import redact

from . import NETWORKS, Network, build_network, published_classes
from .catalogue import CATALOGUE
from .checkpoint import Checkpoint
from .download import Report, cache_directory, fetch, named_hash, nobody
from .fitting import Table, class_count, compare, fit, identify, mismatch, table_of
from .solov2.spec import Spec


def locate(weights: str, report: Report = nobody) -> Path:
    """The file that ``weights`` means: an alias, an address, or a path; fetched if need be.

    ``report`` is called while something is fetched.

    :raises WeightsError: there is no such thing, or it cannot be fetched.
    """
    if weights in CATALOGUE:
        place = CATALOGUE[weights].place
        return _fetched(place, report) if isinstance(place, str) else place
    if "://" in weights:
        return _fetched(weights, report)
    if Path(weights).exists():
        return Path(weights)
    near = difflib.get_close_matches(weights, CATALOGUE)
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    raise WeightsError(
        where=f"weights {weights}",
        wanted="a file, an address or an alias",
        got="none of them",
        remedy=f"{guess}`weights list` shows the aliases.",
    )


def cached(address: str) -> Path:
    """Where the file at ``address`` is, once fetched; its folder there tells addresses apart.

    :raises WeightsError: it is no address of a file.
    """
    parts = urlsplit(address)
    name = Path(parts.path).name
    if parts.scheme not in ("http", "https") or not name:
        raise WeightsError(
            where=redact(address),
            wanted="the http or https address of a file",
            got=f"the scheme {parts.scheme!r}" if name else "an address without a file name",
            remedy="Fetch the file yourself and give its path.",
        )
    folder = hashlib.sha256(address.encode()).hexdigest()[:12]
    return cache_directory() / "weights" / folder / name


def _fetched(address: str, report: Report) -> Path:
    return fetch(address, cached(address), sha256_prefix=named_hash(address), report=report)


def load_network(
    checkpoint: Checkpoint, name: str | None = None, classes: Sequence[str] | None = None
) -> Network:
    """The network that ``checkpoint`` is of, with its weights, classes and preprocessing.

    ``name`` is the network that it must be of; without one the tensors decide. Class names are
    ``classes``, else the file's, else those that the network was published with.

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
