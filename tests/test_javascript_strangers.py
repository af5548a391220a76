"""Two readers, one opinion: what the Python client refuses the Node client refuses, and what one
understands the other understands alike."""

import base64
import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import WireError
from pipeline.wire import decode
from tests.javascript import node, require_node

GOLDEN = Path(__file__).parent / "data" / "wire"
KINDS = ("meta", "annotated", "image", "status")
MESSAGES = 3_000
SIGNS = b'{}[],:"0123456789.eE+-\\unl \t'
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1.0, 1e3, 2**53 - 1, 2**53, 2**63 - 1, 2**63, -(2**63), 1e308,
    "", "x", "\u00a0", "\ud800", "\u200f", "0h0", [], [1, 2], [0, 0], [65536, 1],
    {}, {"a": 1}, {"a": -1}, {"__proto__": 1}, {"\x00": 1}, {"constructor": 2},
)  # fmt: skip

JUDGE = """
import { readFileSync } from "node:fs";
import { WireError, decode } from "maskstream-client";
for (const parts of JSON.parse(readFileSync(process.argv[1], "utf8"))) {
  let verdict;
  try {
    const { instances } = decode(parts.map((part) => Buffer.from(part, "base64")));
    verdict = (instances ?? []).map(({ mask }) => mask.area);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    verdict = null;
  }
  console.log(JSON.stringify(verdict));
}
"""


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all that is in a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, each in inner:
        found.append((*way, key))
        if isinstance(each, dict | list):
            found += places(each, (*way, key))
    return found


def spoil(header: bytes, dice: random.Random) -> bytes:
    """Another value somewhere, or none."""
    whole = json.loads(header)
    *way, last = dice.choice(places(whole))
    inner = whole
    for key in way:
        inner = inner[key]
    if dice.random() < 0.2:
        del inner[last]
    else:
        inner[last] = deepcopy(dice.choice(VALUES))
    return json.dumps(whole).encode()


def scratch(header: bytes, dice: random.Random) -> bytes:
    """Other bytes somewhere, more or fewer."""
    damaged = bytearray(header)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(damaged) - 4)
        damaged[at : at + dice.randint(0, 4)] = dice.choices(SIGNS, k=dice.randint(0, 2))
    return bytes(damaged)


def areas(parts: list[bytes]) -> list[int] | None:
    """What the Python client sees in a message; None where it refuses it."""
    try:
        frame = decode(parts).frame
    except WireError:
        return None
    return [] if frame is None or frame.instances is None else frame.instances.masks.areas.tolist()


@pytest.mark.parametrize("harm", [spoil, scratch])
def test_both_clients_have_one_opinion_of_damaged_messages(harm: Any, tmp_path: Path) -> None:
    require_node()
    dice = random.Random(7)
    headers = {kind: (GOLDEN / f"{kind}.json").read_bytes() for kind in KINDS}
    messages = []
    for _ in range(MESSAGES):
        kind = dice.choice(KINDS)
        picture = [b"\xff\xd8"] if kind in ("annotated", "image") else []
        messages.append([f"v1/gate-2/{kind}/".encode(), harm(headers[kind], dice), *picture])
    written = [[base64.b64encode(part).decode() for part in parts] for parts in messages]
    (tmp_path / "messages.json").write_text(json.dumps(written))
    done = node("--input-type=module", "--eval", JUDGE, tmp_path / "messages.json")
    assert done.returncode == 0, done.stderr
    theirs = [json.loads(line) for line in done.stdout.splitlines()]
    ours = [areas(parts) for parts in messages]
    differing = [parts[1] for parts, a, b in zip(messages, ours, theirs, strict=True) if a != b]
    assert differing == []
    assert any(ours)
    assert None in ours
