"""The keys of a configuration as a page for people, made from the models themselves."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from .config import Settings

INTRODUCTION = """\
# Configuration

Every key, made by `uv run run_stream.py config`. Put keys into a TOML file (`--config FILE`;
`configs/` has examples) or change single ones with `--set key=value`. Unknown keys and wrong values
are errors, all shown at once.

"""


def page(settings: Settings) -> str:
    """Markdown: a table of keys, values as in ``settings`` and meanings for each room."""
    rooms = {name: value for name, value in settings if isinstance(value, Settings)}
    own = [_row(name, name, settings, f) for name, f in _fields(settings) if name not in rooms]
    parts = [INTRODUCTION, _table(own)]
    for name, room in rooms.items():
        rows = [_row(f"{name}.{key}", key, room, field) for key, field in _fields(room)]
        parts.append(f"\n## {name}\n\n{room.__class__.__doc__}\n\n{_table(rows)}")
    return "".join(parts)


def _fields(settings: Settings) -> Iterator[tuple[str, FieldInfo]]:
    yield from type(settings).model_fields.items()


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | kind | value | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _row(path: str, key: str, settings: Settings, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split())
    value = getattr(settings, key)
    shown = "not set" if value is None else f"`{_toml(value)}`"
    cells = (f"`{path}`", _kind(field.annotation), shown, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return f'"{value}"'


def _kind(annotation: object) -> str:
    """A type as a user would say it."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return ", ".join(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_kind(part) for part in get_args(annotation) if part is not NoneType)
    if get_origin(annotation) is tuple:
        return f"list of {_kind(get_args(annotation)[0])}"
    names = {bool: "true, false", int: "integer", float: "number", str: "text"}
    return names.get(annotation, "path") if isinstance(annotation, type) else "text"
