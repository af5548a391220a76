"""SOLOv2 against mmdetection: keys, every stored tensor, every detection."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.networks.segmenter import Batch, Found, Placement
from stages.networks.solov2.convolutions import coordinates
from stages.networks.solov2.head import Head, towards_grids
from stages.networks.solov2.model import Solov2Segmenter
from stages.networks.solov2.network import Solov2
from stages.networks.solov2.output import HeadOutput
from stages.networks.solov2.postprocess import cell_scores, select, weigh
from stages.networks.solov2.spec import LIGHT_R18, SPECS, ResNetSpec, Spec

from .golden import EVERY_CELL, Golden, dense, iou, key_table, read_golden, spec_of, thresholds_of
from .golden_recipe import SEED, make_weights, pseudo_image, weights_sha256

MODELS = (
    "solov2-light_r18_fpn.320x448",
    "solov2-light_r18_fpn.333x500",
    "solov2-light_r18_fpn.333x500.resized",
    "solov2-light_r18_fpn.batch2",
    "solov2_r50_fpn.320x448",
    "solov2_r50_fpn.333x500",
    "solov2_r50_fpn.250x375.resized",
)
TENSORS, SCORES, IOU = 1e-3, 1e-3, 0.999


def fill(network: nn.Module, prefix: str = "") -> dict[str, NDArray[np.generic]]:
    """The recipe's weights, loaded strictly."""
    shapes = {prefix + key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = make_weights(shapes)
    network.load_state_dict(
        {key.removeprefix(prefix): torch.from_numpy(value) for key, value in weights.items()}
    )
    return weights


@cache
def filled(spec: ResNetSpec) -> Solov2:
    network = Solov2(spec).eval()
    fill(network)
    return network


class Recorded(nn.Module):
    """A network that has already spoken: what it said of one batch."""

    def __init__(self, output: HeadOutput) -> None:
        super().__init__()
        self.output = output

    def forward(self, x_B3HW: Tensor) -> HeadOutput:
        del x_B3HW
        return self.output


@dataclass(frozen=True, eq=False)
class Run:
    """One stored batch and what our network says of it."""

    golden: Golden
    spec: Spec
    batch: Batch
    output: HeadOutput

    def segmenter(self, tag: str, fixed: bool, products: int) -> Solov2Segmenter:
        """What comes after the network, with the settings of ``tag``."""
        thresholds = thresholds_of(self.golden.meta["results"][tag]["test_cfg"], products)
        return Solov2Segmenter(
            Recorded(self.output), self.spec, self.spec.classes, thresholds, fixed=fixed
        )


def segmenter_of(golden: Golden) -> Solov2Segmenter:
    """The whole of it, at the size that the file's pictures were resized to."""
    spec = spec_of(golden.meta["config"])
    network = filled(spec)
    if scale := golden.meta["images"][0].get("scale"):
        spec = replace(spec, long_px=max(scale), short_px=min(scale))
    thresholds = thresholds_of(golden.meta["results"]["default"]["test_cfg"])
    return Solov2Segmenter(network, spec, spec.classes, thresholds)


def batch_of(golden: Golden, segmenter: Solov2Segmenter) -> Batch:
    pictures = [
        pseudo_image(image["height"], image["width"], image["image_seed"])
        for image in golden.meta["images"]
    ]
    return segmenter.prepare(pictures) if "scale" in golden.meta["images"][0] else plain(pictures)


def plain(pictures: list[NDArray[np.uint8]]) -> Batch:
    """A batch of pictures that mmdetection was given without resizing."""
    sizes = [(picture.shape[0], picture.shape[1]) for picture in pictures]
    height, width = (-(-max(sides) // 32) * 32 for sides in zip(*sizes, strict=True))
    pixels = np.zeros((len(pictures), height, width, 3), np.uint8)
    for target, picture in zip(pixels, pictures, strict=True):
        target[: picture.shape[0], : picture.shape[1]] = picture
    return Batch(torch.from_numpy(pixels), tuple(Placement(size, size) for size in sizes))


@cache
def run(name: str) -> Run:
    golden = read_golden(name)
    segmenter = segmenter_of(golden)
    batch = batch_of(golden, segmenter)
    network = filled(spec_of(golden.meta["config"]))
    with torch.inference_mode():
        output = network(segmenter.normalise(batch.pixels, batch.placements))
    return Run(golden, segmenter.spec, batch, output)


@torch.inference_mode()
def tensors_of(one: Run) -> dict[str, Tensor]:
    """What lies between, each by its stored name."""
    network = filled(spec_of(one.golden.meta["config"]))
    segmenter = segmenter_of(one.golden)
    x = segmenter.normalise(one.batch.pixels, one.batch.placements)
    levels = network.backbone(x)
    tensors = {"input": x, "mask_feats": one.output.mask_features}
    tensors |= {f"C{number}": level for number, level in enumerate(levels, 2)}
    tensors |= {f"P{number}": level for number, level in enumerate(network.neck(levels), 2)}
    tensors |= {f"cls{number}": logits for number, logits in enumerate(one.output.cls_logits)}
    return tensors | {f"kernel{n}": kernels for n, kernels in enumerate(one.output.kernels)}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_keys_and_hyper_parameters_are_mmdetections(spec: ResNetSpec) -> None:
    with torch.device("meta"):
        state = Solov2(spec).state_dict()
    table = key_table(spec)
    assert [(key, list(value.shape)) for key, value in state.items()] == [
        *table["state_dict"].items()
    ]
    head, hyper = table["hyper"]["mask_head_effective"], table["hyper"]
    assert (spec.grids, spec.strides) == (tuple(head["num_grids"]), tuple(head["strides"]))
    assert [list(bounds) for bounds in spec.scale_ranges] == head["scale_ranges"]
    assert [spec.short_px, spec.long_px] == sorted(hyper["test_resize"]["scale"])
    assert list(spec.mean) == hyper["data_preprocessor"]["mean"]
    assert list(spec.std) == hyper["data_preprocessor"]["std"]
    assert spec.size_divisor == hyper["data_preprocessor"]["pad_size_divisor"]
    assert (spec.center_region, len(spec.classes)) == (head["pos_scale"], head["num_classes"])


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_configuration_runs_with_the_recipe(spec: ResNetSpec) -> None:
    network = Solov2(spec).eval()
    weights = fill(network)
    assert weights_sha256(weights) == key_table(spec)["weights_sha256"][str(SEED)]
    with torch.inference_mode():
        output = network(torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)))
    assert [tuple(logits.shape) for logits in output.cls_logits] == [
        (1, len(spec.classes), grid, grid) for grid in spec.grids
    ]
    assert {kernels.shape[1] for kernels in output.kernels} == {spec.kernel_channels}
    assert output.mask_features.shape == (1, spec.kernel_channels, 16, 24)
    everything = [*output.cls_logits, *output.kernels, output.mask_features]
    assert all(bool(tensor.isfinite().all()) for tensor in everything)


@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_is_mmdetections(name: str) -> None:
    golden, tensors = run(name).golden, tensors_of(run(name))
    for key, stored in golden.meta["tensors"].items():
        part, index = key.split(".")
        full = tensors[part][int(index)].numpy()
        c, y, x = stored["step"]
        assert full.shape == tuple(stored["shape"]), key
        assert np.abs(full[::c, ::y, ::x] - golden.arrays[key]).max() < TENSORS, key
        if f"{key}.chmean" in golden.arrays:
            mean, size = full.mean((1, 2)), np.abs(full).mean((1, 2))
            assert np.abs(mean - golden.arrays[f"{key}.chmean"]).max() < TENSORS, key
            assert np.abs(size - golden.arrays[f"{key}.chabsmean"]).max() < TENSORS, key


@pytest.mark.parametrize("name", [name for name in MODELS if "resized" in name])
def test_pictures_are_resized_as_mmdetection_does(name: str) -> None:
    golden, batch = run(name).golden, run(name).batch
    images = zip(golden.meta["images"], batch.placements, batch.pixels.numpy(), strict=True)
    for index, (image, placement, pixels) in enumerate(images):
        assert placement.source == (image["height"], image["width"])
        height, width = image["resized"]
        assert placement.resized == (height, width)
        assert (pixels[:height, :width] == golden.arrays[f"resized_uint8_bgr.{index}"]).all()
        assert not pixels[height:].any()
        assert not pixels[:, width:].any()


@pytest.mark.parametrize("name", MODELS)
def test_the_folded_network_finds_what_mmdetection_finds(name: str) -> None:
    golden, batch = run(name).golden, run(name).batch
    segmenter = segmenter_of(golden)
    check(golden, "default", segmenter, batch)


@pytest.mark.parametrize("products", [EVERY_CELL, 800], ids=["valid", "fixed"])
@pytest.mark.parametrize("tag", ["default", "low", "loose"])
@pytest.mark.parametrize("name", MODELS)
def test_every_detection_is_mmdetections(name: str, tag: str, products: int) -> None:
    segmenter = run(name).segmenter(tag, products == 800, products)
    check(run(name).golden, tag, segmenter, run(name).batch)


def check(golden: Golden, tag: str, segmenter: Solov2Segmenter, batch: Batch) -> None:
    tensors = segmenter.detect(batch.pixels, batch.placements)
    found = segmenter.collect(tensors, batch.placements)
    for index, (one, placement) in enumerate(zip(found, batch.placements, strict=True)):
        check_detections(golden, f"{tag}.{index}", one, placement.source)


def check_detections(golden: Golden, key: str, found: Found, shape: tuple[int, int]) -> None:
    """Each detection of mmdetection has one of ours; equal scores may have changed places."""
    scores, labels = golden.arrays[f"{key}.scores"], golden.arrays[f"{key}.labels"]
    assert len(found.scores) == len(scores)
    assert (np.diff(found.scores) <= 0).all()
    assert np.abs(found.scores - scores).max(initial=0) < SCORES
    masks = golden.masks(f"{key}.masks", shape) if f"{key}.masks" in golden.arrays else None
    ours = [dense(crop, shape) for crop in found.crops]
    free = set(range(len(ours)))
    for wanted, (score, label) in enumerate(zip(scores, labels, strict=True)):
        near = [
            n for n in free if found.classes[n] == label and abs(found.scores[n] - score) < SCORES
        ]
        if masks is None:
            area = golden.arrays[f"{key}.areas"][wanted]
            best = min(near, key=lambda n: abs(int(ours[n].sum()) - area))
            assert abs(int(ours[best].sum()) - area) <= max(2, area // 1000)
        else:
            best = max(near, key=lambda n: iou(ours[n], masks[wanted]))
            assert iou(ours[best], masks[wanted]) > IOU
        free.remove(best)
    assert not free


@pytest.mark.parametrize("tag", ["default", "low", "loose"])
@pytest.mark.parametrize("name", MODELS)
def test_what_enters_matrix_nms_is_mmdetections(name: str, tag: str) -> None:
    arrays, output = run(name).golden.arrays, run(name).output
    test_cfg = run(name).golden.meta["results"][tag]["test_cfg"]
    unfiltered = replace(thresholds_of(test_cfg), filter=0.0)
    scores = cell_scores(output, unfiltered)
    weighed = weigh(select(scores, output, run(name).spec.strides, 800), output, unfiltered)
    for index in range(len(output.mask_features)):
        best, order = weighed.scores[index].sort(descending=True)
        valid = order[best >= 0]
        wanted = arrays[f"{tag}.{index}.cand_scores"]
        assert len(valid) == len(wanted)
        assert np.abs(weighed.scores[index][valid].numpy() - wanted).max() < SCORES
        ours = (weighed.classes[index][valid].tolist(), weighed.areas[index][valid].tolist())
        theirs = (arrays[f"{tag}.{index}.cand_labels"], arrays[f"{tag}.{index}.cand_area"])
        pairs = zip(sorted(zip(*ours, strict=True)), sorted(zip(*theirs, strict=True)), strict=True)
        for (label, area), (their_label, their_area) in pairs:
            assert label == their_label
            assert abs(area - their_area) <= 2


def test_the_head_alone_is_mmdetections() -> None:
    golden = read_golden("head_forward")
    grids, inner = tuple(golden.meta["num_grids"]), 32
    spec = replace(
        LIGHT_R18,
        classes=tuple(map(str, range(golden.meta["num_classes"]))),
        grids=grids,
        fpn_channels=inner,
        tower_channels=inner,
        kernel_channels=inner,
        mask_channels=inner,
    )
    head = Head(spec).eval()
    assert weights_sha256(fill(head, "mask_head.")) == golden.meta["weights_sha256"]
    levels = [torch.from_numpy(golden.arrays[f"feat{index}"]) for index in range(5)]
    with torch.inference_mode():
        output, resized = head(levels), towards_grids(levels)
    wanted = golden.arrays
    assert np.abs(output.mask_features.numpy() - wanted["mask_feats"]).max() < 1e-5
    for index in range(5):
        assert np.abs(output.cls_logits[index].numpy() - wanted[f"cls{index}"]).max() < 1e-4
        assert np.abs(output.kernels[index].numpy() - wanted[f"kernel{index}"]).max() < 1e-5
    for index in (0, 4):
        assert np.abs(resized[index].numpy() - wanted[f"resized{index}"]).max() < 1e-6
    for height, width in ((5, 7), (1, 1)):
        where = coordinates(torch.zeros(1, 3, height, width)).numpy()
        assert np.abs(where - wanted[f"coord_{height}x{width}"]).max() < 1e-6
