"""Recordings: right times, readable after a kill, alone in their failure."""

import itertools
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.demand import Demand
from pipeline.errors import RecordError, StreamError
from pipeline.frame import Frame, Image
from pipeline.stage import ListInbox
from pipeline.wire import encode_header
from stages.record import RecordSettings, RecordStage

ROOT = Path(__file__).parents[1]
MS = Fraction(1, 1000)


def picture(seq: int, width: int = 64, height: int = 48) -> Image:
    """Grey, brighter with every frame."""
    return Image.from_bgr(np.full((height, width, 3), min(20 + seq, 255), np.uint8))


def frame(
    seq: int,
    pts: int | None,
    *,
    stream: str = "gate",
    epoch: int = 0,
    time_base: Fraction = MS,
    image: Image | None = None,
    canvas: Image | None = None,
    captured_ns: int = 0,
) -> Frame:
    return Frame(
        stream=stream,
        epoch=epoch,
        seq=seq,
        pts=pts,
        time_base=time_base,
        captured_ns=captured_ns,
        captured_utc_ns=1_700_000_000_000_000_000 + captured_ns,
        clock="media",
        image=image or picture(seq),
        canvas=canvas,
    )


def record(
    directory: Path, frames: Sequence[Frame], settings: RecordSettings | None = None
) -> tuple[RecordStage, list[Frame], list[StreamError]]:
    errors: list[StreamError] = []
    settings = settings or RecordSettings(directory=directory)
    stage = RecordStage(settings, publisher="run-1", report=errors.append)
    return stage, list(stage.run(ListInbox(frames))), errors


