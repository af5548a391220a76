"""The Node client as its users have it: node, its packages, a program that prints what comes."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline" / "client" / "javascript"
INSTALL = (
    "the Node client is not installed: apt-get install nodejs npm, then `npm ci` in "
    "pipeline/client/javascript"
)
LONGEST_S = 50.0


def require_node() -> None:
    """Skip where node or the client's packages are missing; in CI fail."""
    there = shutil.which("node") is not None and (PACKAGE / "node_modules" / "zeromq").is_dir()
    if not there and os.environ.get("CI") == "true":
        pytest.fail(INSTALL)
    if not there:
        pytest.skip(INSTALL)


def node(*arguments: str | Path, cwd: Path = PACKAGE) -> "subprocess.CompletedProcess[str]":
    """Run node to its end; its output as text."""
    return subprocess.run(
        ["node", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


@contextmanager
def watching(endpoint: str, **options: object) -> "Iterator[subprocess.Popen[str]]":
    """The client's example program while it runs; killed at the end of the block if it still does.

    ``options``: those of its Subscriber, and ``slowMs``.
    """
    program = subprocess.Popen(
        ["node", PACKAGE / "examples" / "watch.js", endpoint, json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield program
    finally:
        if program.poll() is None:
            program.kill()
        program.communicate()


def told(program: "subprocess.Popen[str]") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The messages that a program printed until its end, and its statistics."""
    out, errors = program.communicate(timeout=LONGEST_S)
    assert program.returncode == 0, errors
    *messages, books = [json.loads(line) for line in out.splitlines()]
    return messages, books


def account(books: dict[str, Any], kind: str = "meta", stream: str = "gate-2") -> dict[str, Any]:
    """What was counted of one stream and kind; whatever it is, it has to add up."""
    counts: dict[str, Any] = next(
        each for each in books["kinds"] if (each["stream"], each["kind"]) == (stream, kind)
    )
    assert counts["received"] == counts["delivered"] + counts["skipped"] + counts["waiting"]
    if kind == "meta":
        missed = counts["passedOver"] + counts["lost"] + sum(counts["dropped"].values())
        assert counts["captured"] == counts["received"] + missed
    return counts
