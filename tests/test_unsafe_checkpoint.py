"""Nothing in a file of weights is executed or believed: bombs, and claims that cannot be true."""

import functools
import os
import struct
import sys
import types
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import CheckpointMismatch, UnsafeCheckpoint, WeightsError
from stages.networks.checkpoint import load

STATE = {"mask_head.w": torch.arange(24.0).reshape(2, 3, 2, 2)}
LEGACY = {"_use_new_zipfile_serialization": False}


class Bomb:
    """Pickles as a call of ``function``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class StateBomb:
    """Pickles as a harmless object that gets a bomb as its state."""

    def __init__(self, bomb: Bomb) -> None:
        self.bomb = bomb

    def __setstate__(self, state: object) -> None:
        raise AssertionError("executed")


def bombs(target: Path) -> dict[str, Any]:
    touch = f"open({str(target)!r}, 'w')"
    command = f"touch {target}"
    system = Bomb(os.system, command)
    return {
        "os.system": system,
        "popen": Bomb(__import__("subprocess").Popen, ["touch", str(target)]),
        "eval": Bomb(eval, touch),
        "exec": Bomb(exec, touch),
        "open": Bomb(open, str(target), "w"),
        "import": Bomb(__import__, "antigravity"),
        "getattr": Bomb(getattr, Bomb(__import__, "os"), "system"),
        "getattr of a list": Bomb(getattr, [], "append"),
        "partial": Bomb(functools.partial, eval, touch),
        "runpy": Bomb(__import__("runpy").run_path, str(target)),
        "ctypes": Bomb(__import__("ctypes").CDLL, "libc.so.6"),
        "torch.load": Bomb(torch.load, str(target)),
        "torch.hub": Bomb(torch.hub.load, str(target), "x"),
        "numpy.load": Bomb(np.load, str(target)),
        "as a state": StateBomb(system),
        "as a key": {"a": [({1: system},)]},
        "in a set": Bomb(set, [system]),
        "in an array": np.array([system], dtype=object),
    }


@pytest.mark.parametrize("how", [{}, LEGACY, {"pickle_protocol": 5}], ids=["zip", "old", "p5"])
@pytest.mark.parametrize("name", bombs(Path()))
def test_a_bomb_is_refused_by_its_name(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    target = tmp_path / "executed"
    path = tmp_path / "bomb.pth"
    bomb = bombs(target)[name]
    for content in (
        {"state_dict": STATE, "meta": bomb},
        {"state_dict": STATE | {"w": bomb}},
        bomb,
    ):
        torch.save(content, path, **how)
        with pytest.raises(UnsafeCheckpoint, match=r"which would run code") as caught:
            load(path)
        assert str(path) in str(caught.value)
        assert "Nothing was run" in str(caught.value)
    assert not target.exists()


def zip_of(path: Path, program: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", program)
        for name, content in members.items():
            archive.writestr("a/" + name.replace("__", "/"), content)
    return path


def tensor_program(size: str, stride: str, key: int = 0, elements: int = 4) -> bytes:
    """A state dict with one tensor, in the letters of protocol 0."""
    storage = f"(Vstorage\nctorch\nFloatStorage\nV{key}\nVcpu\nI{elements}\nt"
    tensor = f"ctorch._utils\n_rebuild_tensor_v2\n({storage}QI0\n{size}{stride}I00\n(dtR"
    return f"(dVmask_head.w\n{tensor}s.".encode()


FLOATS = struct.pack("<4f", 1, 2, 3, 4)


def test_programs_written_by_hand(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a", tensor_program("(I2\nI2\nt", "(I2\nI1\nt"), data__0=FLOATS)
    assert load(path).tensors["mask_head.w"].tolist() == [[1, 2], [3, 4]]
    # Names of Python 2, and a name with dots through a harmless module.
    for program in (
        b"c__builtin__\neval\n(V1\ntR.",
        b"\x80\x04\x8c\x0bcollections\x8c\x0fabc.sys.modules\x93.",
        b"cmmengine\nos.system\n(Vtrue\ntR.",
        b"(ios\nsystem\n.",
        b"(cos\nsystem\nVtrue\no.",
    ):
        with pytest.raises(UnsafeCheckpoint):
            load(zip_of(path, program))


@pytest.mark.parametrize(
    "program",
    [
        tensor_program("(I3\nI2\nt", "(I2\nI1\nt"),  # six numbers of four
        tensor_program("(I2\nI2\nt", "(I3\nI1\nt"),  # a stride that leaves them
        tensor_program("(I-1\nt", "(I1\nt"),
        tensor_program("(I1000000000000\nt", "(I0\nt"),  # one number, claimed many times
        tensor_program("(I2\nt", "(I1\nI1\nt"),
        tensor_program("(I4\nt", "(I1\nt", key=1),  # a storage that is not there
        tensor_program("(I8\nt", "(I1\nt", elements=8),  # a storage that is smaller
        tensor_program("(I4\nt", "(I1\nt").replace(b"Vstorage", b"Vmodule"),
        b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI0\n)tR.",
        b"ctorch._utils\n_rebuild_tensor_v2\n}b.",  # a state for a function
        b"cmmengine\nThing\n}b.",  # a state for a class
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo that would fill the memory
        b"\x80\x02\x82\x01.",  # an extension code
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x00.",  # bytes without end
        b"(dVw\n",
        b"",
    ],
)
def test_claims_that_the_file_cannot_keep(tmp_path: Path, program: bytes) -> None:
    path = zip_of(tmp_path / "a.pth", program, data__0=FLOATS)
    with pytest.raises(WeightsError, match="damaged or cut off"):
        load(path)


def test_a_function_of_a_gone_module_may_be_mentioned_but_not_called(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    module = types.ModuleType("some_trainer")
    exec("def make(*a): raise AssertionError('executed')", module.__dict__)
    sys.modules["some_trainer"] = module
    torch.save({"state_dict": STATE, "meta": {"hook": module.make}}, path)
    assert load(path).tensors.keys() == STATE.keys()
    torch.save({"state_dict": STATE, "meta": {"hook": Bomb(module.make, 1)}}, path)
    del sys.modules["some_trainer"]
    with pytest.raises(UnsafeCheckpoint, match=r"some_trainer\.make"):
        load(path)


def test_a_torchscript_program_is_not_run(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.pt", b"}.")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/constants.pkl", b"}.")
    with pytest.raises(CheckpointMismatch, match="TorchScript"):
        load(path)
