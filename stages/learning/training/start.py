"""Where a network begins: nothing, a backbone, or any checkpoint that ``run`` takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from pipeline.errors import CheckpointMismatch, ConfigError, Mistake
from stages.networks import NETWORKS, build_network
from stages.networks.checkpoint import Checkpoint, load
from stages.networks.fitting import class_count
from stages.networks.loading import load_network, network_of
from stages.networks.solov2.nano import Solov2Nano
from stages.networks.solov2.network import Solov2
from stages.networks.solov2.spec import Spec
from stages.weights.catalogue import CATALOGUE
from stages.weights.download import Report, nobody
from stages.weights.places import locate

from .parts import Trainable, careful_parts
from .settings import StartSettings

AnySpec = TypeVar("AnySpec", bound=Spec)
CLASS_LAYERS = ("mask_head.conv_cls", "class_branch.score")
"""The layers of each kind of network that are as wide as there are classes."""
_PRIOR = 0.01
_TORCHVISION = "https://download.pytorch.org/models/"
BACKBONES = {
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "resnext101_64x4d": "resnext101_64x4d-173b62eb.pth",
    "shufflenet_v2_x1_0": "shufflenetv2_x1-5666bf0f80.pth",
}
"""torchvision's names and files of classifiers whose stages are ours. Trained on ImageNet, RGB."""
_COUNTERS = "num_batches_tracked"


@dataclass(frozen=True, eq=False)
class Start:
    """A network to train. ``remarks`` say what it starts from, a line each.

    ``pretrained``: its backbone is not random. ``whole``: nothing is, but perhaps the classes.
    ``careful``: parts that learn at the backbone's rate.
    """

    network: Trainable
    pretrained: bool
    whole: bool
    remarks: tuple[str, ...]
    careful: tuple[str, ...] = ("backbone",)


def begin(
    name: str, classes: Sequence[str], settings: StartSettings, report: Report = nobody
) -> Start:
    """Build the network and give it its first weights; torch's seed decides what is random.

    :raises ConfigError: a network that cannot be trained, or two starts at once.
    :raises CheckpointMismatch: the weights are of another network.
    :raises WeightsError: they cannot be had.
    """
    _refuse_unknown(name)
    weights = settings.weights
    if settings.backbone is not None:
        if weights not in ("auto", "none"):
            wrong = Mistake("start.backbone", "none beside start.weights", settings.backbone)
            raise ConfigError("train", [wrong], "Start from one of them.")
        return _from_backbone(fresh(name, classes), settings, report)
    if weights == "auto":
        weights = next((one.alias for one in CATALOGUE.values() if one.network == name), "none")
    if weights == "none":
        return Start(fresh(name, classes), False, False, (f"{name} starts from nothing",))
    return _from_weights(name, classes, weights, settings, report)


def _refuse_unknown(name: str) -> None:
    trainable = [known for known in NETWORKS if known.startswith("solov2-")]
    if name not in trainable:
        wrong = Mistake("network", f"one of {', '.join(trainable)}", name)
        raise ConfigError("train", [wrong], "Others have no targets and losses here.")


def fresh(name: str, classes: Sequence[str]) -> Trainable:
    """An untrained network, initialised as one is that is to be trained."""
    network = build_network(name, classes)
    if isinstance(network, Solov2Nano):
        return network
    if not isinstance(network, Solov2):
        raise TypeError(f"no SOLOv2: {name}")
    network.backbone.apply(_kaiming)
    network.neck.apply(_xavier)
    network.mask_head.apply(_narrow)
    for module in network.modules():  # deformable layers begin as plain ones
        if isinstance(offsets := getattr(module, "conv_offset", None), nn.Conv2d):
            nn.init.zeros_(offsets.weight)
            nn.init.zeros_(_bias(offsets))
    nn.init.constant_(_bias(network.mask_head.conv_cls), -math.log((1 - _PRIOR) / _PRIOR))
    return network


