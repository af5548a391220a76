"""What cannot be played: one message with the file and the line; never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import StreamError, UnsupportedVersion, WireError
from stages.replaying.lines import Recording
from tests.program import run
from tests.test_play import recorded, seen

Header = dict[str, Any]


def spoiled(tmp_path: Path, line: int, spoil: Callable[[Header], object]) -> Path:
    """A recording of five frames, of which one line (from 1) was spoiled."""
    path = recorded(tmp_path, [seen(seq) for seq in range(5)])
    headers = [json.loads(text) for text in path.read_text().splitlines()]
    spoil(headers[line - 1])
    path.write_text("".join(json.dumps(header) + "\n" for header in headers))
    return path


def failure(path: Path) -> StreamError:
    with pytest.raises(StreamError) as caught:
        list(Recording(path).frames())
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda header: header.update(kind="annotated"), "wanted a header of the kind meta"),
        (lambda header: header.pop("time"), "wanted the field 'time', got none"),
        (lambda header: header.update(stream="yard"), "wanted the stream 'gate', got 'yard'"),
        (lambda header: header.update(seq=0), "order of their capture, got epoch 0 seq 0 after"),
        (lambda header: header["time"].update(clock="sun"), "got 'sun' at header.time.clock"),
        (lambda header: header["image"].update(width=10), "a crop inside the 10x48 px picture"),
        (lambda header: header["instances"][0]["mask"].update(counts="0h0"), "runs of 0 or more"),
        (lambda header: header.clear(), "wanted the field 'v', got none"),
    ],
)
@pytest.mark.parametrize("line", [3, 5])
def test_a_bad_line_is_named(
    line: int, spoil: Callable[[Header], object], message: str, tmp_path: Path
) -> None:
    path = spoiled(tmp_path, line, spoil)
    error = failure(path)
    assert isinstance(error, WireError)
    assert str(error).startswith(f"{path} line {line}: wanted ")
    assert message in str(error)


def test_another_version(tmp_path: Path) -> None:
    path = spoiled(tmp_path, 2, lambda header: header.update(v=2))
    error = failure(path)
    assert isinstance(error, UnsupportedVersion)
    assert str(error).startswith(f"{path} line 2: wanted protocol version 1, got 2. ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: wanted a recorded frame, got no whole line"),
        (b'{"v":1,"kind":"me', "line 1: wanted a recorded frame, got no whole line"),
        (b"hello\n", "line 1: wanted JSON in one line of ASCII"),
        (b"\xff\xfe\x00\n\n", "line 1: wanted JSON in one line of ASCII"),
        (b'{"v":1,"kind":"status"}\n', "line 1: wanted the field 'stream', got none"),
        (b"[" * 100_000 + b"\n", "line 1: wanted JSON in one line of ASCII"),
        (b"x" * (17 * 2**20) + b"\n", "line 1: wanted up to 16777216 bytes"),
    ],
    ids=["empty", "cut", "text", "binary", "status", "deep", "long"],
)
def test_what_is_no_recording(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "gate.jsonl"
    path.write_bytes(content)
    assert f"{path} {message}" in str(failure(path))


def test_empty_lines_and_a_missing_last_end_of_line_do_no_harm(tmp_path: Path) -> None:
    path = recorded(tmp_path, [seen(seq) for seq in range(3)])
    path.write_bytes(b"\n" + path.read_bytes().replace(b"\n", b"\r\n\n").rstrip())
    recording = Recording(path)
    assert [frame.seq for frame in recording.frames()] == [0, 1, 2]


def test_the_program_says_it_and_plays_what_comes_before(tmp_path: Path) -> None:
    path = spoiled(tmp_path, 4, lambda header: header.pop("dropped"))
    done = run("play", path, "--publish", "tcp://127.0.0.1:*", "--speed", "max", cwd=tmp_path)
    assert done.returncode == 9
    assert f"{path} line 4: wanted the field 'dropped', got none" in done.stderr
    assert "state failed, captured 3, published 3" in done.stderr
    assert "Traceback" not in done.stderr


def test_mistakes_on_the_command_line(tmp_path: Path) -> None:
    path = recorded(tmp_path, [seen(0)])
    for arguments, code, message in (
        (["gone.jsonl"], 3, "gone.jsonl: wanted a readable recording, got No such file"),
        ([path, path], 2, "FILE: wanted recordings of different streams, got gate twice"),
        ([path, "--speed", "0"], 2, "replay.speed: wanted greater than 0, got '0'"),
        ([path, "--speed", "fast"], 2, "replay.speed: wanted a valid number"),
        ([path, "--publish", "tcp://nowhere"], 7, "tcp://nowhere"),
    ):
        done = run("play", *arguments, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
