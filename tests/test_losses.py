"""Losses: mmdetection's numbers and gradients, and a whole training step of its light r18."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.learning.losses import dice_loss, focal_loss, solov2_losses
from stages.learning.targets import PictureTargets, picture_targets
from stages.networks.solov2.network import Solov2
from stages.networks.solov2.output import HeadOutput
from stages.networks.solov2.spec import LIGHT_R18, Spec

from .golden import learning_spec
from .golden_recipe import make_weights, pseudo_image

GOLDEN = Path(__file__).parent / "data" / "golden"
KINDS = ("mixed", "one_empty_image", "no_gt", "random")
LEVELS = range(5)


@pytest.fixture(scope="module")
def golden() -> Iterator[Any]:
    with np.load(GOLDEN / "targets_and_loss.npz") as arrays:
        yield arrays


def tensor(array: NDArray[Any], requires_grad: bool = False) -> Tensor:
    return torch.tensor(array).requires_grad_(requires_grad)


def predictions(golden: Any) -> HeadOutput:
    return HeadOutput(
        tuple(tensor(golden[f"cls{level}"], requires_grad=True) for level in LEVELS),
        tuple(tensor(golden[f"kernel{level}"], requires_grad=True) for level in LEVELS),
        tensor(golden["mask_feats"], requires_grad=True),
    )


def truth(
    arrays: Any,
    name: str,
    size: tuple[int, int],
    spec: Spec,
    canvas: tuple[int, int] | None = None,
) -> PictureTargets:
    """Targets of a stored picture of ``size``, in the upper left corner of ``canvas``."""
    bits = np.unpackbits(arrays[f"{name}.gt_masks"], axis=1)[:, : size[0] * size[1]]
    masks = np.zeros((len(bits), *(canvas or size)), np.uint8)
    masks[:, : size[0], : size[1]] = bits.reshape(-1, *size)
    return picture_targets(masks, arrays[f"{name}.gt_labels"], spec, arrays[f"{name}.gt_bboxes"])


@pytest.mark.parametrize("kind", KINDS)
def test_losses_and_gradients_are_mmdetections(golden: Any, kind: str) -> None:
    meta = json.loads(str(golden["meta"]))
    targets = [truth(golden, f"{kind}.{b}", (160, 224), learning_spec(meta)) for b in (0, 1)]
    output = predictions(golden)
    losses = solov2_losses(output, targets)
    losses.total().backward()
    wanted = meta["kinds"][kind]
    assert losses.classes.item() == pytest.approx(wanted["loss_cls"], rel=1e-5)
    assert losses.masks.item() == pytest.approx(wanted["loss_mask"], rel=1e-5, abs=1e-7)
    assert losses.positive_cells == wanted["num_pos_cells"]
    for level in LEVELS:
        _same_gradient(golden, f"{kind}.grad_cls{level}", output.cls_logits[level], np.s_[:])
        _same_gradient(golden, f"{kind}.grad_kernel{level}", output.kernels[level], np.s_[:, ::4])
    few = np.s_[:, ::8, ::2, ::2]
    _same_gradient(golden, f"{kind}.grad_mask_feats", output.mask_features, few)


def _same_gradient(golden: Any, name: str, values: Tensor, part: Any) -> None:
    if name in golden.files:
        assert values.grad is not None
        np.testing.assert_allclose(values.grad.numpy()[part], golden[name], rtol=1e-4, atol=1e-6)


def test_dice_and_focal_alone(golden: Any) -> None:
    soft = tensor(golden["dice.pred"]).sigmoid().flatten(1)
    dice = dice_loss(soft, tensor(golden["dice.target"]).flatten(1).float())
    np.testing.assert_allclose(3 * dice, golden["dice.loss_none_times3"], rtol=1e-5)
    focal = focal_loss(tensor(golden["focal.pred"]), tensor(golden["focal.target"])) / 7
    assert focal.item() == pytest.approx(float(golden["focal.loss_avg7"]), rel=1e-5)


def test_a_batch_with_nothing_in_it_teaches_only_background(golden: Any) -> None:
    meta = json.loads(str(golden["meta"]))
    nothing = [truth(golden, f"no_gt.{b}", (160, 224), learning_spec(meta)) for b in (0, 1)]
    output = predictions(golden)
    losses = solov2_losses(output, nothing)
    losses.total().backward()
    assert losses.masks.item() == 0
    assert output.mask_features.grad is not None
    assert not output.mask_features.grad.any()


def test_ignored_cells_do_not_count(golden: Any) -> None:
    meta = json.loads(str(golden["meta"]))
    nobody, nowhere = np.zeros((0, 160, 224), np.uint8), np.zeros(0, np.int64)
    everything = np.ones((160, 224), np.bool_)
    targets = picture_targets(nobody, nowhere, learning_spec(meta), ignore=everything)
    assert solov2_losses(predictions(golden), [targets, targets]).classes.item() == 0


def test_a_training_step_of_light_r18_is_mmdetections() -> None:
    with np.load(GOLDEN / "train_step_light_r18.npz") as arrays:
        meta = json.loads(str(arrays["meta"]))
        network, pixels = golden_network(meta), golden_pixels(meta)
        sizes = [(picture["height"], picture["width"]) for picture in meta["images"]]
        targets = [
            truth(arrays, str(index), size, LIGHT_R18, canvas=(192, 256))
            for index, size in enumerate(sizes)
        ]
    losses = solov2_losses(network(pixels), targets)
    losses.total().backward()
    assert losses.classes.item() == pytest.approx(meta["loss_cls"], rel=1e-4)
    assert losses.masks.item() == pytest.approx(meta["loss_mask"], rel=1e-4)
    norms = {
        key: value.grad.norm().item()
        for key, value in network.named_parameters()
        if value.grad is not None
    }
    wanted = {key: norm for key, norm in meta["grad_norm"].items() if norm is not None}
    assert norms == pytest.approx(wanted, rel=1e-3, abs=1e-5)


def golden_network(meta: dict[str, Any]) -> Solov2:
    network = Solov2(LIGHT_R18)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    tensors = make_weights(shapes, meta["seed"])
    network.load_state_dict({key: torch.from_numpy(value) for key, value in tensors.items()})
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    for key, value in network.named_parameters():
        value.requires_grad_(key not in meta["params_without_grad"])
    return network


def golden_pixels(meta: dict[str, Any]) -> Tensor:
    pixels = torch.zeros(meta["input_shape"])
    mean, std = (torch.tensor(values)[:, None, None] for values in (LIGHT_R18.mean, LIGHT_R18.std))
    for slot, picture in zip(pixels, meta["images"], strict=True):
        height, width = picture["height"], picture["width"]
        rgb = pseudo_image(height, width, picture["image_seed"])[..., ::-1].copy()
        slot[:, :height, :width] = (torch.from_numpy(rgb).permute(2, 0, 1) - mean) / std
    return pixels
