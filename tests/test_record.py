"""Recordings: readable after a kill, alone in their failure, never over what must stay."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.demand import Demand
from pipeline.errors import RecordError, StreamError
from pipeline.frame import Frame
from pipeline.stage import ListInbox
from pipeline.wire import encode_header
from stages.record import RecordSettings, RecordStage
from tests.recorded import MS, frame, lines, picture, read, record

ROOT = Path(__file__).parents[1]


def test_lines_are_the_wires_meta_headers(tmp_path: Path) -> None:
    frames = [frame(i, 40 * i) for i in (0, 1, 4)]
    record(tmp_path, frames)
    wanted = [encode_header(f, publisher="run-1", pseq=i) for i, f in enumerate(frames)]
    assert lines(tmp_path / "gate.jsonl") == wanted


def test_streams_have_their_own_files_and_safe_names(tmp_path: Path) -> None:
    frames = [frame(0, 0, stream="a"), frame(0, 0, stream="..b c"), frame(1, 40, stream="a")]
    stage, _, _ = record(tmp_path, frames)
    assert {path.name for path in stage.files} == {"a.jsonl", "a.mp4", "--b-c.jsonl", "--b-c.mp4"}
    assert len(lines(tmp_path / "a.jsonl")) == 2


def test_a_directory_may_be_at_home() -> None:
    assert RecordSettings(directory=Path("~/out")).directory == Path.home() / "out"


def test_video_can_be_left_out_and_pictures_can_be_missing(tmp_path: Path) -> None:
    settings = RecordSettings(directory=tmp_path, video=False)
    stage, _, _ = record(tmp_path, [frame(0, 0)], settings)
    assert stage.files == [tmp_path / "gate.jsonl"]


def test_recording_asks_for_annotated_pictures(tmp_path: Path) -> None:
    demand = Demand()
    settings = RecordSettings(directory=tmp_path)
    RecordStage(settings, publisher="run-1", report=lambda _: None, demand=demand)
    assert demand.wants("anything", "annotated")


def test_a_second_run_replaces_the_first_unless_told_not_to(tmp_path: Path) -> None:
    big = [frame(0, 0), frame(1, 40, image=picture(1, 32, 24))]
    record(tmp_path, big)
    assert (tmp_path / "gate.2.mp4").exists()
    bystander = tmp_path / "gate.backup.mp4"
    bystander.write_bytes(b"mine")
    record(tmp_path, [frame(0, 0)])
    assert not (tmp_path / "gate.2.mp4").exists()
    assert bystander.read_bytes() == b"mine"
    before = (tmp_path / "gate.jsonl").read_bytes()
    settings = RecordSettings(directory=tmp_path, overwrite=False)
    stage, passed, errors = record(tmp_path, [frame(7, 0)], settings)
    assert (tmp_path / "gate.jsonl").read_bytes() == before
    assert (len(passed), stage.files) == (1, [])
    assert [type(error) for error in errors] == [RecordError]


def test_the_file_that_is_being_read_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "gate.mp4"
    source.write_bytes(b"precious")
    errors: list[StreamError] = []
    settings = RecordSettings(directory=tmp_path)
    stage = RecordStage(settings, publisher="run-1", report=errors.append, sources=[source])
    assert len(list(stage.run(ListInbox([frame(0, 0), frame(1, 40)])))) == 2
    assert source.read_bytes() == b"precious"
    assert len(errors) == 1
    assert "being read" in str(errors[0])


def test_similar_names_do_not_share_files(tmp_path: Path) -> None:
    frames = [frame(i, 40 * i, stream=name) for i in range(2) for name in ("a b", "a-b")]
    stage, passed, errors = record(tmp_path, frames)
    assert (len(passed), len(errors), len(stage.files)) == (4, 1, 2)
    assert [json.loads(line)["stream"] for line in lines(tmp_path / "a-b.jsonl")] == ["a b"] * 2


def test_a_restarted_stage_goes_on_with_its_recordings(tmp_path: Path) -> None:
    settings = RecordSettings(directory=tmp_path)
    stage = RecordStage(settings, publisher="run-1", report=lambda _: None)
    for start in (0, 3):
        list(stage.run(ListInbox([frame(i, 40 * i) for i in range(start, start + 3)])))
    headers = [json.loads(line) for line in lines(tmp_path / "gate.jsonl")]
    assert [(header["seq"], header["pseq"]) for header in headers] == [(i, i) for i in range(6)]
    assert [path.name for path in stage.files] == ["gate.mp4", "gate.jsonl", "gate.2.mp4"]
    assert all(len(read(tmp_path / name)[0]) == 3 for name in ("gate.mp4", "gate.2.mp4"))


def test_an_unwritable_directory_is_an_error_at_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    with pytest.raises(RecordError, match="wanted a folder that can be written to"):
        record(blocked / "out", [])


def test_one_stream_failing_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").mkdir()  # cannot be replaced by a file
    frames = [frame(i, 40 * i, stream=name) for i in range(3) for name in ("bad", "good")]
    _, passed, errors = record(tmp_path, frames)
    assert passed == frames
    assert [error.where for error in errors] == [str(tmp_path / "bad.mp4")]
    assert len(read(tmp_path / "good.mp4")[0]) == 3


def test_lines_that_cannot_be_closed_do_not_keep_the_video_open(tmp_path: Path) -> None:
    """As on a network drive that tells of a full disk only when a file is closed."""

    def until_the_disk_is_gone() -> Iterator[Frame]:
        yield from (frame(seq, 40 * seq) for seq in range(5))
        for link in Path("/proc/self/fd").iterdir():
            if os.path.realpath(link) == str(tmp_path / "gate.jsonl"):
                os.close(int(link.name))

    errors: list[StreamError] = []
    settings = RecordSettings(directory=tmp_path)
    stage = RecordStage(settings, publisher="run-1", report=errors.append)
    list(stage.run(ListInbox(until_the_disk_is_gone())))
    assert [Path(error.where).name for error in errors] == ["gate.jsonl"]
    assert len(read(tmp_path / "gate.mp4")[0]) == 5


def test_files_are_closed_when_the_consumer_stops_early(tmp_path: Path) -> None:
    stage = RecordStage(
        RecordSettings(directory=tmp_path), publisher="run-1", report=lambda _: None
    )
    running = stage.run(ListInbox([frame(i, 40 * i) for i in range(10)]))
    next(running)
    next(running)
    assert isinstance(running, Iterator)
    running.close()  # type: ignore[attr-defined]  # a generator, as every stage is
    assert len(read(tmp_path / "gate.mp4")[0]) == 2


WRITER = """
import resource, sys
from pathlib import Path
import numpy as np
from pipeline.frame import Frame, Image
from pipeline.stage import ListInbox
from stages.record import RecordSettings, RecordStage
from fractions import Fraction

