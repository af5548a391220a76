"""Reads the pickle inside a torch file without running it.

A pickle is a program: it names Python objects and calls them. Here every name that it gives is
looked up in ``_BUILDERS`` (tensors and dictionaries, built by this module) or becomes a
placeholder: a class made on the spot, named after what the file meant, that holds nothing and
does nothing. No module is ever imported, no object of another module ever called.

Placeholders are what the metadata of a training framework needs. ``names`` says what goes
too far: ``RefusedGlobal`` names it.
"""

import pickle
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch

from .names import full_name, judge

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class RefusedGlobal(pickle.UnpicklingError):
    """The file wants to use something that metadata has no use for; ``name`` is its full name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, eq=False)
class StorageRef:
    """Raw numbers somewhere else in the file: ``elements`` of ``dtype``, found by ``key``."""

    dtype: torch.dtype
    key: str
    elements: int


@dataclass(frozen=True, eq=False)
class TensorRef:
    """A tensor as described in the file; its numbers are not read yet. Lies inside its storage."""

    storage: StorageRef
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Dictionary(dict[Any, Any]):
    """An ordered dictionary of the file, whatever attributes it had."""

    def __setstate__(self, state: object) -> None:
        """Forget the attributes (torch keeps version numbers there)."""


class _PlaceholderType(type):
    """The type of placeholders: knows when a pickle calls one instead of describing an object."""

    origin: str
    callable_as_metadata: bool

    def __call__(cls, *_arguments: object, **_keywords: object) -> Any:
        if not cls.callable_as_metadata:
            raise RefusedGlobal(cls.origin)
        return super().__call__()


class Placeholder(metaclass=_PlaceholderType):
    """Stands for any object that is not a tensor or a plain value; takes everything, keeps none."""

    origin = "object"
    callable_as_metadata = True

    def __new__(cls, *_arguments: object, **_keywords: object) -> "Placeholder":
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Forget the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Forget an item of what was a mapping."""

    def append(self, item: object) -> None:
        """Forget an item of what was a list."""

    def extend(self, items: object) -> None:
        """Forget items of what was a list."""

    def add(self, item: object) -> None:
        """Forget an item of what was a set."""


def _placeholder(origin: str) -> type[Placeholder]:
    """:raises RefusedGlobal: metadata has no use for ``origin``."""
    verdict = judge(origin)
    if verdict == "refuse":
        raise RefusedGlobal(origin)
    body = {"origin": origin, "callable_as_metadata": verdict == "describe"}
    kind = _PlaceholderType(origin.rpartition(".")[2], (Placeholder,), body)
    assert issubclass(kind, Placeholder)
    return kind


class _Builder:
    """A function of this module that a pickle may call, and can do nothing else with."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., object]) -> None:
        self._build = build

    def __call__(self, *arguments: object) -> object:
        return self._build(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("a state for a function")


def _is_counts(numbers: object) -> bool:
    return isinstance(numbers, tuple) and all(
        isinstance(number, int) and number >= 0 for number in numbers
    )


def _tensor(
    storage: StorageRef, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> TensorRef:
    if not isinstance(storage, StorageRef) or not _is_counts((offset,)):
        raise pickle.UnpicklingError("a tensor without a storage")
    if not (_is_counts(size) and _is_counts(stride) and len(size) == len(stride)):
        raise pickle.UnpicklingError(f"a tensor of size {size} and stride {stride}")
    elements, last = 1, offset
    for length, step in zip(size, stride, strict=True):
        elements, last = elements * length, last + (length - 1) * step
    if elements and max(last + 1, elements) > storage.elements:
        raise pickle.UnpicklingError(
            f"a tensor of size {size} in a storage of {storage.elements} elements"
        )
    return TensorRef(storage, offset, size, stride)


def _parameter(data: object, *_: object) -> object:
    return data


def _dictionary(*arguments: Any) -> Dictionary:
    return Dictionary(*arguments)


def _attribute(owner: object, name: str) -> type[Placeholder]:
    """A method named by its class, as old pickles write it: only of what is a placeholder."""
    if not isinstance(owner, _PlaceholderType) or not name.isidentifier():
        raise RefusedGlobal("builtins.getattr")
    return _placeholder(f"{owner.origin}.{name}")


_BUILDERS: dict[str, Callable[..., object]] = {
    "builtins.getattr": _attribute,
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
}


class TensorUnpickler(pickle.Unpickler):
    """Unpickles one object of a torch file; ``storages`` are those that it named, by key."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, encoding="latin1")
        self.storages: dict[str, StorageRef] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What the file gets for a name: a builder, a dtype's mark or a placeholder.

        :raises RefusedGlobal: metadata has no use for it.
        """
        origin = full_name(module, name)
        if origin in _BUILDERS:
            return _Builder(_BUILDERS[origin])
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        return _placeholder(origin)

    def persistent_load(self, identity: Any) -> StorageRef:
        """The storage that ``identity`` describes."""
        match identity:
            case ("storage", torch.dtype() as dtype, str(key), str(), int(elements), *view):
                if elements < 0 or view not in ([], [None]):
                    raise pickle.UnpicklingError("a storage of an unknown kind")
                return self.storages.setdefault(key, StorageRef(dtype, key, elements))
        raise pickle.UnpicklingError("a storage of an unknown kind")


def _scan(stream: BinaryIO) -> None:
    """Refuse, before unpickling, what makes the unpickler itself reserve memory or look around."""
    start = stream.tell()
    for opcode, argument, position in pickletools.genops(stream):
        read_bytes = (position or 0) - start
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > read_bytes:
            raise pickle.UnpicklingError(f"a memo entry {argument} that no object can have")
        if opcode.name.startswith("EXT"):
            raise pickle.UnpicklingError("an extension code")
    stream.seek(start)


def read_pickle(stream: BinaryIO) -> tuple[Any, dict[str, StorageRef]]:
    """The object pickled at ``stream``'s position and its storages by key; moves behind it.

    :raises RefusedGlobal: the file wants to run something; nothing was run.
    :raises Exception: of any kind where the bytes are not a pickle of a torch file.
    """
    _scan(stream)
    unpickler = TensorUnpickler(stream)
    return unpickler.load(), unpickler.storages
