"""The parts of a network by their dotted names: which are trained, at what rate."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from torch import nn

from pipeline.errors import ConfigError, Mistake
from stages.networks.solov2.nano import Solov2Nano
from stages.networks.solov2.network import Solov2

from .settings import LearnSettings, StartSettings

Trainable: TypeAlias = Solov2 | Solov2Nano
NANO_RATE, NANO_TUNING_RATE, PUBLISHED_RATE = 1e-3, 5e-4, 1e-4
"""Peaks for AdamW: the small network from its backbone, on from whole weights, and the others."""
SGD_FACTOR = 10.0
BACKBONE_SHARE = 0.2
WEIGHT_DECAY = {"adamw": 0.05, "sgd": 1e-4}


def early_stages(network: Trainable) -> tuple[str, ...]:
    """The first stages of a backbone, which see edges and colours in whatever data."""
    if isinstance(network, Solov2Nano):
        return ("backbone.conv1", "backbone.stage2")
    return ("backbone.conv1", "backbone.bn1", "backbone.layer1")


def careful_parts(network: Trainable) -> tuple[str, ...]:
    """What knows much of the world, once trained, and learns at the backbone's rate."""
    if isinstance(network, Solov2Nano):
        return ("backbone", "class_branch.laterals", "class_branch.towers")
    return ("backbone",)


def frozen_parts(network: Trainable, settings: StartSettings, pretrained: bool) -> tuple[str, ...]:
    """Names of what is not trained.

    :raises ConfigError: for a name that the network has not.
    """
    if settings.freeze == "auto":
        return early_stages(network) if pretrained else ()
    known = {name for name, _ in network.named_modules() if name}
    mistakes = [
        Mistake("start.freeze", f"one of {_neighbours(name, known)}", name)
        for name in settings.freeze
        if name not in known
    ]
    if mistakes:
        raise ConfigError("train", mistakes, "Parts may be named down to single layers.")
    return settings.freeze


def _neighbours(name: str, known: Iterable[str]) -> str:
    """The names beside the first part of ``name`` that does not exist."""
    parent = name.rpartition(".")[0]
    while parent and parent not in known:
        parent = parent.rpartition(".")[0]
    return ", ".join(sorted(one for one in known if one.rpartition(".")[0] == parent))


def freeze(network: Trainable, parts: Iterable[str]) -> None:
    """Leave out of the gradients what lies in these parts."""
    for part in parts:
        network.get_submodule(part).requires_grad_(False)


def still_norms(
    network: Trainable, settings: StartSettings, frozen: Sequence[str], pretrained: bool
) -> list[nn.BatchNorm2d]:
    """The batch norms whose statistics stay as they are."""
    places = list(frozen)
    if settings.norms == "backbone" or (settings.norms == "auto" and pretrained):
        places.append("backbone")
    if settings.norms == "all":
        places = [""]
    return [
        module
        for place in places
        for module in network.get_submodule(place).modules()
        if isinstance(module, nn.BatchNorm2d)
    ]


def peak_rates(network: Trainable, settings: LearnSettings, whole: bool) -> tuple[float, float]:
    """Peak rates of what is new, and of the backbone and other careful parts.

    ``whole``: all but perhaps the classes is loaded.
    """
    if isinstance(network, Solov2Nano):
        usual = NANO_TUNING_RATE if whole else NANO_RATE
    else:
        usual = PUBLISHED_RATE
    usual *= SGD_FACTOR if settings.optimizer == "sgd" else 1
    rate = settings.rate or usual
    return rate, settings.backbone_rate or BACKBONE_SHARE * rate


def groups(
    network: Trainable,
    rates: tuple[float, float],
    careful: tuple[str, ...],
    settings: LearnSettings,
) -> Iterator[dict[str, Any]]:
    """Parameters by learning rate, and by whether they decay, as an optimizer takes them.

    ``careful``: the parts at the second of the two ``rates``.
    """
    usual = WEIGHT_DECAY[settings.optimizer]
    strength = usual if settings.weight_decay is None else settings.weight_decay
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    for rate, is_careful in zip(rates, (False, True), strict=True):
        chosen = [p for name, p in trained if name.startswith(careful) is is_careful]
        for decay, part in (
            (strength, [p for p in chosen if p.dim() > 1]),
            (0.0, [p for p in chosen if p.dim() <= 1]),
        ):
            if part:
                yield {"params": part, "lr": rate, "weight_decay": decay}
