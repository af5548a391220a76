"""Which Python names a checkpoint's metadata may mention, and which betray another purpose.

The names are only ever compared, never imported.
"""

import sys
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from typing import Literal

Verdict = Literal["describe", "mention", "refuse"]
"""describe: the file may describe an object made by it · mention: it may be there, not be called
· refuse: it has no place in a checkpoint."""

_GUARDED = frozenset({*sys.stdlib_module_names, "torch", "torchvision", "numpy"}) - {"__main__"}
_METADATA_MODULES = ("torch.nn.", "torch.optim.", "torchvision.models.", "numpy.dtypes.")
_METADATA = frozenset(
    f"{module}.{name}"
    for module, names in {
        "_codecs": "encode",
        "argparse": "Namespace",
        "builtins": "bool bytearray bytes complex dict float frozenset int list long object range"
        " set slice str tuple unicode",
        "collections": "ChainMap Counter OrderedDict UserDict UserList defaultdict deque",
        "copyreg": "_reconstructor",
        "datetime": "date datetime time timedelta timezone",
        "decimal": "Decimal",
        "functools": "partial",
        "logging": "Logger RootLogger getLogger",
        "numpy": "bool bool_ dtype float16 float32 float64 int16 int32 int64 int8 ndarray str_"
        " uint16 uint32 uint64 uint8",
        "numpy._core.multiarray": "_reconstruct scalar",
        "numpy._core.numeric": "_frombuffer",
        "numpy.core.multiarray": "_reconstruct scalar",
        "numpy.core.numeric": "_frombuffer",
        "pathlib": "Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath",
        "re": "_compile",
        "torch": "Size device bfloat16 bool float16 float32 float64 int16 int32 int64 int8 uint8",
        "time": "struct_time",
        "types": "SimpleNamespace",
        "uuid": "UUID",
    }.items()
    for name in names.split()
)


def full_name(module: str, name: str) -> str:
    """The name as Python 3 spells it: old pickles say ``__builtin__``, ``commands``, ``copy_reg``.

    The tables are those by which ``pickle`` itself reads them.
    """
    module, name = NAME_MAPPING.get((module, name), (module, name))
    return f"{IMPORT_MAPPING.get(module, module)}.{name}"


def judge(origin: str) -> Verdict:
    """What the full name ``origin`` may be used for.

    Of Python itself, torch and numpy only what is listed above. Of any other module, which need
    not exist here, classes may be described, and functions, which begin with a small letter, only
    mentioned.
    """
    if origin in _METADATA:
        return "describe"
    if origin.partition(".")[0] in _GUARDED and not origin.startswith(_METADATA_MODULES):
        return "refuse"
    return "describe" if origin.rpartition(".")[2].lstrip("_")[:1].isupper() else "mention"
