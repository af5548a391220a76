"""Files of weights: what is read from each kind, and what is said about those without any."""

import collections
import datetime
import io
import json
import logging
import pickle
import struct
import sys
import tarfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import CheckpointMismatch, StreamError, WeightsError
from stages.networks.checkpoint import Metadata, Preprocessing, load, save

STATE = {
    "backbone.conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "backbone.bn1.num_batches_tracked": torch.tensor(7),
    "mask_head.conv_cls.bias": torch.tensor([1.5, -2.0, 0.25], dtype=torch.float16),
}
LEGACY = {"_use_new_zipfile_serialization": False}


def expect_state(path: Path) -> None:
    tensors = load(path).tensors
    assert list(tensors) == list(STATE)
    for key, tensor in STATE.items():
        assert tensors[key].dtype == tensor.dtype
        assert torch.equal(tensors[key], tensor)


@contextmanager
def vanishing_module(name: str) -> Iterator[types.ModuleType]:
    """A module with a class ``Thing``, gone when the block ends."""
    module = types.ModuleType(name)
    exec("class Thing:\n    def mean(self):\n        return 0\n", module.__dict__)
    sys.modules[name] = module
    try:
        yield module
    finally:
        del sys.modules[name]


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    said = Metadata(
        network="solov2-nano",
        classes=("person", "shape"),
        preprocessing=Preprocessing("bgr", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
        notes={"licence": "CC BY 4.0"},
    )
    path = tmp_path / "a.safetensors"
    save(path, STATE | {"transposed": torch.arange(6.0).reshape(2, 3).T}, said)
    checkpoint = load(path)
    assert checkpoint.metadata == said
    assert checkpoint.dialect == "maskstream"
    assert torch.equal(checkpoint.tensors["transposed"], torch.arange(6.0).reshape(2, 3).T)
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    save(first, STATE, Metadata(notes={"b": "1", "a": "2"}))
    save(second, dict(reversed(STATE.items())), Metadata(notes={"a": "2", "b": "1"}))
    assert first.read_bytes() == second.read_bytes()
    assert load(first).sha256 == load(second).sha256


def test_tensors_that_share_memory_can_be_saved(tmp_path: Path) -> None:
    whole = torch.arange(4.0)
    save(tmp_path / "a", {"whole": whole, "again": whole, "half": whole[2:]}, Metadata())
    assert load(tmp_path / "a").tensors["half"].tolist() == [2, 3]


@pytest.mark.parametrize("how", [{}, LEGACY], ids=["zip", "legacy"])
def test_every_container_of_torch(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "model_best.pth.tar"  # a name people use; the content decides
    torch.save({"state_dict": STATE}, path, **how)
    expect_state(path)
    torch.save({"model": collections.OrderedDict(STATE), "__author__": "x"}, path, **how)
    expect_state(path)
    torch.save({f"module.{key}": torch.nn.Parameter(t, False) for key, t in STATE.items()}, path)
    expect_state(path)


@pytest.mark.parametrize("how", [{}, LEGACY], ids=["zip", "legacy"])
def test_views_and_shared_storages(tmp_path: Path, how: dict[str, Any]) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    kinds = [torch.float64, torch.bfloat16, torch.int8, torch.uint8, torch.bool, torch.int16]
    state = {"mask_head.t": base.T, "mask_head.row": base[1], "mask_head.empty": base[:0]}
    state |= {f"mask_head.{kind}": base.to(kind) for kind in kinds}
    torch.save(state, tmp_path / "a.pth", **how)
    tensors = load(tmp_path / "a.pth").tensors
    assert all(torch.equal(tensors[key], tensor) for key, tensor in state.items())


def training_state(thing: Any) -> dict[str, Any]:
    """What a training framework leaves beside the weights, as badly as they do it."""
    history = thing()
    history.log = np.arange(5.0)
    history.count = np.float64(3.5)
    history.statistics = {"mean": thing.mean}  # mmengine: written as getattr(Thing, "mean")
    history.nested = [thing(), {thing(): {"x": (thing(),)}}]
    optimizer = {"state": {0: {"momentum": torch.ones(3)}}, "param_groups": [{"lr": 0.01}]}
    meta = {
        "dataset_meta": {"classes": ("cat", "dog", "cow"), "palette": [(1, 2, 3)]},
        "epoch": 36,
        "mmengine_version": "0.10.3",
        "cfg": "model = dict(type='SOLOv2')\n" * 20,
        "time": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "where": Path("work_dirs"),
        "log": logging.getLogger("x"),
        "sets": {1, frozenset({2})},
        "counts": collections.Counter("aab"),
        "by_name": collections.defaultdict(list, {"a": [1]}),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
    }
    return {
        "meta": meta,
        "state_dict": STATE,
        "optimizer": optimizer,
        "message_hub": {"log_scalars": {"train/loss": history}},
        "param_schedulers": [thing()],
    }


@pytest.mark.parametrize("how", [{}, LEGACY, {"pickle_protocol": 4}], ids=["zip", "old", "p4"])
def test_metadata_of_classes_that_are_gone(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "epoch_36.pth"
    with vanishing_module("mmengine_history") as module:
        torch.save(training_state(module.Thing), path, **how)
    expect_state(path)
    metadata = load(path).metadata
    assert metadata.classes == ("cat", "dog", "cow")
    assert metadata.notes == {"epoch": "36", "mmengine_version": "0.10.3"}


def test_classes_of_mmdetection_2(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE, "meta": {"CLASSES": ["a", "b"]}}, tmp_path / "a.pth")
    assert load(tmp_path / "a.pth").metadata.classes == ("a", "b")


@pytest.mark.parametrize("how", [{}, LEGACY], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_cut_off_file(tmp_path: Path, how: dict[str, Any], share: float) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": STATE | {"big": torch.rand(500)}}, path, **how)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(WeightsError, match="fetch it again"):
        load(path)


def test_a_cut_off_or_invalid_safetensors_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, STATE, Metadata())
    content = path.read_bytes()
    header = json.dumps({"__metadata__": {"maskstream": "[]"}}).encode()
    for broken in (content[:-4], content[:40], struct.pack("<Q", len(header)) + header):
        path.write_bytes(broken)
        with pytest.raises(WeightsError, match="cut off"):
            load(path)


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state_dict": {"mask_head.w": torch.full((64,), 3.25)}}, path)
    path.write_bytes(path.read_bytes().replace(b"\x00\x00\x50\x40", b"\x00\x00\x51\x40", 1))
    with pytest.raises(WeightsError, match="CRC"):
        load(path)


def not_weights() -> dict[str, tuple[bytes, str]]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("storages"))
    zipped = io.BytesIO()
    np.savez(zipped, a=np.zeros(2))
    return {
        "page": (b"<!DOCTYPE html><title>404</title>", "a web page"),
        "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        "pickle": (pickle.dumps({"a": 1}), "a bare pickle"),
        "tar": (archive.getvalue(), "a tar archive"),
        "empty": (b"", "an empty file"),
        "noise": (bytes(range(40, 90)), "something else"),
        "npz": (zipped.getvalue(), "a zip of something else"),
    }


@pytest.mark.parametrize("name", not_weights())
def test_files_that_are_not_weights(tmp_path: Path, name: str) -> None:
    content, message = not_weights()[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises((WeightsError, CheckpointMismatch), match=message):
        load(tmp_path / name)


def test_files_without_a_state_dict(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    contents: list[tuple[Any, str]] = [
        (torch.nn.Linear(2, 2), r"torch\.nn\.modules\.linear\.Linear"),
        ([torch.ones(2)], "list"),
        ({"state_dict": {}}, "an empty dictionary"),
        ({"a": np.ones(2)}, r"a \(numpy\.(_core|core)\.multiarray\._reconstruct\)"),
        ({"state_dict": {"a": 3}}, r"a \(int\)"),
    ]
    for content, message in contents:
        torch.save(content, path)
        with pytest.raises(CheckpointMismatch, match=message):
            load(path)


def test_no_such_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(WeightsError, match="weights list"):
            load(path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="a file that can be written"):
        save(tmp_path / "no" / "a.safetensors", STATE, Metadata())
