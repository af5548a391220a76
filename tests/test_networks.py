"""Networks by name, pictures of any shape, and fast copies that must say the same."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import (  # type: ignore[import-untyped]
    paste_masks_in_image,
)

from pipeline.errors import ConfigError
from pipeline.masks import Masks
from stages.networks import NETWORKS, build_network, make_segmenter
from stages.networks.canvas import lay_out, resized_size
from stages.networks.coco_classes import COCO_CATEGORY_IDS, COCO_CLASSES
from stages.networks.mask_rcnn import MaskRcnn, MaskRcnnSpec, paste
from stages.networks.segmenter import Found, Segmenter
from stages.networks.solov2.builders import solov2_light_r18, solov2_nano
from stages.networks.solov2.fast import fold_batch_norm, quicken
from stages.networks.solov2.model import Solov2Segmenter
from stages.networks.solov2.network import Solov2
from stages.networks.solov2.output import HeadOutput
from stages.networks.thresholds import Thresholds

from .golden import dense, iou
from .golden_recipe import make_weights, pseudo_image

CPU = torch.device("cpu")
ALL = Thresholds(score=0.02, filter=0.05, products=300)
NO_CUDA = "no CUDA device; the test over `fixed` on the CPU is its sibling"


def seen(segmenter: Segmenter, pictures: list[NDArray[np.uint8]]) -> list[Found]:
    batch = segmenter.prepare(pictures)
    tensors = segmenter.detect(batch.pixels, batch.placements)
    return segmenter.collect(tensors, batch.placements)


@pytest.fixture(scope="module")
def light() -> Solov2:
    network = solov2_light_r18()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = make_weights(shapes)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    return network.eval()


def small(network: Solov2, **changes: bool | torch.dtype | torch.device) -> Solov2Segmenter:
    spec = replace(network.spec, long_px=160, short_px=96)
    return Solov2Segmenter(network, spec, spec.classes, ALL, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_built_by_name_for_any_classes(name: str) -> None:
    with torch.device("meta"):
        network = build_network(name, ["cat", "dog", "fish"])
        assert build_network(name).spec.name == name
    assert network.spec.classes == ("cat", "dog", "fish")


def test_an_unknown_network_is_refused_with_the_known_names() -> None:
    with pytest.raises(ConfigError, match=r"segment\.network: wanted one of solov2-nano, .*'yolo'"):
        build_network("yolo")


def test_classes_and_categories_are_cocos() -> None:
    assert (len(COCO_CLASSES), len(set(COCO_CLASSES))) == (80, 80)
    named = dict(zip(COCO_CLASSES, COCO_CATEGORY_IDS, strict=True))
    assert [named[name] for name in ("person", "stop sign", "bench", "toothbrush")] == [
        1,
        13,
        15,
        90,
    ]


@pytest.mark.parametrize(
    ("source", "aspect", "resized"),
    [
        ((720, 1280), 1.0, (432, 768)),
        ((333, 500), 1.0, (448, 673)),
        ((1280, 720), 1.0, (768, 432)),
        ((576, 720), 16 / 15, (448, 597)),
        ((1, 1), 1.0, (448, 448)),
        ((1, 5000), 1.0, (1, 768)),
    ],
)
def test_resized_sizes_keep_the_shown_shape(
    source: tuple[int, int], aspect: float, resized: tuple[int, int]
) -> None:
    assert resized_size(*source, long_px=768, short_px=448, aspect=aspect) == resized


def test_a_batch_is_one_canvas_padded_below_and_at_the_right() -> None:
    pictures = [np.full((40, 60, 3), 9, np.uint8), np.full((50, 30, 3), 7, np.uint8)]
    batch = lay_out(pictures, [1.0, 1.0], long_px=96, short_px=64, divisor=32)
    assert [place.resized for place in batch.placements] == [(64, 96), (96, 58)]
    assert batch.pixels.shape == (2, 96, 96, 3)
    assert (batch.pixels[0, :64] == 9).all()
    assert not batch.pixels[0, 64:].any()
    assert not batch.pixels[1, :, 58:].any()


@pytest.mark.parametrize("shape", [(10, 10), (10, 10, 4), (0, 10, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a picture must"):
        lay_out([np.zeros(shape, np.uint8)], long_px=96, short_px=64, divisor=32)


@pytest.mark.parametrize("fixed", [False, True], ids=["valid", "fixed"])
def test_results_lie_in_the_source_picture(light: Solov2, fixed: bool) -> None:
    pictures = [pseudo_image(90, 141, 5), pseudo_image(40, 77, 6), pseudo_image(1, 1, 7)]
    for picture, found in zip(pictures, seen(small(light, fixed=fixed), pictures), strict=True):
        height, width = picture.shape[:2]
        masks = Masks.from_crops(height, width, found.crops)
        assert len(masks) == len(found.scores) == len(found.classes)
        assert found.scores.dtype == np.dtype(np.float32)
        assert found.classes.dtype == np.dtype(np.int32)
        assert (np.diff(found.scores) <= 0).all()
    assert len(found.scores) <= ALL.max_instances


def same(first: list[Found], second: list[Found], shape: tuple[int, int], least: float) -> None:
    for a, b in zip(first, second, strict=True):
        assert (a.classes == b.classes).all()
        assert np.abs(a.scores - b.scores).max(initial=0) < 1 - least
        for crop, other in zip(a.crops, b.crops, strict=True):
            assert iou(dense(crop, shape), dense(other, shape)) >= least


def test_fixed_shapes_and_only_what_counts_give_the_same(light: Solov2) -> None:
    pictures = [pseudo_image(90, 141, seed) for seed in (5, 8)]
    found = seen(small(light, fixed=False), pictures)
    assert sum(len(one.scores) for one in found) > 5
    same(found, seen(small(light, fixed=True), pictures), (90, 141), 0.999)


def test_the_small_network_runs_behind_the_same_contract() -> None:
    torch.manual_seed(0)
    segmenter = make_segmenter(solov2_nano(["thing"]), Thresholds(score=0.0, filter=0.0))
    assert (segmenter.name, segmenter.classes) == ("solov2-nano", ("thing",))
    (found,) = seen(segmenter, [pseudo_image(90, 160, 5)])
    assert len(found.scores) <= 100


@pytest.mark.parametrize("build", [solov2_light_r18, solov2_nano])
def test_folding_batch_norm_changes_no_result(build: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(std=0.1)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        plain = network(x)
        fold_batch_norm(network)
        folded = network(x)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(plain.mask_features, folded.mask_features, atol=1e-4)
    for a, b in zip(
        plain.cls_logits + plain.kernels, folded.cls_logits + folded.kernels, strict=True
    ):
        assert torch.allclose(a, b, atol=1e-4)


class Misregistered(nn.Module):
    """Registers a norm behind a convolution that it does not follow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.bn = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> HeadOutput:
        y = self.conv(torch.relu(self.bn(x)))
        return HeadOutput((y,), (y,), y)


