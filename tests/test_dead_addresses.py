"""Dead addresses for stages.decode: an error in the configured time, and no password in any."""

import contextlib
import http.server
import itertools
import os
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import SourceRejected, SourceUnavailable, UnsupportedMedia
from stages.decode import MOST_LEFT_BEHIND
from tests.media import write_video
from tests.opening import only_error, source

PATIENT_S = 30.0
"""Far above any configured time of these tests, far below for ever."""


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(8)
        yield listening.getsockname()[1]


def free_port() -> int:
    with socket.socket() as passing:
        passing.bind(("127.0.0.1", 0))
        port: int = passing.getsockname()[1]
        return port


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_stays_silent_is_given_up_in_time(scheme: str) -> None:
    began_s = time.monotonic()
    with silent_server() as port:
        error = only_error(f"{scheme}://me:hunter2@127.0.0.1:{port}/live", open_timeout_s=0.5)
    assert isinstance(error, SourceUnavailable)
    assert "nothing for 0.5 s" in error.got
    assert "hunter2" not in str(error)
    assert time.monotonic() - began_s < PATIENT_S


SESSION = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n\
a=rtpmap:96 H264/90000\r\na=control:track1\r\n"
ANSWERS = {
    "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(SESSION)}\r\n",
    "SETUP": "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n",
}
SENDER_REPORT = b"$\x01\x00\x1c\x80\xc8\x00\x06" + bytes(24)


class Frozen(socketserver.StreamRequestHandler):
    """A camera whose picture hangs: it plays its part of RTSP and sends reports, no pictures."""

    def handle(self) -> None:
        while request := self.rfile.readline().split():
            number = b""
            while line := self.rfile.readline().strip():
                number = line if line.lower().startswith(b"cseq") else number
            method = request[0].decode()
            head = f"RTSP/1.0 200 OK\r\n{number.decode()}\r\n{ANSWERS.get(method, '')}\r\n"
            self.wfile.write((head + SESSION * (method == "DESCRIBE")).encode())
            with contextlib.suppress(OSError):
                while method == "PLAY":
                    self.wfile.write(SENDER_REPORT)
                    time.sleep(0.05)


class FrozenCamera(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def frozen_camera() -> Iterator[str]:
    with FrozenCamera(("127.0.0.1", 0), Frozen) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"rtsp://127.0.0.1:{server.server_address[1]}/live"
        server.shutdown()
        thread.join()


def test_a_session_that_is_kept_alive_without_pictures_is_given_up_in_time() -> None:
    with frozen_camera() as address:
        error = only_error(address, open_timeout_s=0.5, stall_timeout_s=0.5)
    assert isinstance(error, SourceUnavailable)
    assert "nothing for 0.5 s" in error.got


def test_no_more_than_a_few_connections_are_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = threading.Event()
    with frozen_camera() as address:
        camera = source(f"ice={address}", open_timeout_s=0.1, retry_s=0.05, retry_first=True)
        threading.Timer(2.0, stop.set).start()
        assert list(camera.run(stop)) == []
    stuck = [thread for thread in threading.enumerate() if "capture-ice" in thread.name]
    assert len(stuck) <= MOST_LEFT_BEHIND
    assert any("kept alive without pictures" in line for line in caplog.messages)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_refused_connection(scheme: str) -> None:
    error = only_error(f"{scheme}://me:hunter2@127.0.0.1:{free_port()}/live?key=hunter2")
    assert isinstance(error, SourceUnavailable)
    assert "refused" in error.got
    assert "hunter2" not in str(error) + repr(error) + str(error.__cause__) + repr(error.__cause__)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_host_that_nobody_knows(scheme: str) -> None:
    error = only_error(f"{scheme}://no-such-host.invalid/live", open_timeout_s=20)
    assert isinstance(error, SourceUnavailable)
    assert "host name" in error.got


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            del format, args

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=os.fspath(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_video_on_a_web_server(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", 12)
    with web_server(tmp_path) as address:
        frames = list(source(f"{address}/clip.mp4").run(threading.Event()))
    assert [frame.seq for frame in frames] == list(range(12))
    assert all(frame.dropped == {} for frame in frames)


def test_a_page_that_is_not_there(tmp_path: Path) -> None:
    with web_server(tmp_path) as address:
        error = only_error(f"{address}/nothing.mp4")
    assert isinstance(error, SourceRejected)
    assert "404" in error.got


def test_a_page_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    with web_server(tmp_path) as address:
        error = only_error(f"{address}/noise.mp4")
    assert isinstance(error, UnsupportedMedia)


def test_a_web_camera_that_ends_is_connected_again(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", 5)
    with web_server(tmp_path) as address:
        camera = source(f"{address}/clip.mp4", http_live=True, retry_s=0.01, queue=8)
        assert camera.live
        frames = camera.run(threading.Event())
        epochs = [frame.epoch for frame in itertools.islice(frames, 10)]
        frames.close()
    assert epochs == [0] * 5 + [1] * 5
