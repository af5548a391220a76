"""docs/PROTOCOL.md says what is so: its program runs, its examples are the golden bytes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.frame import TrackState
from pipeline.wire.counts import decode_counts
from tests.station import Station, frame, instances

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "PROTOCOL.md").read_text()
GOLDEN = ROOT / "tests" / "data" / "wire"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_client_in_30_lines_runs(tmp_path: Path) -> None:
    (source,) = blocks("python")
    assert len(source.splitlines()) <= 31
    assert "pipeline" not in source
    program = tmp_path / "client.py"
    program.write_text(source)
    with Station() as station:
        command = [sys.executable, str(program), station.endpoint]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
        )
        station.wait_for("meta")
        station.put(frame(0), frame(2, dropped={"stale": 1}))
        station.end()
        out, errors = process.communicate(timeout=15)
    assert (process.returncode, errors) == (0, "")
    areas = instances().masks.areas.tolist()
    wanted = [
        f"{seq} 0 {track} {label} {box} {area}"
        for seq in (0, 2)
        for track, label, box, area in zip(
            (7, 9, None),
            ("person", "shape", "größe"),
            ("[3.0, 5.0, 11.0, 17.0]", "[30.0, 20.0, 6.0, 4.0]", "[0.0, 0.0, 0.0, 0.0]"),
            areas,
            strict=True,
        )
    ]
    assert out.splitlines() == wanted


def test_the_examples_are_the_golden_bytes() -> None:
    shown = [json.loads(block) for block in blocks("json")]
    golden = [
        (GOLDEN / "welcome.txt").read_bytes().removeprefix(b"welcome/v1/"),
        (GOLDEN / "meta.json").read_bytes(),
        (GOLDEN / "status.json").read_bytes(),
    ]
    # Compared as text: the order of the keys is told too.
    assert [json.dumps(each) for each in shown] == [json.dumps(json.loads(g)) for g in golden]


@pytest.mark.parametrize("name", ["meta", "annotated", "status"])
def test_every_field_is_explained(name: str) -> None:
    header = json.loads((GOLDEN / f"{name}.json").read_bytes())
    fields = set(header) | set(header.get("time", {}))
    for instance in header.get("instances", []):
        fields |= set(instance)
    assert [field for field in sorted(fields) if f"`{field}`" not in TEXT] == []
    assert [state.name for state in TrackState if f"`{state.name.lower()}`" not in TEXT] == []


def test_the_worked_example_is_right() -> None:
    assert decode_counts("0h0", 4, 6, "PROTOCOL.md").all()
