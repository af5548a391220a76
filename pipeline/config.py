"""Configuration: frozen models, unknown keys forbidden, every mistake reported at once.

Each stage keeps its own ``Settings`` model in its own file; ``load`` puts defaults, a TOML file and
``key=value`` overrides together and checks the whole.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from .errors import ConfigError, Mistake
from .redact import redact

REMEDY = "The keys and their meaning are in docs/CONFIG.md"


class Settings(BaseModel):
    """The root of all configuration models. The sentence under a field is its documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


M = TypeVar("M", bound=Settings)


def load(model: type[M], file: Path | None = None, overrides: Iterable[str] = ()) -> M:
    """Defaults, then ``file`` (TOML), then ``overrides`` ("segment.batch=4"), as a checked model.

    :raises ConfigError: with every mistake, each with its dotted path and what would be right.
    """
    where = str(file) if file else "--set"
    values = read_toml(file) if file else {}
    for override in overrides:
        _put(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        mistakes = [_mistake(detail) for detail in error.errors(include_url=False)]
        raise ConfigError(where, mistakes, REMEDY) from error


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


def _put(values: dict[str, object], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        mistake = Mistake(redact(override), "key=value, such as segment.batch=4", "no key or no =")
        raise ConfigError("--set", [mistake], REMEDY)
    *parents, last = key.strip().split(".")
    place = values
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            mistake = Mistake(key, f"{parent} to be a table", f"the value {inner!r}")
            raise ConfigError("--set", [mistake], REMEDY)
        place = inner
    place[last] = _value(text.strip())


def _value(text: str) -> object:
    """A value as TOML spells it; anything that is not TOML is taken as a plain string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _mistake(detail: ErrorDetails) -> Mistake:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return Mistake(path, "a key that exists", "an unknown one")
    if detail["type"] == "missing":
        return Mistake(path, "a value", "nothing")
    wanted = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return Mistake(path, wanted, _shown(detail["input"]))


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a table"
    return redact(repr(value))