def read(path: Path) -> tuple[list[Fraction], list[float], tuple[int, int]]:
    """Times s, mean brightness and size of what a player shows."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]
    brightness = [float(f.to_ndarray(format="bgr24").mean()) for f in frames]
    return times, brightness, (frames[0].width, frames[0].height)


def test_uneven_times_are_kept_exactly(tmp_path: Path) -> None:
    pts = [0, 33, 70, 500, 501, 2600, 2633]
    frames = [frame(i, p) for i, p in enumerate(pts)]
    stage, passed, errors = record(tmp_path, frames)
    times, brightness, size = read(tmp_path / "gate.mp4")
    assert times == [p * MS for p in pts]
    assert brightness == pytest.approx([20 + i for i in range(7)], abs=3)
    assert size == (64, 48)
    assert (passed, errors) == (frames, [])
    assert stage.files == [tmp_path / "gate.mp4", tmp_path / "gate.jsonl"]


@pytest.mark.parametrize(
    "time_base",
    [Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 25), Fraction(1, 1_000_000)],
    ids=str,
)
def test_every_time_base_is_exact(tmp_path: Path, time_base: Fraction) -> None:
    pts = [0, 1, 2, 5, 7]
    record(tmp_path, [frame(i, p, time_base=time_base) for i, p in enumerate(pts)])
    assert read(tmp_path / "gate.mp4")[0] == [p * time_base for p in pts]


def test_the_frame_rate_can_be_read_back(tmp_path: Path) -> None:
    record(tmp_path, [frame(i, i * 100) for i in range(20)])
    with av.open(str(tmp_path / "gate.mp4")) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    assert float(rate) == pytest.approx(10, rel=0.01)


def test_a_camera_that_counts_from_boot_starts_at_zero(tmp_path: Path) -> None:
    first = 9_000_000_000
    record(tmp_path, [frame(i, first + 40 * i) for i in range(3)])
    assert read(tmp_path / "gate.mp4")[0] == [0, 40 * MS, 80 * MS]


def test_a_small_start_time_is_kept(tmp_path: Path) -> None:
    record(tmp_path, [frame(i, 80 + 40 * i) for i in range(3)])
    assert read(tmp_path / "gate.mp4")[0] == [80 * MS, 120 * MS, 160 * MS]


def test_time_never_goes_back(tmp_path: Path) -> None:
    record(tmp_path, [frame(i, p) for i, p in enumerate([0, 40, 20, 40, 80])])
    times = read(tmp_path / "gate.mp4")[0]
    assert times[:2] == [0, 40 * MS]
    assert times[-1] == 80 * MS
    assert all(a < b for a, b in itertools.pairwise(times))


def test_frames_without_timestamps_use_their_capture(tmp_path: Path) -> None:
    record(tmp_path, [frame(i, None, captured_ns=i * 50_000_000) for i in range(4)])
    assert read(tmp_path / "gate.mp4")[0] == [i * Fraction(1, 20) for i in range(4)]


def test_a_reconnect_goes_on_in_the_same_file(tmp_path: Path) -> None:
    first = [frame(i, 40 * i, captured_ns=i * 40_000_000) for i in range(3)]
    later = [frame(i, 40 * i, epoch=1, captured_ns=(50 + i) * 40_000_000) for i in range(3)]
    stage, _, _ = record(tmp_path, first + later)
    times = read(tmp_path / "gate.mp4")[0]
    assert times == [40 * MS * i for i in (0, 1, 2, 50, 51, 52)]
    assert len(stage.files) == 2


def test_another_picture_size_gets_another_file(tmp_path: Path) -> None:
    frames = [frame(0, 0), frame(1, 40)]
    frames += [frame(i, 40 * i, epoch=1, image=picture(i, 32, 24)) for i in range(3)]
    stage, _, errors = record(tmp_path, frames)
    assert read(tmp_path / "gate.mp4")[2] == (64, 48)
    assert read(tmp_path / "gate.2.mp4")[2] == (32, 24)
    assert read(tmp_path / "gate.2.mp4")[0] == [0, 40 * MS, 80 * MS]
    assert len(lines(tmp_path / "gate.jsonl")) == 5
    assert stage.files[-1] == tmp_path / "gate.2.mp4"
    assert errors == []


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (65, 48), (64, 47)], ids=str)
def test_odd_sizes_are_padded_by_one(tmp_path: Path, size: tuple[int, int]) -> None:
    record(tmp_path, [frame(i, 40 * i, image=picture(100, *size)) for i in range(3)])
    times, brightness, recorded = read(tmp_path / "gate.mp4")
    assert recorded == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert len(times) == 3
    assert brightness == pytest.approx([120] * 3, abs=3)


def test_the_canvas_is_preferred_and_the_aspect_kept(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 200, np.uint8)
    canvas = Image("bgr24", (grey,), 64, 48, sample_aspect=Fraction(4, 3))
    record(tmp_path, [frame(i, 40 * i, canvas=canvas) for i in range(2)])
    assert read(tmp_path / "gate.mp4")[1] == pytest.approx([200, 200], abs=3)
    with av.open(str(tmp_path / "gate.mp4")) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_colours_survive(tmp_path: Path) -> None:
    bars = np.zeros((48, 96, 3), np.uint8)
    colours = [(30, 40, 200), (40, 180, 60), (210, 80, 20)]
    for i, colour in enumerate(colours):
        bars[:, 32 * i : 32 * (i + 1)] = colour
    record(tmp_path, [frame(0, 0, image=Image.from_bgr(bars))])
    with av.open(str(tmp_path / "gate.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="bgr24")
    for i, colour in enumerate(colours):
        assert np.abs(shown[24, 32 * i + 16].astype(int) - colour).max() <= 8


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


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
    with pytest.raises(RecordError, match="wanted a directory that can be written to"):
        record(blocked / "out", [])


def test_one_stream_failing_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").mkdir()  # cannot be replaced by a file
    frames = [frame(i, 40 * i, stream=name) for i in range(3) for name in ("bad", "good")]
    _, passed, errors = record(tmp_path, frames)
    assert passed == frames
    assert [error.where for error in errors] == [str(tmp_path / "bad.mp4")]
    assert len(read(tmp_path / "good.mp4")[0]) == 3


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
    with start_writer(tmp_path, 200_000, 150) as writer:
        output = writer.communicate()[0].splitlines()
    assert output[:-1] == [str(i) for i in range(150)]
    assert output[-1].startswith(f"errors:|{tmp_path / 'gate.mp4'}: wanted to write video, got ")
    assert output[-1].count("|") == 1
    times, _, _ = read(tmp_path / "gate.mp4")
    assert len(times) > 20
    assert all(json.loads(line) for line in lines(tmp_path / "gate.jsonl"))