def _kaiming(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(_bias(module))


def _narrow(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.01)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _bias(layer: nn.Conv2d) -> Tensor:
    if layer.bias is None:
        raise TypeError(f"{layer} has no bias")
    return layer.bias


def _from_weights(
    name: str, classes: Sequence[str], weights: str, settings: StartSettings, report: Report
) -> Start:
    checkpoint = load(locate(weights, report))
    theirs = _class_names(checkpoint)
    donor = load_network(checkpoint, name, theirs)
    if theirs is None:
        theirs = tuple(donor.spec.classes)
    network = fresh(name, classes)
    if isinstance(donor.spec, Spec):  # the preprocessing is the file's
        network.spec = _with_classes(donor.spec, classes)
    keep = settings.heads == "keep"
    rows = {n: theirs.index(one) for n, one in enumerate(classes) if keep and one in theirs}
    own, state = network.state_dict(), donor.state_dict()
    for key in state:
        if key.startswith(CLASS_LAYERS):
            own[key][list(rows)] = state[key][list(rows.values())]
            state[key] = own[key]
    network.load_state_dict(state)
    remarks = (f"starts from {weights}", *_about_heads(classes, theirs, rows))
    return Start(network, True, True, remarks, careful_parts(network))


def _with_classes(spec: AnySpec, classes: Sequence[str]) -> AnySpec:
    return replace(spec, classes=tuple(classes))


def _class_names(checkpoint: Checkpoint) -> tuple[str, ...] | None:
    """Names for a file's classes where it has none: numbers, so that it can be started from."""
    count = class_count(checkpoint.tensors)
    blank = NETWORKS[network_of(checkpoint)]
    with torch.device("meta"):
        published = len(blank().spec.classes)
    if checkpoint.metadata.classes is not None or count in (None, published):
        return None
    return tuple(f"class {number}" for number in range(count or 0))


def _about_heads(
    classes: Sequence[str], theirs: Sequence[str], rows: dict[int, int]
) -> tuple[str, ...]:
    if tuple(classes) == tuple(theirs) and len(rows) == len(classes):
        return ()
    new = [one for number, one in enumerate(classes) if number not in rows]
    kept = [one for number, one in enumerate(classes) if number in rows]
    return (
        f"heads re-made for {', '.join(classes)} instead of {len(theirs)} classes: "
        f"kept {', '.join(kept) or 'none'}, new {', '.join(new) or 'none'}",
    )


def _from_backbone(network: Trainable, settings: StartSettings, report: Report) -> Start:
    given = settings.backbone or ""
    published = BACKBONES.get(given)
    path = locate(_TORCHVISION + published if published else given, report)
    tensors = dict(load(path).tensors)
    if any(key.startswith("backbone.") for key in tensors):
        tensors = {
            key.removeprefix("backbone."): value
            for key, value in tensors.items()
            if key.startswith("backbone.")
        }
    own = network.backbone.state_dict()
    wrong = [
        key
        for key, value in own.items()
        if not key.endswith(_COUNTERS)
        and (key not in tensors or tensors[key].shape != value.shape)
        and ".conv_offset." not in key  # of deformable layers: no classifier has them
    ]
    if wrong:
        raise CheckpointMismatch(
            where=str(path),
            wanted=f"the backbone of {network.spec.name}",
            got=f"{len(wrong)} of {len(own)} tensors missing or of another shape ({wrong[0]})",
            remedy=f"Give a file of this backbone, or one of {', '.join(BACKBONES)}.",
        )
    order = settings.backbone_channels
    if order == "auto":
        order = "rgb" if published else network.spec.channel_order
    if order != network.spec.channel_order:
        first = next(iter(own))
        tensors[first] = tensors[first].flip(1)
    network.backbone.load_state_dict({k: tensors.get(k, v) for k, v in own.items()})
    return Start(network, True, False, (f"{network.spec.name} starts from the backbone {given}",))
