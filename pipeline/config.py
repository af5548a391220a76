"""Configuration: frozen models, unknown keys forbidden, every mistake reported at once.

Each stage keeps its own ``Settings`` model in its own file; ``load`` puts defaults, a TOML file and
``key=value`` overrides together and checks the whole.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from .errors import ConfigError, Mistake
from .redact import redact

REMEDY = "The keys and their meaning are in docs/CONFIG.md"
LONGEST_SHOWN = 80


class Settings(BaseModel):
    """The root of all configuration models. The sentence under a field is its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


M = TypeVar("M", bound=Settings)


def load(
    model: type[M],
    file: Path | None = None,
    overrides: Iterable[str] = (),
    remedy: str = REMEDY,
) -> M:
    """Defaults, then ``file`` (TOML), then ``overrides`` ("segment.batch=4"), as a checked model.

    ``remedy``: where its keys are explained.

    :raises ConfigError: with every mistake, each with its dotted path and what would be right.
    """
    overrides = tuple(overrides)
    sources = ([str(file)] if file else []) + (["--set"] if overrides else [])
    values = read_toml(file) if file else {}
    mistakes = [mistake for override in overrides if (mistake := _put(values, override))]
    try:
        checked = model.model_validate(values)
    except ValidationError as error:
        mistakes += [_mistake(detail, model) for detail in error.errors(include_url=False)]
        raise ConfigError(" with ".join(sources) or "defaults", mistakes, remedy) from error
    if mistakes:
        raise ConfigError("--set", mistakes, remedy)
    return checked


def read_toml(file: Path) -> dict[str, object]:
    """A TOML file as a dict.

    :raises ConfigError: when it is missing or is not TOML; the parser's line is in the message.
    """
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        mistake = Mistake("(file)", "a readable file", error.strerror or str(error))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistake = Mistake("(file)", "TOML", str(error))
    raise ConfigError(str(file), [mistake], "See configs/ for examples")


def _put(values: dict[str, object], override: str) -> Mistake | None:
    """Put one override into ``values``; what is wrong with it, if that cannot be done."""
    key, equals, text = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not all([*parents, last]):
        return Mistake(redact(override), "key=value, such as segment.batch=4", "something else")
    place = values
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            return Mistake(key, f"{parent} to be a table", f"the value {_shown(inner)}")
        place = inner
    place[last] = _value(text.strip())
    return None


def _value(text: str) -> object:
    """A value as TOML spells it; anything that is not one TOML value is taken as a plain string."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _mistake(detail: ErrorDetails, model: type[Settings]) -> Mistake:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _fields(model, detail["loc"][:-1])
        return Mistake(path, f"one of the keys {', '.join(known)}", "one that does not exist")
    if detail["type"] == "missing":
        return Mistake(path, "a value", "nothing")
    if detail["type"] == "model_type":
        return Mistake(path, "a table of keys", _shown(detail["input"]))
    wanted = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return Mistake(path, wanted, _shown(detail["input"]))


def _fields(model: type[Settings], path: Iterable[str | int]) -> list[str]:
    """The keys of the model that lies at ``path``; positions in lists and tables add nothing."""
    for part in path:
        field = model.model_fields.get(str(part))
        model = _model_in(field.annotation, model) if field else model
    return list(model.model_fields)


def _model_in(annotation: object, otherwise: type[Settings]) -> type[Settings]:
    """The Settings that an annotation such as ``list[Camera] | None`` is about."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    for inner in get_args(annotation):
        otherwise = _model_in(inner, otherwise)
    return otherwise


def _shown(value: object) -> str:
    """A value in a message: short, and without credentials."""
    if isinstance(value, Mapping):
        return "a table"
    text = redact(repr(value))
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
