"""The video of a recording: the times, sizes and colours of its source."""

import itertools
import resource
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import RecordError
from pipeline.frame import Image
from stages.recording.mp4 import Mp4Writer
from stages.recording.timeline import LONGEST_GAP_S
from tests.recorded import MS, frame, lines, picture, read, record


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


@pytest.mark.parametrize("time_base", [Fraction(1, 90_000), Fraction(1, 1_000_000)], ids=str)
@pytest.mark.parametrize("epoch", [0, 1], ids=["timestamps leap", "camera was off"])
def test_a_night_without_pictures_does_not_end_the_recording(
    tmp_path: Path, time_base: Fraction, epoch: int
) -> None:
    """FFmpeg takes no distance of 2³¹ ticks: 36 minutes of a webcam, 6.6 hours of RTSP."""
    second, night_s = int(1 / time_base), 14 * 3600
    away = 0 if epoch else night_s * second
    frames = [frame(i, i * second, time_base=time_base) for i in range(2)]
    for seq in range(2):
        began_ns = (night_s + seq) * 10**9
        pts = away + seq * second
        frames.append(frame(seq, pts, epoch=epoch, time_base=time_base, captured_ns=began_ns))
    _, _, errors = record(tmp_path, frames)
    assert errors == []
    assert read(tmp_path / "gate.mp4")[0] == [0, 1, 1 + LONGEST_GAP_S, 2 + LONGEST_GAP_S]


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


def test_another_shape_of_pixels_gets_another_file(tmp_path: Path) -> None:
    """A file has one; the pictures of a camera that comes back with another would be distorted."""
    wide = replace(picture(2), sample_aspect=Fraction(4, 3))
    frames = [frame(0, 0), frame(1, 40)]
    frames += [frame(i, 40 * i, epoch=1, image=wide) for i in range(2)]
    record(tmp_path, frames)
    for name, aspect in (("gate.mp4", 1), ("gate.2.mp4", Fraction(4, 3))):
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.video[0].sample_aspect_ratio == aspect
            assert len(list(container.decode(video=0))) == 2


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


def test_a_disk_that_is_full_at_the_end_costs_the_last_fragment(tmp_path: Path) -> None:
    """FFmpeg would write a part of it and say nothing."""
    noise = np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3), np.uint8)
    writer = Mp4Writer(
        tmp_path / "a.mp4",
        size=(128, 96),
        sample_aspect=Fraction(1),
        time_base=MS,
        preset="ultrafast",
        crf=23,
        threads=1,
        fragment_s=1.0,
    )
    for index, picture_now in enumerate(noise):
        writer.write(picture_now, index * 40 * MS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (writer.path.stat().st_size + 20_000, hard))
    try:
        with pytest.raises(RecordError, match="wanted to write video, got no room for its end"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(writer.path)[0] == [40 * MS * index for index in range(25)]
