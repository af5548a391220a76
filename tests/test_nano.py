"""solov2-nano: its shapes, its size, and that it is one network whatever the memory layout."""

from pathlib import Path

import pytest
import torch
from torch import nn

from stages.learning.evaluate import evaluate, open_segmenter, scene_examples
from stages.learning.scenes import scene
from stages.networks.checkpoint import load
from stages.networks.solov2.fast import quicken
from stages.networks.solov2.nano import NANO, Solov2Nano
from stages.networks.solov2.onednn import has_onednn
from stages.networks.solov2.shufflenet import STAGE_CHANNELS, STEM_CHANNELS, ShuffleNet
from stages.networks.solov2.unshuffled import UnshuffledNet

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "stages" / "networks" / "solov2" / "weights" / "solov2-nano.safetensors"


@pytest.fixture(scope="module")
def network() -> Solov2Nano:
    torch.manual_seed(0)
    network = Solov2Nano().eval()
    for module in network.modules():  # so that no normalisation is the identity
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return network


@pytest.mark.parametrize("canvas", [(320, 544), (64, 96)])
@torch.inference_mode()
def test_shapes(network: Solov2Nano, canvas: tuple[int, int]) -> None:
    output = network(torch.randn(2, 3, *canvas))
    classes, kernels = len(NANO.classes), NANO.kernel_channels
    assert [x.shape for x in output.cls_logits] == [(2, classes, g, g) for g in NANO.grids]
    assert [x.shape for x in output.kernels] == [(2, kernels, g, g) for g in NANO.grids]
    assert output.mask_features.shape == (2, kernels, canvas[0] // 4, canvas[1] // 4)


@torch.inference_mode()
def test_the_backbone_gives_four_levels() -> None:
    levels = ShuffleNet().eval()(torch.randn(1, 3, 64, 96))
    widths = (STEM_CHANNELS, *STAGE_CHANNELS)
    sizes = ((16, 24), (8, 12), (4, 6), (2, 3))
    assert [x.shape for x in levels] == [(1, w, *s) for w, s in zip(widths, sizes, strict=True)]


def test_it_is_small(network: Solov2Nano) -> None:
    assert sum(p.numel() for p in network.parameters()) == 1_138_154
    halves = sum(v.numel() * 2 for v in network.state_dict().values())
    assert halves < 8e6


@torch.inference_mode()
def test_channels_last_gives_the_same(network: Solov2Nano) -> None:
    pixels = torch.randn(1, 3, 96, 128)
    plain = network(pixels)
    copy = Solov2Nano().eval()
    copy.load_state_dict(network.state_dict())
    other = copy.to(memory_format=torch.channels_last)(
        pixels.contiguous(memory_format=torch.channels_last)
    )
    for left, right in zip(plain.kernels, other.kernels, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(plain.mask_features, other.mask_features, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("canvas", [(320, 544), (64, 96)])
@torch.inference_mode()
def test_the_quick_network_says_the_same(network: Solov2Nano, canvas: tuple[int, int]) -> None:
    pixels = torch.randn(2, 3, *canvas)
    wanted = network(pixels)
    quick, _ = quicken(network, torch.device("cpu"), torch.float32)
    assert isinstance(quick.backbone, UnshuffledNet)
    if has_onednn():
        assert not any(type(module) is nn.Conv2d for module in quick.modules())
    got = quick(pixels.contiguous(memory_format=torch.channels_last))
    for left, right in zip(
        wanted.cls_logits + wanted.kernels, got.cls_logits + got.kernels, strict=True
    ):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(wanted.mask_features, got.mask_features, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_an_untrained_network_is_quiet() -> None:
    torch.manual_seed(0)
    output = Solov2Nano().eval()(torch.randn(1, 3, 96, 128))
    for logits in output.cls_logits:
        assert logits.sigmoid().max() < 0.1


@torch.inference_mode()
def test_masks_know_where_they_are(network: Solov2Nano) -> None:
    flat = network(torch.zeros(1, 3, 320, 320)).mask_features[0]
    middle = flat[:, 20:-20, 20:-20]  # away from the padding of the convolutions
    assert (middle[:, :, 0] - middle[:, :, -1]).abs().max() > 1e-3
    assert (middle[:, 0] - middle[:, -1]).abs().max() > 1e-3


def test_the_bundled_weights_say_what_they_are() -> None:
    metadata = load(BUNDLED).metadata
    assert BUNDLED.stat().st_size < 8e6
    assert (metadata.network, metadata.classes) == (NANO.name, NANO.classes)
    assert metadata.preprocessing is not None
    assert metadata.preprocessing.mean == NANO.mean
    assert int(metadata.notes["iterations"]) > 1000
    assert (ROOT / metadata.notes["card"]).is_file()


def test_the_bundled_weights_see_the_demo() -> None:
    demo = scene("demo")
    examples = scene_examples(demo, NANO.classes, every=demo.frames // 5)
    person, shape = evaluate(open_segmenter(BUNDLED), examples)
    assert person.instances == 0
    assert shape.ap50 > 0.8
