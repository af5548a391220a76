"""Taking typed values out of a JSON object that somebody else wrote.

What is not asked for is ignored: fields may be added to the protocol at any time.
"""

from fractions import Fraction
from typing import Any

from ..errors import Truncated, WireError

LARGEST = 2**53 - 1
"""Of counters and ids: what a reader whose numbers are doubles still tells apart."""
INT64_LOW, INT64_HIGH = -(2**63), 2**63 - 1
REMEDY = "The sender does not speak this protocol, or the message was damaged."
SHOWN_CHARACTERS = 60
LONGEST_NAME = 64
MOST_NAMES = 100
"""Of drop reasons, stages or kinds in one object."""
NAMES = f"names of up to {LONGEST_NAME} printable characters"


class Fields:
    """One JSON object and the path to it, for messages. All methods raise WireError."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise wrong(where, "an object", value)
        self._value: dict[str, Any] = value
        self.where = where

    def take(self, name: str) -> Any:
        """The value of a field.

        :raises Truncated: when it is missing.
        """
        if name not in self._value:
            raise Truncated(
                where=self.where, wanted=f"the field {name!r}", got="none", remedy=REMEDY
            )
        return self._value[name]

    def has(self, name: str) -> bool:
        """If a field that may be left out is there."""
        return name in self._value

    def given(self, name: str) -> bool:
        """If a field that may be left out is there and not null."""
        return self._value.get(name) is not None

    def known(self, name: str) -> bool:
        """If a field that must be there is not null.

        :raises Truncated: when it is missing.
        """
        return self.take(name) is not None

    def path(self, name: str) -> str:
        return f"{self.where}.{name}"

    def inner(self, name: str) -> "Fields":
        return Fields(self.take(name), self.path(name))

    def text(self, name: str) -> str:
        value = self.take(name)
        if not isinstance(value, str):
            raise wrong(self.path(name), "a string", value)
        return value

    def name(self, name: str) -> str:
        """A string that ends up on terminals and as a key in tables."""
        value = self.text(name)
        if not _is_name(value):
            raise wrong(self.path(name), NAMES, value)
        return value

    def integer(self, name: str, low: int = 0, high: int = LARGEST) -> int:
        return integer(self.take(name), self.path(name), low, high)

    def integer64(self, name: str) -> int:
        """An integer of 64 bits: times."""
        return self.integer(name, INT64_LOW, INT64_HIGH)

    def number(self, name: str) -> float:
        return number(self.take(name), self.path(name))

    def items(self, name: str, longest: int) -> list[Any]:
        value = self.take(name)
        if not isinstance(value, list):
            raise wrong(self.path(name), "an array", value)
        if len(value) > longest:
            raise refused(self.path(name), f"up to {longest} items", f"{len(value)} items")
        return value

    def integers(self, name: str, count: int, low: int = 0, high: int = LARGEST) -> list[int]:
        """An array of exactly ``count`` integers."""
        values = self._exactly(name, count)
        return [integer(value, self.path(name), low, high) for value in values]

    def numbers(self, name: str, count: int) -> list[float]:
        """An array of exactly ``count`` numbers."""
        return [number(value, self.path(name)) for value in self._exactly(name, count)]

    def any_integers(self, name: str, longest: int) -> tuple[int, ...]:
        """An array of up to ``longest`` integers of 0 or more."""
        values = self.items(name, longest)
        return tuple(integer(value, self.path(name), 0, LARGEST) for value in values)

    def texts(self, name: str, longest: int) -> tuple[str, ...]:
        """An array of up to ``longest`` strings."""
        values = self.items(name, longest)
        for value in values:
            if not isinstance(value, str):
                raise wrong(self.path(name), "strings", value)
        return tuple(values)

    def counts(self, name: str) -> dict[str, int]:
        """An object of counters."""
        inner = self.inner(name)
        return {key: inner.integer(key) for key in inner._names()}

    def milliseconds(self, name: str) -> dict[str, float]:
        """An object of numbers."""
        inner = self.inner(name)
        return {key: inner.number(key) for key in inner._names()}

    def ratio(self, name: str) -> Fraction:
        """A fraction above zero, as [numerator, denominator]."""
        return Fraction(*self.integers(name, 2, low=1))

    def _names(self) -> list[str]:
        """All keys, which end up on terminals: drop reasons, stages, kinds."""
        if len(self._value) > MOST_NAMES:
            raise refused(self.where, f"up to {MOST_NAMES} names", f"{len(self._value)} names")
        for name in self._value:
            if not _is_name(name):
                raise wrong(self.where, NAMES, name)
        return list(self._value)

    def _exactly(self, name: str, count: int) -> list[Any]:
        values = self.items(name, longest=count)
        if len(values) < count:
            raise refused(self.path(name), f"{count} items", f"{len(values)} items")
        return values


def _is_name(value: str) -> bool:
    return 0 < len(value) <= LONGEST_NAME and value.isprintable()


def integer(value: object, where: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(where, "an integer", value)
    if not low <= value <= high:
        raise wrong(where, f"an integer from {low} to {high}", value)
    return value


def number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(where, "a number", value)
    if not abs(value) < 2**63:
        raise wrong(where, "a finite number", value)
    return float(value)


def wrong(where: str, wanted: str, value: object) -> WireError:
    """The error for a value of the sender's, which is shown so that it harms no terminal."""
    return refused(where, wanted, shown(value))


def refused(where: str, wanted: str, got: str) -> WireError:
    """The error for something that is told in our own words."""
    return WireError(where=where, wanted=wanted, got=got, remedy=REMEDY)


def shown(value: object) -> str:
    """A value from a stranger, short and on one line. Arrays and objects may be of any depth."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and not INT64_LOW <= value <= INT64_HIGH:
        return "a number of more than 64 bits"
    return repr(value[:SHOWN_CHARACTERS] if isinstance(value, str | bytes) else value)
