"""The pictures of a played recording: the right one for each line, decoded when they are wanted."""

import signal
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pipeline.client import Subscriber
from pipeline.clock import ManualClock
from pipeline.demand import Demand
from pipeline.errors import UnsupportedMedia
from pipeline.frame import Frame, Image
from pipeline.picture import to_bgr
from stages.playback import Tape, open_reel
from stages.replay import Replay, ReplaySettings
from stages.replaying.pictures import Video
from tests import station
from tests.media import write_video
from tests.program import run, running
from tests.recorded import record

MS = Fraction(1, 1000)
COUNT = 60
ROOT = Path(__file__).parents[1]
KILLED = """
import os, signal, sys
from fractions import Fraction
from pathlib import Path
from tests import station
from tests.recorded import record

def frames():
    for seq in range(130):
        yield station.frame(
            seq, stream="gate", pts=40 * seq, time_base=Fraction(1, 1000), instances=None,
            canvas=station.picture(grey=20 + seq),
        )
    os.kill(os.getpid(), signal.SIGKILL)

record(Path(sys.argv[1]), frames())
"""


def shown(seq: int, height: int = 48, width: int = 64, **changes: Any) -> Frame:
    """A frame whose annotated picture gets brighter with ``seq``."""
    canvas = station.picture(height, width, grey=20 + 3 * seq)
    image = station.picture(height, width)
    same = {"stream": "gate", "pts": 40 * seq, "time_base": MS, "instances": None}
    return station.frame(seq, **{**same, "image": image, "canvas": canvas, **changes})


def recorded(directory: Path, frames: list[Frame]) -> Path:
    record(directory, frames)
    return directory / "gate.jsonl"


def played(tape: Tape, demand: Demand, **settings: Any) -> list[Frame]:
    """The frames of a recording as fast as possible."""
    clock, options = ManualClock(), ReplaySettings(speed="max", **settings)  # type: ignore[arg-type]
    source = Replay(open_reel(tape), options, demand=demand, clock=clock)
    return list(source.run(threading.Event()))


def wanting(*kinds: str) -> Demand:
    demand = Demand()
    demand.add(b"", kinds)
    return demand


def grey(image: Image | None) -> float:
    assert image is not None
    return float(to_bgr(image).mean())


def test_every_line_gets_its_own_picture(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [shown(seq) for seq in range(COUNT)])
    frames = played(Tape(lines), wanting("annotated"))
    assert len(frames) == COUNT
    for seq, frame in enumerate(frames):
        assert grey(frame.canvas) == pytest.approx(20 + 3 * seq, abs=2)


def test_nothing_is_decoded_until_somebody_looks(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [shown(seq) for seq in range(COUNT)])
    demand = Demand()
    source = Replay(
        open_reel(Tape(lines)),
        ReplaySettings(speed=float("inf")),
        demand=demand,
        clock=ManualClock(),
    )
    for seq, frame in enumerate(source.run(threading.Event())):
        looked = 20 < seq <= 23 or 40 < seq <= 43
        assert (frame.canvas is not None) is looked
        if looked:
            assert grey(frame.canvas) == pytest.approx(20 + 3 * seq, abs=2)
        if seq in (20, 40):
            demand.add(b"v1/gate/annotated/", ("annotated",))
        if seq in (23, 43):
            demand.remove(b"v1/gate/annotated/", ("annotated",))


def test_odd_sizes_lose_their_padding_and_parts_follow_one_another(tmp_path: Path) -> None:
    frames = [shown(seq, 47, 63) for seq in range(5)]
    frames += [replace(shown(5 + seq, 31, 40), epoch=1, seq=seq) for seq in range(5)]
    lines = recorded(tmp_path, frames)
    assert (tmp_path / "gate.2.mp4").exists()
    got = played(Tape(lines), wanting("annotated"))
    sizes = [frame.canvas and (frame.canvas.height, frame.canvas.width) for frame in got]
    assert sizes == [(47, 63)] * 5 + [(31, 40)] * 5
    assert [grey(frame.canvas) for frame in got] == pytest.approx(
        [20 + 3 * seq for seq in range(10)], abs=2
    )
    assert [grey(frame.canvas) for frame in got][-1] > 40


