"""Key names of the original repository, AdelaiDet and torchvision, and files written with them."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stages.networks import NETWORKS
from stages.networks.checkpoint import Checkpoint, Metadata, load
from stages.networks.coco_classes import COCO_CLASSES
from stages.networks.dialects import detect, rename
from stages.networks.fitting import class_count, table_of
from stages.networks.loading import load_network, network_of
from tests.golden_recipe import make_weights

State = dict[str, Tensor]

# Our names to theirs: the facts of the key tables, written the other way round.
TO_ORIG = (
    (r"^mask_head\.mask_feature_head\.conv_pred\.", "mask_feat_head.conv_pred.0."),
    (r"^mask_head\.mask_feature_head\.", "mask_feat_head."),
    (r"^mask_head\.cls_convs\.", "bbox_head.cate_convs."),
    (r"^mask_head\.conv_cls\.", "bbox_head.solo_cate."),
    (r"^mask_head\.conv_kernel\.", "bbox_head.solo_kernel."),
    (r"^mask_head\.", "bbox_head."),
)
TO_ADET = (
    (r"^backbone\.conv1\.", "backbone.bottom_up.stem.conv1."),
    (r"^backbone\.bn1\.", "backbone.bottom_up.stem.conv1.norm."),
    *((rf"^backbone\.layer{n}\.", f"backbone.bottom_up.res{n + 1}.") for n in (4, 3, 2, 1)),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut.norm."),
    (r"\.bn([123])\.", r".conv\1.norm."),
    *((rf"^neck\.lateral_convs\.{n}\.conv\.", f"backbone.fpn_lateral{n + 2}.") for n in range(4)),
    *((rf"^neck\.fpn_convs\.{n}\.conv\.", f"backbone.fpn_output{n + 2}.") for n in range(4)),
    *((rf"^mask_head\.cls_convs\.{n}\.conv", f"ins_head.cate_tower.{3 * n}") for n in range(4)),
    *((rf"^mask_head\.cls_convs\.{n}\.gn", f"ins_head.cate_tower.{3 * n + 1}") for n in range(4)),
    *((rf"head\.kernel_convs\.{n}\.conv", f"head.kernel_tower.{3 * n}") for n in range(4)),
    *((rf"head\.kernel_convs\.{n}\.gn", f"head.kernel_tower.{3 * n + 1}") for n in range(4)),
    (r"^mask_head\.kernel_tower", "ins_head.kernel_tower"),
    (r"^mask_head\.conv_cls\.", "ins_head.cate_pred."),
    (r"^mask_head\.conv_kernel\.", "ins_head.kernel_pred."),
    (r"^(mask_head\.)mask_feature_head\.(.*)\.conv\.", r"\1\2.0."),
    (r"^(mask_head\.)mask_feature_head\.(.*)\.gn\.", r"\1\2.1."),
)  # fmt: skip


def renamed(state: Mapping[str, Tensor], rules: tuple[tuple[str, str], ...]) -> State:
    result = {}
    for key, tensor in state.items():
        theirs = key
        for pattern, replacement in rules:
            theirs, count = re.subn(pattern, replacement, theirs)
            if count and rules is TO_ORIG:
                break
        result[theirs] = tensor
    return result


@pytest.fixture(scope="module")
def state() -> State:
    """The recipe weights of solov2-light-r18."""
    table = table_of(NETWORKS["solov2-light-r18"]())
    return {key: torch.from_numpy(array) for key, array in make_weights(table).items()}


def same(tensors: Mapping[str, Tensor], state: State) -> bool:
    return tensors.keys() == state.keys() and all(
        torch.equal(tensors[key], tensor) for key, tensor in state.items()
    )


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.layer3.5.conv2.conv_offset.bias", "backbone.layer3.5.conv2.conv_offset.bias"),
        ("backbone.layer3.5.conv2_offset.bias", "backbone.layer3.5.conv2.conv_offset.bias"),
        ("bbox_head.cate_convs.3.gn.weight", "mask_head.cls_convs.3.gn.weight"),
        ("bbox_head.kernel_convs.0.conv.weight", "mask_head.kernel_convs.0.conv.weight"),
        ("bbox_head.solo_cate.bias", "mask_head.conv_cls.bias"),
        ("bbox_head.solo_kernel.weight", "mask_head.conv_kernel.weight"),
        (
            "mask_feat_head.convs_all_levels.3.conv1.gn.bias",
            "mask_head.mask_feature_head.convs_all_levels.3.conv1.gn.bias",
        ),
        (
            "mask_feat_head.conv_pred.0.conv.weight",
            "mask_head.mask_feature_head.conv_pred.conv.weight",
        ),
        ("bbox_head.ins_convs.2.gn.bias", "mask_head.mask_convs.2.gn.bias"),
        ("bbox_head.ins_convs_x.2.gn.bias", "mask_head.mask_convs_x.2.gn.bias"),
        ("bbox_head.solo_ins_list.1.bias", "mask_head.conv_mask_list.1.bias"),
        ("bbox_head.dsolo_ins_list_y.1.bias", "mask_head.conv_mask_list_y.1.bias"),
        ("bbox_head.dsolo_cate.bias", "mask_head.conv_cls.bias"),
        ("bbox_head.something.new", "bbox_head.something.new"),
    ],
)
def test_names_of_the_original_repository(theirs: str, ours: str) -> None:
    assert rename({theirs: 1}, "orig") == {ours: 1}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.bottom_up.stem.conv1.weight", "backbone.conv1.weight"),
        ("backbone.bottom_up.stem.conv1.norm.running_var", "backbone.bn1.running_var"),
        ("backbone.bottom_up.res5.2.conv3.weight", "backbone.layer4.2.conv3.weight"),
        ("backbone.bottom_up.res2.0.conv1.norm.bias", "backbone.layer1.0.bn1.bias"),
        ("backbone.bottom_up.res4.0.shortcut.weight", "backbone.layer3.0.downsample.0.weight"),
        ("backbone.bottom_up.res4.0.shortcut.norm.bias", "backbone.layer3.0.downsample.1.bias"),
        ("backbone.fpn_lateral2.bias", "neck.lateral_convs.0.conv.bias"),
        ("backbone.fpn_output5.weight", "neck.fpn_convs.3.conv.weight"),
        ("ins_head.cate_tower.9.weight", "mask_head.cls_convs.3.conv.weight"),
        ("ins_head.cate_tower.10.bias", "mask_head.cls_convs.3.gn.bias"),
        ("ins_head.kernel_tower.0.weight", "mask_head.kernel_convs.0.conv.weight"),
        ("ins_head.cate_pred.weight", "mask_head.conv_cls.weight"),
        ("ins_head.kernel_pred.bias", "mask_head.conv_kernel.bias"),
        (
            "mask_head.convs_all_levels.2.conv1.0.weight",
            "mask_head.mask_feature_head.convs_all_levels.2.conv1.conv.weight",
        ),
        ("mask_head.conv_pred.1.bias", "mask_head.mask_feature_head.conv_pred.gn.bias"),
        ("ins_head.cate_tower.11.weight", "ins_head.cate_tower.11.weight"),
        ("backbone.bottom_up.res0.0.conv1.weight", "backbone.bottom_up.res0.0.conv1.weight"),
    ],
)
def test_names_of_adelaidet(theirs: str, ours: str) -> None:
    assert rename({theirs: 1}, "adet") == {ours: 1}


def test_two_keys_never_become_one() -> None:
    both = {"bbox_head.solo_cate.bias": 1, "bbox_head.dsolo_cate.bias": 2}
    assert sorted(rename(both, "orig").values()) == [1, 2]


def test_a_dialect_is_known_by_its_prefixes() -> None:
    assert detect(["mask_head.conv_pred.0.weight", "ins_head.cate_pred.bias"]) == "adet"
    assert detect(["backbone.conv1.weight", "bbox_head.solo_cate.bias"]) == "orig"
    assert detect(["backbone.conv1.weight", "mask_head.cls_convs.0.gn.bias"]) == "mmdet"
    assert detect(["head.score.bias"]) == "plain"


def test_mmdetection_s_file_is_loaded_and_recognised(tmp_path: Path, state: State) -> None:
    torch.save({"state_dict": state, "meta": {"CLASSES": COCO_CLASSES}}, tmp_path / "a.pth")
    checkpoint = load(tmp_path / "a.pth")
    assert checkpoint.dialect == "mmdet"
    assert same(checkpoint.tensors, state)
    network = load_network(checkpoint)
    assert network.spec.name == "solov2-light-r18"
    assert same(network.state_dict(), state)


def test_the_original_repository_s_file(tmp_path: Path, state: State) -> None:
    theirs = {f"module.{key}": tensor for key, tensor in renamed(state, TO_ORIG).items()}
    torch.save({"state_dict": theirs, "optimizer": {}}, tmp_path / "a.pth")
    checkpoint = load(tmp_path / "a.pth")
    assert checkpoint.dialect == "orig"
    assert same(checkpoint.tensors, state)
    assert network_of(checkpoint) == "solov2-light-r18"


def test_adelaidet_s_file_brings_its_preprocessing(
    tmp_path: Path, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    """Its stem wants BGR without scaling, and its frozen norms have no counters."""
    kept = {key: tensor for key, tensor in state.items() if not key.endswith("_tracked")}
    torch.save({"model": renamed(kept, TO_ADET)}, tmp_path / "a.pth")
    checkpoint = load(tmp_path / "a.pth")
    assert checkpoint.dialect == "adet"
    assert "STRIDE_IN_1X1" in caplog.text
    assert same(checkpoint.tensors, kept)
    network = load_network(checkpoint, "solov2-light-r18")
    assert same(network.state_dict(), state)
    spec = network.spec
    assert (spec.channel_order, spec.std) == ("bgr", (1.0, 1.0, 1.0))  # type: ignore[union-attr]
    assert spec.mean == (103.53, 116.28, 123.675)  # type: ignore[union-attr]


def test_torchvision_s_old_names_as_torchvision_reads_them() -> None:
    network = NETWORKS["mask-rcnn-r50"]()
    today = network.state_dict()
    old = {}
    for key, tensor in today.items():
        name = re.sub(r"(_blocks\.\d)\.0\.", r"\1.", key)
        name = name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        name = re.sub(
            r"mask_head\.(\d)\.0\.", lambda m: f"mask_head.mask_fcn{int(m[1]) + 1}.", name
        )
        old[name] = tensor
    assert len(old.keys() - today.keys()) == 26
    network.load_state_dict(old)  # torchvision's own migration knows these names
    assert detect(old) == "torchvision"
    assert rename(old, "torchvision").keys() == today.keys()
    checkpoint = Checkpoint(rename(old, "torchvision"), Metadata(), "torchvision", "", "x")
    assert network_of(checkpoint) == "mask-rcnn-r50"
    assert class_count(checkpoint.tensors) == 80
