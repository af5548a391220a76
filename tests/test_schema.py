"""The schemas say what is sent, and what they name is what docs/PROTOCOL.md names."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq
from jsonschema import Draft202012Validator

from pipeline.wire.delivery import (
    Ack,
    Bye,
    Delivery,
    End,
    Greeting,
    Hello,
    Ping,
    Pong,
    Position,
    Refusal,
    encode_answer,
    encode_request,
)
from tests.media import write_video
from tests.program import running, wait_for_line
from tests.schemas import FOLDER, Header, mistakes, schema
from tests.test_vectors import ACCEPTED, REFUSED, SAYINGS, part_of, parts_of
from tests.vector_cases import Vector

TEXT = (FOLDER.parent / "PROTOCOL.md").read_text()
GOLDEN = Path(__file__).parent / "data" / "wire"
KINDS = ("meta", "annotated", "image", "status", "welcome")
POSITION = Position("6f1b", 811)
REQUESTS = [
    Hello("credit", ("meta", "annotated"), 2),
    Hello("lossless", ("meta",), 64, ("gate-2",), "indexer", POSITION),
    Ack(812),
    Ping(),
    Bye(),
]
ANSWERS = [Greeting("6f1b", 0), Delivery(3, 1), Delivery(), End(9), Pong(), Refusal("full", "…")]


def header_of(vector: Vector) -> Any:
    """The JSON of a message; None when there is none."""
    parts = parts_of(vector)
    text = parts[-1].removeprefix(b"welcome/v1/") if len(parts) == 1 else b"".join(parts[1:2])
    try:
        return json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        return None


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_a_schema_is_one(file: Path) -> None:
    contents = schema(file.stem)
    Draft202012Validator.check_schema(contents)
    assert contents["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert contents["$id"].endswith(f"/v1/{file.name}")
    assert '"additionalProperties": false' not in file.read_text(), "fields may be added"


@pytest.mark.parametrize("kind", KINDS)
def test_golden_headers_are_of_their_kind(kind: str) -> None:
    file = GOLDEN / ("welcome.txt" if kind == "welcome" else f"{kind}.json")
    golden = json.loads(file.read_bytes().removeprefix(b"welcome/v1/"))
    assert mistakes(kind, golden) == []
    for other in set(KINDS) - {kind}:
        assert mistakes(other, golden) != []


@pytest.mark.parametrize("vector", ACCEPTED, ids=lambda vector: vector["name"])
def test_what_must_be_understood_is_of_its_schema(vector: Vector) -> None:
    assert mistakes(vector["expect"]["kind"], header_of(vector)) == []


def test_missing_fields_and_wrong_types_are_seen() -> None:
    """Of the refused vectors those that spoil a field; the others are beyond a schema."""
    pattern = re.compile(r"(meta|status)\.\S+ is (missing|true)")
    spoiled = [(m[1], v) for v in REFUSED if (m := pattern.fullmatch(v["name"]))]
    assert len(spoiled) > 80
    for kind, vector in spoiled:
        assert mistakes(kind, header_of(vector)) != [], vector["name"]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
def test_requests_are_of_their_schema(request_: Any) -> None:
    assert mistakes("request", json.loads(encode_request(request_))) == []


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: type(a).__name__)
def test_answers_are_of_their_schema(answer: Any) -> None:
    assert mistakes("answer", json.loads(encode_answer(answer))) == []


@pytest.mark.timeout(180)  # a process that loads torch can take its time
def test_what_the_program_sends_and_records_is_of_its_schema(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", frames=30, width=96, height=64, fps=25)
    endpoint = f"ipc://{tmp_path}/publish"
    arguments = ("run", video, "--publish", endpoint, "--record", "kept")
    with (
        heard(endpoint, b"v1/", b"welcome/v1/") as records,
        heard(f"{endpoint}.pictures", b"v1/clip/annotated/", b"v1/clip/image/") as pictures,
        running(*arguments, cwd=tmp_path) as program,
    ):
        headers = list(until_the_end(records, pictures))
        wait_for_line(program, "published")
        assert program.wait(60) == 0
    assert {header["kind"] for header in headers} == set(KINDS)
    assert [mistakes(header["kind"], header) for header in headers] == [[]] * len(headers)
    recorded = (tmp_path / "kept" / "clip.jsonl").read_bytes().splitlines()
    assert [mistakes("meta", json.loads(line)) for line in recorded] == [[]] * 30


@contextmanager
def heard(endpoint: str, *prefixes: bytes) -> Iterator["zmq.Socket[bytes]"]:
    with zmq.Context() as context, context.socket(zmq.SUB) as sock:
        for prefix in prefixes:
            sock.subscribe(prefix)
        sock.connect(endpoint)
        yield sock


def until_the_end(*sockets: "zmq.Socket[bytes]") -> Iterator[Header]:
    """The headers that come on several sockets, up to the one that says that it is over."""
    poller = zmq.Poller()
    for sock in sockets:
        poller.register(sock, zmq.POLLIN)
    while True:
        for sock, _ in poller.poll(60_000):
            parts = sock.recv_multipart()
            header: Header = json.loads(parts[:2][-1].removeprefix(b"welcome/v1/"))
            yield header
            if header.get("state") == "ended":
                return


BEYOND = ("nothing", "too long", "deep", "not ASCII", "two lines", "not a number")


@pytest.mark.parametrize("vector", SAYINGS, ids=lambda vector: vector["name"])
def test_sayings_are_of_their_schema_or_not(vector: Vector) -> None:
    """What is refused for more than its bytes is refused by the schema too."""
    if not vector["name"].startswith(BEYOND):
        kind = {"subscriber": "request", "publisher": "answer"}[vector["from"]]
        found = mistakes(kind, json.loads(part_of(vector["part"])))
        assert (found == []) == ("expect" in vector), found


def names_of(contents: Any) -> Iterator[str]:
    """All fields that a schema gives a name to."""
    if isinstance(contents, dict):
        yield from contents.get("properties", {})
        for value in contents.values():
            yield from names_of(value)
    elif isinstance(contents, list):
        for value in contents:
            yield from names_of(value)


def tables() -> list[tuple[str, list[str]]]:
    """The tables of fields in PROTOCOL.md: the head of each, and the names in it."""
    found = []
    for table in re.findall(r"^\|.*\bfield\b.*\|\n\|[-|]+\n(?:\|.*\n)+", TEXT, re.MULTILINE):
        head, _, *rows = table.splitlines()
        column = next(i for i, cell in enumerate(head.split("|")) if "field" in cell)
        cells = [row.split("|")[column] for row in rows]
        found.append((head, [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]))
    return found


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_field_of_the_schemas_is_explained(file: Path) -> None:
    unexplained = {name for name in names_of(schema(file.stem)) if f"`{name}`" not in TEXT}
    assert unexplained == set()


def test_every_explained_field_is_in_the_schemas() -> None:
    known = {name for file in FOLDER.glob("*.json") for name in names_of(schema(file.stem))}
    assert len(tables()) >= 6
    for head, names in tables():
        assert names, head
        assert set(names) - known == set(), head


def test_the_tables_are_complete() -> None:
    """Every field of a header, of an instance, of the time and of a status has its row."""
    frame: Header = schema("frame")
    rows = [set(names) for _, names in tables()]
    for fields in (
        frame["properties"],
        frame["$defs"]["instance"]["properties"],
        frame["properties"]["time"]["properties"],
        schema("status")["properties"],
    ):
        assert set(fields) in rows
