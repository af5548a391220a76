"""The schemas of ``docs/schema``, ready to check messages with."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "docs" / "schema"
START = "https://maskstream.invalid/v1/"
Header = dict[str, Any]


def schema(name: str) -> Header:
    """One of them, as it stands in the file."""
    read: Header = json.loads((FOLDER / f"{name}.json").read_text())
    return read


@cache
def validator(name: str) -> Draft202012Validator:
    """What checks a message of that kind."""
    files = [(f"{START}{path.name}", schema(path.stem)) for path in FOLDER.glob("*.json")]
    known = [(address, Resource.from_contents(contents)) for address, contents in files]
    registry: Registry[Any] = Registry().with_resources(known)
    return Draft202012Validator(schema(name), registry=registry)


def mistakes(name: str, message: object) -> list[str]:
    """What is wrong with a message by its schema, one text each."""
    found = validator(name).iter_errors(message)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]
