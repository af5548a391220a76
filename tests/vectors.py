"""The conformance vectors in ``tests/data/wire``; ``python -m tests.vectors`` writes them anew."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests import (
    vector_bad,
    vector_cases,
    vector_conversations,
    vector_delivery,
    vector_sequences,
)
from tests.vector_cases import Vector

FOLDER = Path(__file__).parent / "data" / "wire"
FILES: dict[str, Callable[[], Iterator[Vector]]] = {
    "accepted.jsonl": vector_cases.messages,
    "refused.jsonl": vector_bad.messages,
    "delivery.jsonl": vector_delivery.sayings,
    "sequences.jsonl": vector_sequences.sequences,
    "conversations.jsonl": vector_conversations.conversations,
}


def text(name: str) -> str:
    """A file as it should be: one vector a line."""
    lines = [json.dumps(vector, separators=(",", ":")) for vector in FILES[name]()]
    return "\n".join(lines) + "\n"


def read(name: str) -> list[Vector]:
    """The vectors of a file."""
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def write_all() -> None:
    for name in FILES:
        (FOLDER / name).write_text(text(name))


if __name__ == "__main__":
    write_all()