limit = int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
rng = np.random.default_rng(0)

def frames():
    for i in range(int(sys.argv[3])):
        noise = Image.from_bgr(rng.integers(0, 255, (96, 128, 3), np.uint8))
        yield Frame("gate", 0, i, 40 * i, Fraction(1, 1000), 0, 0, "media", noise)

errors = []
stage = RecordStage(
    RecordSettings(directory=Path(sys.argv[1])), publisher="run-1", report=errors.append
)
for frame in stage.run(ListInbox(frames())):
    print(frame.seq, flush=True)
print("errors:", *errors, sep="|")
"""


def start_writer(directory: Path, limit_bytes: int, frames: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(directory), str(limit_bytes), str(frames)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_kill_leaves_what_was_done_readable(tmp_path: Path) -> None:
    with start_writer(tmp_path, 0, 100_000) as writer:
        assert writer.stdout is not None
        seen = next(int(line) for line in writer.stdout if int(line) >= 120)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    headers = [json.loads(line) for line in lines(tmp_path / "gate.jsonl")]
    assert [header["seq"] for header in headers] == list(range(len(headers)))
    assert len(headers) > seen
    times, _, _ = read(tmp_path / "gate.mp4")
    assert times == [40 * MS * i for i in range(len(times))]
    assert seen - len(times) < 26  # one fragment of a second


def test_a_full_disk_ends_the_recording_and_not_the_run(tmp_path: Path) -> None:
    with start_writer(tmp_path, 400_000, 150) as writer:
        output = writer.communicate()[0].splitlines()
    assert output[:-1] == [str(i) for i in range(150)]
    assert output[-1].startswith(f"errors:|{tmp_path / 'gate.mp4'}: wanted to write video, got ")
    assert output[-1].count("|") == 1
    times, _, _ = read(tmp_path / "gate.mp4")
    assert len(times) > 20
    assert all(json.loads(line) for line in lines(tmp_path / "gate.jsonl"))
