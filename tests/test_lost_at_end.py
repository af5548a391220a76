"""Pictures that are lost behind the last good one are captured and dropped like others."""

import http.server
import threading
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceUnavailable, UnsupportedMedia
from pipeline.frame import Frame
from pipeline.metrics import Metrics
from pipeline.runner import DECODE
from pipeline.supervisor import Supervisor
from stages.decode import Decode, DecodeSettings
from stages.sources.address import parse_sources
from stages.sources.watched import Beat, Watch, Watched
from tests.media import write_video
from tests.players import NEVER, Counting, Sink, check_law, check_sums

FRAMES = 20


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def jpegs(path: Path, good: int) -> Path:
    """A stream of ``FRAMES`` JPEGs, as a web camera sends it, with nothing in those behind."""
    write_video(path, FRAMES, codec="mjpeg", pix_fmt="yuvj420p")
    start = b"\xff\xd8"
    pictures = [start + rest for rest in path.read_bytes().split(start)[1:]]
    assert len(pictures) == FRAMES
    hollow = [start + b"\xff\xfe\x00\x06none" + b"\xff\xd9"] * (FRAMES - good)
    path.write_bytes(b"".join(pictures[:good] + hollow))
    return path


def supervised(address: str, **settings: object) -> tuple[Supervisor, Sink]:
    metrics, sink = Metrics(), Sink()
    (spec,) = parse_sources([f"a={address}"])
    camera = Decode(
        spec,
        DecodeSettings.model_validate(settings),
        clock=SystemClock(),
        untold=partial(metrics.lost_at_end, DECODE, "a"),
    )
    return Supervisor([camera], [sink], metrics=metrics), sink


def test_a_camera_that_is_lost_amid_damage(tmp_path: Path, served: str) -> None:
    path = jpegs(tmp_path / "live.mjpeg", good=12)
    supervisor, sink = supervised(
        f"{served}/{path.name}",
        http_live=True,
        queue=64,
        retry_s=0.01,
        retry_most_s=0.01,
        give_up_s=0.5,
    )

    def end_the_camera(_: object) -> None:
        if len(sink.frames) >= 24:  # in the second connection, or a later one
            path.unlink(missing_ok=True)

    report = supervisor.run(end_the_camera, tick_s=0.01)
    check_sums(report)
    check_law(sink.frames)
    counts = report.streams["a"]
    connections = counts.reconnects + 1
    assert connections > 1
    assert counts.captured == connections * FRAMES
    assert counts.dropped["corrupt"] == connections * (FRAMES - 12)
    (error,) = report.errors
    assert isinstance(error, SourceUnavailable)


def test_a_video_without_one_good_picture(tmp_path: Path) -> None:
    path = jpegs(tmp_path / "hollow.mjpeg", good=0)
    supervisor, _ = supervised(str(path))
    report = supervisor.run()
    check_sums(report)
    assert isinstance(report.errors[0], UnsupportedMedia)
    assert dict(report.streams["a"].dropped) == {"corrupt": FRAMES}


def test_a_folder_without_one_good_picture(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    supervisor, _ = supervised(str(tmp_path))
    report = supervisor.run()
    check_sums(report)
    assert isinstance(report.errors[0], UnsupportedMedia)
    assert dict(report.streams["a"].dropped) == {"corrupt": 3}


class Bursting:
    """A live source with the capture of a camera, too fast for who takes from it."""

    stream, live = "a", True

    def __init__(self, metrics: Metrics, frames: int, epoch: int) -> None:
        self._metrics, self._frames, self._epoch = metrics, frames, epoch

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        untold = partial(self._metrics.lost_at_end, DECODE, "a")
        watch = Watch(10, 10, 2, "drop-oldest")
        return Watched("a", "cam", self._capture, SystemClock(), watch, untold).frames(stop)

    def _capture(self, beat: Beat) -> Generator[Frame, None, None]:
        for made in Counting("a", self._frames, epoch=self._epoch, lose=7).run(NEVER):
            beat()
            yield made


@pytest.mark.parametrize("epoch", [1, 3, 20, 1000])
def test_epochs_that_begin_while_frames_of_the_one_before_wait(epoch: int) -> None:
    metrics, sink = Metrics(), Sink()
    report = Supervisor([Bursting(metrics, 1000, epoch)], [sink], metrics=metrics).run()
    check_sums(report)
    check_law(sink.frames)
    told_by_nobody = sum(at % 7 == 1 and (at + 1) % epoch == 0 for at in range(1000))
    assert report.streams["a"].captured == 1000 - told_by_nobody  # Counting forgets those
