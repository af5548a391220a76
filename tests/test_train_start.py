"""Where a training starts: heads re-made class by class, backbones, strangers' files."""

from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import CheckpointMismatch, ConfigError
from stages.learning.training.parts import groups
from stages.learning.training.settings import LearnSettings, StartSettings
from stages.learning.training.start import BACKBONES, begin, fresh
from stages.networks.checkpoint import Metadata, Preprocessing, save
from stages.networks.solov2.nano import Solov2Nano

STEM = "conv1.0.weight"


def nano(*classes: str, start: StartSettings) -> tuple[Solov2Nano, tuple[str, ...]]:
    torch.manual_seed(0)
    begun = begin("solov2-nano", classes, start)
    assert isinstance(begun.network, Solov2Nano)
    return begun.network, begun.remarks


def score_layers(network: Solov2Nano) -> list[nn.Conv2d]:
    return [layer for layer in network.class_branch.score if isinstance(layer, nn.Conv2d)]


def test_heads_keep_the_classes_that_the_weights_know() -> None:
    published, _ = nano("person", "shape", start=StartSettings())
    network, remarks = nano("forklift", "person", start=StartSettings())
    for score, before in zip(score_layers(network), score_layers(published), strict=True):
        assert torch.equal(score.weight[1], before.weight[0])
        assert not torch.equal(score.weight[0], before.weight[1])
        assert score.bias is not None
        assert float(score.bias[0].detach().sigmoid()) == pytest.approx(0.01)
    assert network.spec.classes == ("forklift", "person")
    assert remarks[1] == (
        "heads re-made for forklift, person instead of 2 classes: kept person, new forklift"
    )
    for key, value in published.state_dict().items():
        if not key.startswith("class_branch.score"):
            assert torch.equal(network.state_dict()[key], value), key


def test_what_comes_trained_learns_at_the_rate_of_the_backbone() -> None:
    begun = begin("solov2-nano", ("person",), StartSettings())
    names = {id(values): name for name, values in begun.network.named_parameters()}
    slow: set[str] = set()
    for group in groups(begun.network, (1.0, 0.1), begun.careful, LearnSettings()):
        assert group["lr"] in (1.0, 0.1)
        if group["lr"] < 1:
            slow |= {names[id(values)] for values in group["params"]}
    expected = ("backbone.", "class_branch.laterals.", "class_branch.towers.")
    assert slow == {name for name in names.values() if name.startswith(expected)}


def test_heads_may_be_made_anew_and_nothing_is_said_where_nothing_changed() -> None:
    published, remarks = nano("person", "shape", start=StartSettings())
    assert remarks == ("starts from solov2-nano",)
    network, remarks = nano("person", "shape", start=StartSettings(heads="anew"))
    for score, before in zip(score_layers(network), score_layers(published), strict=True):
        assert not torch.equal(score.weight, before.weight)
    assert "kept none, new person, shape" in remarks[1]


def test_a_file_brings_its_preprocessing_and_needs_no_names(tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = fresh("solov2-nano", ("a", "b", "c"))
    preprocessing = Preprocessing("rgb", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    save(tmp_path / "x.safetensors", other.state_dict(), Metadata(preprocessing=preprocessing))
    network, remarks = nano("b", start=StartSettings(weights=str(tmp_path / "x.safetensors")))
    assert (network.spec.channel_order, network.spec.std) == ("rgb", (4.0, 5.0, 6.0))
    assert "for b instead of 3 classes: kept none, new b" in remarks[1]


def test_mmdetections_files_are_a_start_too(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = fresh("solov2-light-r18", ("cat", "dog", "cow"))
    file = {"state_dict": theirs.state_dict(), "meta": {"CLASSES": ("cat", "dog", "cow")}}
    torch.save(file, tmp_path / "epoch_3.pth")
    begun = begin(
        "solov2-light-r18", ("cow", "horse"), StartSettings(weights=str(tmp_path / "epoch_3.pth"))
    )
    assert "kept cow, new horse" in begun.remarks[1]
    mine, before = begun.network.state_dict(), theirs.state_dict()
    key = "mask_head.conv_cls.weight"
    assert torch.equal(mine[key][0], before[key][2])
    assert torch.equal(mine["backbone.conv1.weight"], before["backbone.conv1.weight"])


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(CheckpointMismatch, match=r"wanted weights of solov2-r50, got .*nano"):
        begin("solov2-r50", ("a",), StartSettings(weights="solov2-nano"))


def test_a_backbone_may_be_ours_or_a_classifier_that_saw_rgb(tmp_path: Path) -> None:
    published, _ = nano("person", "shape", start=StartSettings())
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "classifier.pth"
    save(ours, published.state_dict(), Metadata())
    torch.save(published.backbone.state_dict() | {"fc.weight": torch.zeros(3, 4)}, theirs)
    stem = published.backbone.state_dict()[STEM]
    for file, channels, expected in (
        (ours, "auto", stem),
        (theirs, "bgr", stem),
        (theirs, "rgb", stem.flip(1)),
    ):
        start = StartSettings.model_validate({"backbone": str(file), "backbone_channels": channels})
        network, remarks = nano("thing", start=start)
        assert torch.equal(network.backbone.state_dict()[STEM], expected)
        assert remarks == (f"solov2-nano starts from the backbone {file}",)
    with pytest.raises(
        CheckpointMismatch, match=r"the backbone of solov2-light-r18, got .* tensors"
    ):
        begin("solov2-light-r18", ("a",), StartSettings(backbone=str(ours)))


def test_the_names_of_backbones_are_torchvisions() -> None:
    from torchvision import models  # type: ignore[import-untyped]  # noqa: PLC0415  (slow)

    for name, file in BACKBONES.items():
        published = models.get_model_weights(name)
        assert any(weights.url.endswith(f"/{file}") for weights in published), name


def test_what_cannot_be_trained_is_said() -> None:
    with pytest.raises(ConfigError, match=r"network: wanted one of solov2-nano, .* mask-rcnn-r50"):
        begin("mask-rcnn-r50", ("a",), StartSettings())
    both = StartSettings(backbone="resnet18", weights="solov2-nano")
    with pytest.raises(ConfigError, match=r"start\.backbone: wanted none beside start\.weights"):
        begin("solov2-light-r18", ("a",), both)
