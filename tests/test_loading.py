"""Which network and which classes weights are for, and what is said when they are for others."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.errors import CheckpointMismatch, ConfigError, WeightsError
from stages.networks import NETWORKS, build_network, published_classes
from stages.networks.checkpoint import Checkpoint, Metadata, Preprocessing, load, save
from stages.networks.coco_classes import COCO_CLASSES
from stages.networks.dialects import Dialect
from stages.networks.fitting import Table, class_count, fit, identify, table_of
from stages.networks.loading import load_network, network_of
from stages.weights.places import locate

State = dict[str, Tensor]


def of(tensors: Mapping[str, Tensor], dialect: Dialect = "mmdet", **said: Any) -> Checkpoint:
    return Checkpoint(tensors, Metadata(**said), dialect, "0" * 64, "weights.pth")


def blank(name: str, classes: tuple[str, ...] | None = None) -> State:
    """The state dict of a network, shapes only."""
    with torch.device("meta"):
        return build_network(name, classes).state_dict()


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    with torch.device("meta"):
        return {name: table_of(build_network(name)) for name in NETWORKS}


def test_every_network_is_recognised_whatever_its_classes(tables: dict[str, Table]) -> None:
    for name in NETWORKS:
        for classes in (None, ("one", "two", "three")):
            tensors = blank(name, classes)
            assert identify(of(tensors), tables.items()) == name
            assert classes is None or class_count(tensors) == 3


def test_networks_are_built_for_their_published_classes() -> None:
    for name in NETWORKS:
        with torch.device("meta"):
            assert tuple(build_network(name).spec.classes) == published_classes(name)


def test_weights_that_say_what_they_are_load_without_half_of_torch() -> None:
    code = (
        "import sys; from stages.networks.checkpoint import load;"
        "from stages.networks.loading import load_network;"
        "from stages.weights.places import locate;"
        "load_network(load(locate('solov2-nano'))); print('sympy' in sys.modules)"
    )
    home = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_what_the_file_says_saves_the_search() -> None:
    assert network_of(of({}, network="solov2-r50")) == "solov2-r50"
    assert network_of(of(blank("solov2-nano"), network="of-tomorrow")) == "solov2-nano"


def test_weights_of_another_network_than_the_named_one() -> None:
    with pytest.raises(CheckpointMismatch) as caught:
        load_network(of(blank("solov2-light-r18")), "solov2-light-r34")
    message = str(caught.value)
    assert "weights.pth: wanted weights of solov2-light-r34, got weights of solov2-light-r18" in (
        message
    )
    assert "96 missing (backbone.layer1.2.conv1.weight; " in message
    assert "leave --network out" in message


def test_a_network_that_nobody_has() -> None:
    with pytest.raises(ConfigError, match="solov2-r18"):
        load_network(of(blank("solov2-light-r18")), "solov2-r18")


def test_the_report_goes_both_ways() -> None:
    tensors = blank("solov2-nano")
    del tensors["neck.laterals.0.0.weight"]
    tensors["neck.extra"] = torch.zeros(1)
    tensors["head.kernel.bias"] = torch.zeros(7)
    with pytest.raises(CheckpointMismatch) as caught:
        load_network(of(tensors))
    message = str(caught.value)
    assert (
        "1 missing (neck.laterals.0.0.weight), 1 unexpected (neck.extra), 1 of another shape "
        in (message)
    )
    assert "head.kernel.bias: (7,) instead of (32,)" in message
    assert "compared with solov2-nano" in message


def test_a_file_without_class_layers_lacks_them_whatever_it_says() -> None:
    tensors = {k: t for k, t in blank("solov2-nano").items() if ".score." not in k}
    with pytest.raises(CheckpointMismatch, match=r"6 missing \(class_branch\.score\.0\.weight"):
        load_network(of(tensors, network="solov2-nano", classes=("person", "shape")))


def test_counters_may_be_missing_only_where_a_dialect_leaves_them_out() -> None:
    network = build_network("solov2-light-r18")
    tensors = {k: t.clone() for k, t in network.state_dict().items() if "_tracked" not in k}
    with pytest.raises(CheckpointMismatch, match="num_batches_tracked"):
        fit(network, "solov2-light-r18", of(tensors, "mmdet"))
    fit(network, "solov2-light-r18", of(tensors, "adet"))


def test_a_network_that_does_not_fit_is_left_alone() -> None:
    network = build_network("solov2-nano")
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    other = {key: tensor + 1 for key, tensor in before.items()}
    other.popitem()
    with pytest.raises(CheckpointMismatch):
        fit(network, "solov2-nano", of(other))
    assert all(torch.equal(before[k], tensor) for k, tensor in network.state_dict().items())


def test_half_precision_becomes_the_network_s() -> None:
    halves = {
        key: tensor.half() if tensor.is_floating_point() else tensor
        for key, tensor in build_network("solov2-nano").state_dict().items()
    }
    network = load_network(of(halves))
    for key, tensor in network.state_dict().items():
        assert tensor.dtype in (torch.float32, torch.int64)
        assert torch.equal(tensor, halves[key].to(tensor.dtype))


@pytest.mark.parametrize(
    "strange",
    [
        "mask_head.mask_convs.0.conv.weight",
        "mask_head.conv_mask_list.0.weight",
        "mask_head.mask_convs_x.0.gn.bias",
    ],
)
def test_a_solo_of_version_1(strange: str) -> None:
    tensors = {k: t for k, t in blank("solov2-r50").items() if "mask_feature" not in k}
    with pytest.raises(CheckpointMismatch, match="SOLO of version 1 or a Decoupled SOLO"):
        load_network(of(tensors | {strange: torch.zeros(1)}))


def test_deformable_convolutions_of_version_1() -> None:
    tensors = blank("solov2-light-r50-dcn")
    for key, tensor in tensors.items():
        if ".conv_offset." in key:
            tensors[key] = tensor[:18]
    for name in (None, "solov2-light-r50-dcn"):
        with pytest.raises(CheckpointMismatch, match="version 1, without modulation") as caught:
            load_network(of(tensors), name)
        assert "solov2-light-r50-dcn" in str(caught.value)


def nano(classes: int) -> State:
    """A nano for some number of classes that has its tensors."""
    names = tuple(f"class {index}" for index in range(classes))
    return build_network("solov2-nano", names).state_dict()


def test_class_names_come_from_the_config_then_the_file_then_the_publication() -> None:
    said = of(nano(2), classes=("cat", "dog"))
    assert load_network(said, classes=["a", "b"]).spec.classes == ("a", "b")
    assert load_network(said).spec.classes == ("cat", "dog")
    assert load_network(of(nano(2))).spec.classes == ("person", "shape")


@pytest.mark.parametrize(
    ("checkpoint", "classes", "message"),
    [
        (lambda: of(nano(3)), None, "names for the 3 classes of its tensors, got none in the file"),
        (lambda: of(nano(3)), ["a"], "got 1 names in the configuration"),
        (lambda: of(nano(2), classes=COCO_CLASSES), None, "got 80 names in the file"),
    ],
)
def test_class_names_that_do_not_suffice(
    checkpoint: Callable[[], Checkpoint], classes: list[str] | None, message: str
) -> None:
    with pytest.raises(CheckpointMismatch, match=message) as caught:
        load_network(checkpoint(), classes=classes)
    assert "segment.classes" in str(caught.value)


def test_preprocessing_comes_with_the_weights(tmp_path: Path) -> None:
    said = Preprocessing("rgb", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    save(tmp_path / "a", nano(2), Metadata("solov2-nano", ("a", "b"), said))
    spec: Any = load_network(load(tmp_path / "a")).spec
    assert (spec.channel_order, spec.mean, spec.std) == (said.order, said.mean, said.std)
    assert spec.classes == ("a", "b")


def test_an_alias_that_nobody_gave() -> None:
    with pytest.raises(WeightsError, match="Did you mean solov2-light-r18-coco"):
        locate("solov2-light-r18-cocoa")
    with pytest.raises(WeightsError, match="the scheme 'ftp'"):
        locate("ftp://user:secret@example.com/a.pth")
    with pytest.raises(WeightsError, match="without a file name"):
        locate("https://example.com/")


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "solov2-r50").write_bytes(b"")
    assert locate(str(tmp_path / "solov2-r50")) == tmp_path / "solov2-r50"
