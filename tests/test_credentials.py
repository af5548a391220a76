"""Passwords and tokens of source addresses come out nowhere: the program run as by a user, and all
that it says, serves, sends and writes searched for them."""

import base64
import http.server
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import quote, quote_plus

import pytest
import zmq

from tests.media import write_video
from tests.program import running

pytestmark = pytest.mark.timeout(180)
PASSWORD = "s3cr3t/p@ss wörd"
TOKEN = "t0k3n-of-the-camera"
USER = "operator-name"


def spellings(secret: str) -> set[bytes]:
    """A secret as it may be written: as it is, percent-encoded in several ways, and in base64."""
    ways = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
    ways |= {quote(way, safe="") for way in ways} | {way.lower() for way in ways}
    encoded = {base64.b64encode(f"{USER}:{way}".encode()) for way in ways}
    escaped = {ascii(way).strip("'").encode() for way in ways}
    return {way.encode() for way in ways} | encoded | escaped


SECRETS = spellings(PASSWORD) | spellings(TOKEN) | spellings(USER)


class Guarded(http.server.SimpleHTTPRequestHandler):
    """Files for who knows the password; whoever asks for flaky.mp4 is hung up on half-way."""

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        elif self.path.startswith("/gone"):
            self.send_error(404)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: this is the camera, not the program."""


@contextmanager
def camera(folder: Path) -> Iterator[int]:
    serve = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Guarded, directory=str(folder))
    )
    thread = threading.Thread(target=serve.serve_forever)
    thread.start()
    yield serve.server_address[1]
    serve.shutdown()
    thread.join()
    serve.server_close()


@contextmanager
def refusing_rtsp() -> Iterator[int]:
    """An RTSP server that answers everything with 401, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=refuse, args=(listening,))
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def refuse(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            asked = connection.recv(4096)
            number = asked.partition(b"CSeq: ")[2].split(b"\r\n")[0]
            connection.sendall(b"RTSP/1.0 401 Unauthorized\r\nCSeq: " + number + b"\r\n\r\n")


def keep(stream: IO[str], into: list[str]) -> None:
    into.extend(stream)


def listen(endpoint: str, pictures: str, stop: threading.Event, into: list[bytes]) -> None:
    """Every part of every message of both sockets."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    poller = zmq.Poller()
    socks: list[zmq.Socket[bytes]] = []
    for address in (endpoint, pictures):
        socks.append(context.socket(zmq.SUB))
        socks[-1].subscribe(b"")
        socks[-1].connect(address)
        poller.register(socks[-1], zmq.POLLIN)
    while not stop.is_set():
        for sock, _ in poller.poll(50):
            into.extend(sock.recv_multipart())
    for sock in socks:
        sock.close(0)
    context.term()


def test_no_secret_of_a_source_comes_out_anywhere(tmp_path: Path) -> None:
    write_video(tmp_path / "served.mp4", frames=60, width=96, height=64, fps=25)
    place, run_in = f"ipc://{tmp_path}/publish", tmp_path / "run"
    run_in.mkdir()
    with camera(tmp_path) as http_port, refusing_rtsp() as rtsp_port:
        login = f"{USER}:{quote(PASSWORD, safe='')}@127.0.0.1"
        sources = (
            f"good=http://{login}:{http_port}/served.mp4?token={TOKEN}",
            f"http://{login}:{http_port}/gone.mp4?token={TOKEN}#{TOKEN}",
            f"denied=http://{USER}:{TOKEN}@127.0.0.1:{http_port}/served.mp4",
            f"rtsp://{login}:{rtsp_port}/live?user={USER}&password={TOKEN}",
            f"rtsp://{login}:1/user={USER}&password={TOKEN}&channel=1",
            f"nobody=rtsp://{USER}:{TOKEN}@no-such-host.invalid/live",
        )
        arguments = ("--publish", place, "--record", "kept", "--set", "metrics.port=0")
        with running("run", *sources, *arguments, cwd=run_in) as program:
            assert program.stdout is not None
            assert program.stderr is not None
            said: list[str] = []
            parts: list[bytes] = []
            stop = threading.Event()
            threads = [
                threading.Thread(target=keep, args=(program.stdout, said)),
                threading.Thread(target=keep, args=(program.stderr, said)),
                threading.Thread(target=listen, args=(place, f"{place}.pictures", stop, parts)),
            ]
            for thread in threads:
                thread.start()
            pages = scrape(said)
            until = time.monotonic() + 6  # reconnections, and their logs
            while program.poll() is None and time.monotonic() < until:
                time.sleep(0.3)
                with suppress(OSError):  # it may have just ended
                    pages += scrape(said)
            program.terminate()
            program.wait(60)
            stop.set()
            for thread in threads:
                thread.join()
    files = [file for file in run_in.rglob("*") if file.is_file()]
    assert any(b"v1/good/meta/" in part for part in parts), "".join(said)
    assert any(b'"kind":"status"' in part for part in parts)
    assert any(file.name == "good.jsonl" and file.stat().st_size for file in files)
    assert "127.0.0.1" in "".join(said)
    everything = {
        "what it said": "".join(said).encode(),
        "metrics": pages.encode(),
        "messages": b"\n".join(parts),
        **{str(file.relative_to(run_in)): file.read_bytes() for file in files},
        "names of files": b"\n".join(os.fsencode(file) for file in files),
    }
    found = {place: way for place, text in everything.items() for way in SECRETS if way in text}
    assert found == {}


def scrape(said: list[str]) -> str:
    """The metrics, once the program has said where they are."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for line in list(said):
            if "metrics on " in line:
                address = line.split("metrics on ")[1].split()[0]
                with urllib.request.urlopen(address, timeout=10) as page:
                    return str(page.read().decode())
        time.sleep(0.1)
    raise AssertionError("".join(said))


@pytest.mark.parametrize("arguments", [
    ("run", "rtsp:/{login}/x"),
    ("run", "ftp://{login}/x"), ("run", "a=b=rtsp://{login}/x", "a=rtsp://{login}/y"),
    ("run", "x.mp4", "--publish", "tcp://{login}:5555"),
    ("run", "rtsp://{login}/x", "--set", "decode.nothing=http://{login}/?t={token}"),
    ("watch", "tcp://{login}:5555"),
])  # fmt: skip
def test_no_mistake_shows_a_secret(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    login = f"{USER}:{TOKEN}@camera"
    told = [argument.format(login=login, token=TOKEN) for argument in arguments]
    with running(*told, cwd=tmp_path) as program:
        out, err = program.communicate(timeout=100)
    assert program.returncode != 0
    assert "error: " in err
    assert [way for way in SECRETS if way in (out + err).encode()] == []