def test_the_source_itself_is_the_plain_picture(tmp_path: Path) -> None:
    source = write_video(
        tmp_path / "source.mp4",
        (to_bgr(station.picture(grey=200 - 10 * index)) for index in range(10)),
        fps=25,
    )
    dropped = {"stale": 3}
    frames = [shown(0), shown(1), *(shown(seq, dropped=dropped) for seq in range(5, 8))]
    lines = recorded(tmp_path, frames)
    got = played(Tape(lines, "none", source), wanting("annotated", "image"))
    assert [frame.canvas for frame in got] == [None] * 5
    assert [grey(frame.image) for frame in got] == pytest.approx([200, 190, 150, 140, 130], abs=3)
    assert [frame.image and frame.image.planes for frame in played(Tape(lines), Demand())] == [
        ()
    ] * 5


def test_what_a_kill_leaves_is_played(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    killed = subprocess.run(command, cwd=ROOT, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    frames = played(Tape(tmp_path / "gate.jsonl"), wanting("annotated"))
    assert [frame.seq for frame in frames] == list(range(130))
    count = sum(frame.canvas is not None for frame in frames)
    assert 100 <= count < 130  # all but the fragment under way
    for seq, frame in enumerate(frames[:count]):
        assert grey(frame.canvas) == pytest.approx(20 + seq, abs=2)


def test_a_recording_that_was_killed_is_played_as_far_as_it_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = recorded(tmp_path, [shown(seq) for seq in range(COUNT)])
    video = tmp_path / "gate.mp4"
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    lines.write_bytes(lines.read_bytes()[:-20])
    frames = played(Tape(lines), wanting("annotated"))
    assert [frame.seq for frame in frames] == list(range(COUNT - 1))
    pictures = [frame.canvas is not None for frame in frames]
    count = pictures.index(False)
    assert count >= 25
    assert pictures == [True] * count + [False] * (COUNT - 1 - count)
    told = caplog.text
    assert f"{lines} line {COUNT}: cut off" in told
    assert f"{video} ends with the picture of line" in told


def test_a_video_of_something_else_is_refused(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [shown(seq) for seq in range(5)])
    longer = write_video(tmp_path / "longer.mp4", 9)
    with pytest.raises(UnsupportedMedia, match=r"longer.mp4: wanted a picture for each of the 5"):
        open_reel(Tape(lines, longer))
    larger = write_video(tmp_path / "larger.mp4", 5, width=96)
    with pytest.raises(UnsupportedMedia, match=r"larger.mp4: wanted pictures of 64x48 px.*96x48"):
        open_reel(Tape(lines, larger))
    with pytest.raises(UnsupportedMedia, match=r"larger.mp4: wanted pictures of 64x48 px"):
        open_reel(Tape(lines, "none", larger))
    (tmp_path / "gate.mp4").write_text("no video")
    with pytest.raises(UnsupportedMedia, match=r"gate.mp4"):
        open_reel(Tape(lines))
    assert open_reel(Tape(lines, "none")).shown is None


def test_damaged_pictures_are_left_out_and_the_others_stay_in_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gate.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(30):
            bgr = np.full((48, 64, 3), 8 * n, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))
        container.mux(stream.encode())
    with av.open(path) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    content = bytearray(path.read_bytes())
    at, size = packets[13]
    assert at is not None
    content[at + 4 : at + size] = b"\xff" * (size - 4)
    path.write_bytes(content)
    with closing(Video(path)) as video:
        pictures = [video.at(index) for index in range(len(video))]
    brightness = [picture and round(to_bgr(picture).mean() / 8) for picture in pictures]
    assert brightness == [*range(13), *[None] * 7, *range(20, 30)]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "picture 14 left out: Invalid data found when processing input",
        "7 times a picture was left out",
    ]


def test_a_subscriber_sees_them(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [shown(seq) for seq in range(COUNT)])
    endpoint = f"ipc://{tmp_path}/wire"
    with (
        running("play", lines, "--publish", endpoint, "--loop", cwd=tmp_path),
        Subscriber(endpoint, kinds=("annotated",), mode="all") as subscriber,
    ):
        for frame, _ in zip(subscriber, range(10), strict=False):
            assert frame.canvas is not None
            assert frame.canvas.format == "jpeg"
            assert grey(frame.canvas) == pytest.approx(20 + 3 * frame.seq, abs=3)


def test_one_video_for_each_file_or_none(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [shown(0)])
    done = run("play", lines, "--video", "a.mp4", "--video", "b.mp4", cwd=tmp_path)
    assert done.returncode == 2
    assert "--video: wanted one for each of 1 files, or none at all, got 2" in done.stderr