class Fragile(nn.Module):
    """Knows float32 only."""

    def forward(self, x: Tensor) -> HeadOutput:
        y = x @ torch.ones(x.shape[-1], 1)
        return HeadOutput((y,), (y,), y)


def test_a_fast_network_that_says_otherwise_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    network = Misregistered()
    network.bn.running_mean = torch.tensor([3.0, -2.0, 1.0])
    with caplog.at_level(logging.WARNING, "maskstream.networks"):
        used, precision = quicken(network, CPU, torch.float32)
    assert "differs from the plain one" in caplog.text
    assert precision == torch.float32
    assert isinstance(used, Misregistered)
    assert isinstance(used.bn, nn.BatchNorm2d)
    assert not used.training


def test_a_fast_network_that_fails_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "maskstream.networks"):
        _, precision = quicken(Fragile(), CPU, torch.bfloat16)
    assert "the fast network fails" in caplog.text
    assert precision == torch.float32


class Overflowing(nn.Module):
    """Its last output is NaN in float16; the others are always right."""

    def forward(self, x: Tensor) -> HeadOutput:
        large = x * 60_000
        return HeadOutput((x,), (x,), large - large + x)


def test_a_fast_network_that_overflows_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "maskstream.networks"):
        _, precision = quicken(Overflowing(), CPU, torch.float16)
    assert "differs from the plain one by nan" in caplog.text
    assert precision == torch.float32


def test_half_precision_finds_nearly_the_same(light: Solov2) -> None:
    picture = [pseudo_image(90, 141, 5)]
    (exact,) = seen(small(light), picture)
    (half,) = seen(small(light, precision=torch.bfloat16), picture)
    assert abs(len(exact.scores) - len(half.scores)) <= 0.3 * len(exact.scores)
    assert half.scores.dtype == np.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_CUDA)
@pytest.mark.parametrize("graphs", [False, True], ids=["eager", "graph"])
def test_a_cuda_device_finds_the_same(light: Solov2, graphs: bool) -> None:
    pictures = [pseudo_image(90, 141, seed) for seed in (5, 8)]
    expected = seen(small(light, fixed=True), pictures)
    segmenter = small(light, device=torch.device("cuda"), graphs=graphs)
    batch = segmenter.prepare(pictures)
    for _ in range(2):  # captured, then replayed
        tensors = segmenter.detect(batch.pixels.cuda(), batch.placements)
        host = {name: tensor.cpu() for name, tensor in tensors.items()}
        same(expected, segmenter.collect(host, batch.placements), (90, 141), 0.99)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_CUDA)
def test_nothing_synchronises_before_collect(light: Solov2) -> None:
    segmenter = small(light, device=torch.device("cuda"), graphs=False)
    batch = segmenter.prepare([pseudo_image(90, 141, 5)])
    pixels = batch.pixels.cuda()
    segmenter.detect(pixels, batch.placements)  # makes what is kept for this shape
    torch.cuda.set_sync_debug_mode("error")
    try:
        segmenter.detect(pixels, batch.placements)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_mask_rcnn_runs_behind_the_same_contract() -> None:
    torch.manual_seed(0)
    network = MaskRcnn(MaskRcnnSpec(classes=("cat", "dog"), long_px=160, short_px=128))
    segmenter = make_segmenter(network, Thresholds(score=0.01, filter=0.0, max_instances=5))
    assert segmenter.classes == ("cat", "dog")
    pictures = [pseudo_image(60, 100, 5), pseudo_image(50, 90, 6)]
    for picture, found in zip(pictures, seen(segmenter, pictures), strict=True):
        Masks.from_crops(picture.shape[0], picture.shape[1], found.crops)
        assert 0 < len(found.scores) <= 5
        assert set(found.classes.tolist()) <= {0, 1}


def test_masks_of_boxes_are_pasted_as_torchvision_does() -> None:
    generator = torch.Generator().manual_seed(0)
    soft = torch.rand(6, 28, 28, generator=generator)
    boxes = torch.tensor(
        [
            [3.3, 4.9, 40.2, 33.1],
            [-9, -4, 12, 20],
            [50, 30, 99, 77],
            [10, 10, 10.4, 10.6],
            [-5, 5, 120, 40],
            [70, 20, 84, 59],
        ]
    )
    wanted = paste_masks_in_image(soft[:, None], boxes, (60, 80), padding=1)[:, 0] > 0.5
    for mask, box, bits in zip(soft, boxes, wanted, strict=True):
        assert (dense(paste(mask, box, (60, 80), 0.5), (60, 80)) == bits.numpy()).all()
