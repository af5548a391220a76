"""The Node client: the vectors, its types, its page, and the real publisher at the other end."""

import json
import re
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from pipeline.wire import encode
from tests.javascript import LONGEST_S, PACKAGE, account, node, require_node, told, watching
from tests.program import run
from tests.station import Puppet, Station, frame, instances, put_singly

PAGE = (PACKAGE / "README.md").read_text()
TSC = PACKAGE / "node_modules" / "typescript" / "bin" / "tsc"
PRETTIER = PACKAGE / "node_modules" / "prettier" / "bin" / "prettier.cjs"


@pytest.fixture(autouse=True)
def _node() -> None:
    require_node()


def test_it_passes_all_vectors() -> None:
    done = node("--test")
    assert done.returncode == 0, done.stdout
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) > 250


def test_its_types_are_right_and_current(tmp_path: Path) -> None:
    checked = node(TSC)
    assert checked.returncode == 0, checked.stdout
    made = node(TSC, "--project", "tsconfig.types.json", "--outDir", tmp_path)
    assert made.returncode == 0, made.stdout
    fresh = {file.name: file.read_text() for file in tmp_path.iterdir()}
    kept = {file.name: file.read_text() for file in (PACKAGE / "types").iterdir()}
    assert fresh == kept, "`npm run types` in pipeline/client/javascript makes them anew"


def test_its_sources_are_laid_out_alike() -> None:
    checked = node(PRETTIER, "--check", "src", "test", "examples")
    assert checked.returncode == 0, f"`npm run format` does it: {checked.stderr}"


def test_it_has_the_version_of_the_program() -> None:
    project = tomllib.loads((PACKAGE.parents[2] / "pyproject.toml").read_text())["project"]
    assert json.loads((PACKAGE / "package.json").read_text())["version"] == project["version"]


def test_its_lock_file_names_no_registry() -> None:
    locked = json.loads((PACKAGE / "package-lock.json").read_text())
    assert [name for name, package in locked["packages"].items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in locked["packages"].items() if name)


@pytest.mark.timeout(120)  # it starts the whole program
def test_it_sees_what_the_program_recorded_and_the_example_of_its_page_works(
    tmp_path: Path,
) -> None:
    endpoint = f"ipc://{tmp_path}/records"
    program = tmp_path / "example.mjs"
    program.write_text(example(endpoint))
    with watching(endpoint, mode="all", kinds=["meta", "annotated"]) as watcher:
        reader = subprocess.Popen(["node", program], stdout=subprocess.PIPE, text=True)
        source = "synthetic:crossing?size=128x96"
        done = run(
            "run", source, "--max-frames", "30", "--publish", endpoint, "--record", "kept",
            "--set", "record.video=false", cwd=tmp_path,
        )  # fmt: skip
        messages, books = told(watcher)
        out, _ = reader.communicate(timeout=30)
    assert (done.returncode, reader.returncode) == (0, 0), done.stderr
    assert "crossing" in out
    assert "captured" in out
    lines = (tmp_path / "kept" / "crossing.jsonl").read_text().splitlines()
    recorded = {header["seq"]: header for header in map(json.loads, lines)}
    records = [message for message in messages if message["kind"] == "meta"]
    assert records
    for record in records:
        header = recorded[record["seq"]]
        assert record["captured"] == str(header["time"]["captured_utc_ns"])
        found = header["instances"]
        assert [each["box"] for each in record["seen"]] == [each["box"] for each in found]
        assert [each["pixels"] for each in record["seen"]] == [each["area"] for each in found]
    assert account(books, stream="crossing")["skipped"] == 0
    assert books["rejected"] == 0


def example(endpoint: str) -> str:
    """The first program of the client's page, to be run from anywhere."""
    source: str = re.findall(r"^```js\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
    assert len(source.splitlines()) <= 15
    here = source.replace('"maskstream-client"', f'"{PACKAGE / "src" / "index.js"}"')
    return here.replace("tcp://127.0.0.1:5555", endpoint)


def test_it_gets_every_frame_and_the_end() -> None:
    kinds = ["meta", "annotated"]
    with (
        Station() as station,
        watching(station.endpoint, streams=["gate-2"], mode="all", kinds=kinds) as program,
    ):
        station.wait_for("meta")
        station.wait_for("annotated")
        assert program.stdout is not None
        lines = put_singly(station, (frame(i) for i in range(100)), program.stdout, '"annotated"')
        station.end()
        lines += program.stdout
        _, errors = program.communicate(timeout=LONGEST_S)
    assert program.returncode == 0, errors
    *messages, books = [json.loads(line) for line in lines]
    records = [message for message in messages if message["kind"] == "meta"]
    assert [record["seq"] for record in records] == list(range(100))
    masks = instances().masks
    assert [each["pixels"] for each in records[0]["seen"]] == masks.areas.tolist()
    wanted = [bytes(masks.to_coco(i)["counts"]).decode() for i in range(3)]  # type: ignore[arg-type]
    assert [each["coco"]["counts"] for each in records[0]["seen"]] == wanted
    assert account(books)["received"] == 100
    assert account(books, "annotated")["received"] == 100


def test_a_slow_program_sees_new_frames_and_knows_what_it_skipped() -> None:
    with Station() as station, watching(station.endpoint, slowMs=100) as program:
        station.wait_for("meta")
        for i in range(150):
            station.put(frame(i))
            time.sleep(0.01)
        station.end()
        messages, books = told(program)
    counts = account(books)
    assert counts["received"] == 150
    assert counts["skipped"] > 0  # 150 messages of 0.1 s, in order, would not end in time
    assert messages[-1]["seq"] == 149


def test_only_wanted_streams_come() -> None:
    with (
        Station() as station,
        watching(station.endpoint, streams=["gate-2"], mode="all") as program,
    ):
        station.wait_for("meta")
        names = ("gate-2", "gate-20", "gate")
        station.put(*(frame(i, stream=name) for i in range(5) for name in names))
        station.end()
        messages, _ = told(program)
    assert [message["stream"] for message in messages] == ["gate-2"] * 5


def test_drops_and_losses_are_accounted_for_and_another_publisher_is_noticed() -> None:
    first = Puppet("first")
    with watching(first.endpoint, mode="all") as program:
        first.wait("meta")
        for seq, pseq in ((0, 4), (1, 5), (4, 8)):
            first.frame(seq, pseq)
        damaged = encode(frame(5), publisher="first", pseq=9, kind="meta")
        for parts in ([damaged[0]], [damaged[0], b"{"], [b"v1/x/meta/", damaged[1]]):
            first.send("meta", parts)
        time.sleep(0.3)
        first.outlet.close(1)
        second = Puppet("second", first.endpoint)
        second.wait("meta")
        second.frame(3, 3)
        second.end(messages=6)
        messages, books = told(program)
        second.outlet.close(1)
    assert [message["seq"] for message in messages] == [0, 1, 4, 3]
    assert (books["restarts"], books["rejected"]) == (1, 3)
    counts = account(books)
    assert (counts["received"], counts["lost"], counts["captured"]) == (4, 4, 8)


def test_a_publisher_that_is_not_there_is_missed_in_time() -> None:
    with watching("tcp://127.0.0.1:1", timeoutMs=300) as program:
        _, errors = program.communicate(timeout=20)
    assert program.returncode != 0
    assert "EndpointError: subscriber to tcp://127.0.0.1:1: wanted a status" in errors
