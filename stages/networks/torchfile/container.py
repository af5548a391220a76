"""The containers that ``torch.save`` has written: a zip since 1.6, a row of pickles before.

Only what is asked for is read: the pickle first, then the storages of the tensors that one wants.
Every claim of the file is checked against the bytes that are there.
"""

import io
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from pipeline.errors import CheckpointMismatch, StreamError, UnsafeCheckpoint, WeightsError

from .pickles import RefusedGlobal, StorageRef, TensorRef, read_pickle

LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True, eq=False)
class TorchFile:
    """A file's pickled ``content``, with a ``TensorRef`` for each tensor; ``read`` gets those.

    Valid inside ``open_torch_file`` only.
    """

    content: Any
    fetch: Callable[[StorageRef], bytearray]

    def read(self, refs: Mapping[str, TensorRef]) -> dict[str, Tensor]:
        """The tensors of ``refs``, on the host; each storage is read once and may be shared."""
        flat: dict[str, Tensor] = {}
        tensors: dict[str, Tensor] = {}
        for key, ref in refs.items():
            storage = ref.storage
            if storage.key not in flat:
                flat[storage.key] = _numbers(storage, self.fetch(storage))
            tensors[key] = flat[storage.key].as_strided(ref.size, ref.stride, ref.offset)
        return tensors


def _numbers(storage: StorageRef, content: bytearray) -> Tensor:
    wanted_bytes = storage.elements * storage.dtype.itemsize
    if len(content) < wanted_bytes:
        raise EOFError(f"{len(content)} bytes in a storage that should have {wanted_bytes}")
    if not storage.elements:
        return torch.empty(0, dtype=storage.dtype)
    return torch.frombuffer(content, dtype=storage.dtype, count=storage.elements)


@contextmanager
def open_torch_file(path: Path) -> Iterator[TorchFile]:
    """A zip or a legacy file of ``torch.save``; nothing in it is run.

    :raises UnsafeCheckpoint: it wants to run something.
    :raises CheckpointMismatch: it is a program (TorchScript) or another kind of zip.
    :raises WeightsError: it is damaged, cut off, or not such a file at all.
    """
    try:
        with path.open("rb") as stream:
            legacy = stream.read(len(LEGACY_MAGIC)) == LEGACY_MAGIC
            stream.seek(0)
            if legacy:
                yield _open_legacy(stream, path.stat().st_size)
            else:
                with zipfile.ZipFile(stream) as archive:
                    yield _open_zip(path, archive)
    except StreamError:
        raise
    except RefusedGlobal as refused:
        raise UnsafeCheckpoint(
            where=str(path),
            wanted="tensors and plain metadata",
            got=f"a pickle that uses {refused.name}, which would run code",
            remedy="Nothing was run. Do not use this file unless you trust who made it, and then"
            " ask for safetensors, or for a file with the state dict alone.",
        ) from refused
    except Exception as error:  # a hostile or damaged file can make the readers raise anything
        raise WeightsError(
            where=str(path),
            wanted="a whole file written by torch.save",
            got=f"a damaged or cut off one ({type(error).__name__}: {error})",
            remedy="Delete it and fetch it again.",
        ) from error


def _open_zip(path: Path, archive: zipfile.ZipFile) -> TorchFile:
    members = {info.filename: info for info in archive.infolist()}
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    root = pickles[0].removesuffix("data.pkl") if pickles else ""
    if len(pickles) != 1 or root + "constants.pkl" in members:
        raise CheckpointMismatch(
            where=str(path),
            wanted="a state dict written by torch.save",
            got="a TorchScript program" if pickles else "a zip of something else",
            remedy="Save the module's state_dict() with torch.save.",
        )

    def member(name: str) -> bytes:
        info = members[root + name]
        if info.compress_type != zipfile.ZIP_STORED:
            raise pickle.UnpicklingError(f"{info.filename} is compressed: not by torch.save")
        return archive.read(info)

    if root + "byteorder" in members:
        _check_byte_order(member("byteorder") == b"little")
    content, _ = read_pickle(io.BytesIO(member("data.pkl")))
    return TorchFile(content, lambda storage: bytearray(member(f"data/{storage.key}")))


def _open_legacy(stream: BinaryIO, size_bytes: int) -> TorchFile:
    """Pickles of magic, version, system, content and storage keys; then the storages."""
    _magic, _version, (system, _), (content, storages), (keys, _) = (
        read_pickle(stream) for _ in range(5)
    )
    _check_byte_order(system["little_endian"])
    places = {}
    for key in keys:
        (elements,) = struct.unpack("<q", stream.read(8))
        if elements != storages[key].elements:
            raise EOFError(f"a storage of {elements} elements, not {storages[key].elements}")
        places[key] = stream.tell()
        if stream.seek(elements * storages[key].dtype.itemsize, io.SEEK_CUR) > size_bytes:
            raise EOFError("the file ends inside its tensors")

    def fetch(storage: StorageRef) -> bytearray:
        stream.seek(places[storage.key])
        return bytearray(stream.read(storage.elements * storage.dtype.itemsize))

    return TorchFile(content, fetch)


def _check_byte_order(little: bool) -> None:
    if not little or sys.byteorder != "little":
        raise ValueError("numbers in big-endian order, which are not read here")
