"""Downloads from a real server on this machine, which breaks off, repeats itself and lies."""

import base64
import hashlib
import re
import resource
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import WeightsError
from stages.weights.download import cache_directory, fetch, named_hash

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What the server does, and the ``Range`` of each request that it got."""

    content: bytes = CONTENT
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the answers end, one per request; whole answers afterwards."""
    statuses: list[int] = field(default_factory=list)
    """Answers without a file that come first."""
    announce: bool = True
    etag: str = '"1"'
    asked: list[str | None] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)
    """The ``Authorization`` of each request."""
    address: str = ""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        wanted = self.headers.get("Range")
        site.asked.append(wanted)
        site.users.append(self.headers.get("Authorization"))
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        start = self._start(wanted)
        if start >= len(site.content):
            self.send_error(416)
            return
        body = site.content[start:]
        self.send_response(206 if start else 200)
        if start:
            last = len(site.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        if site.announce:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", site.etag)
        self.end_headers()
        self.wfile.write(body[: site.breaks.pop(0)] if site.breaks else body)

    def _start(self, wanted: str | None) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        current = self.headers.get("If-Range") in (None, self.site.etag)
        return int(match[1]) if match and self.site.ranges and current else 0

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        site.address = f"http://127.0.0.1:{server.server_port}/files/weights-{SHA256[:8]}.pth"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def never(_seconds: float) -> None:
    """Do not wait between tries."""


def expect_whole(target: Path) -> None:
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_file_arrives_and_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.pth"
    seen: list[tuple[int, int | None]] = []
    for _ in range(2):
        fetch(site.address, target, sha256_prefix=SHA256[:8], report=lambda *now: seen.append(now))
    expect_whole(target)
    assert site.asked == [None]
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_broken_connection_is_continued(site: Site, tmp_path: Path) -> None:
    site.breaks = [1000, 50_000, 0]
    fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8], pause=never)
    expect_whole(tmp_path / "a")
    assert site.asked == [None, "bytes=1000-", "bytes=51000-", "bytes=51000-"]


def test_a_server_without_ranges_is_asked_from_the_start(site: Site, tmp_path: Path) -> None:
    site.ranges, site.breaks = False, [300_000]
    fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8], pause=never)
    expect_whole(tmp_path / "a")
    assert site.asked == [None, "bytes=300000-"]


def test_a_part_of_an_earlier_run_is_continued(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(CONTENT[:400_000])
    fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8])
    expect_whole(tmp_path / "a")
    assert site.asked == ["bytes=400000-"]


def test_a_whole_part_needs_no_request(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(CONTENT)
    fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8])
    expect_whole(tmp_path / "a")
    assert site.asked == []


@pytest.mark.parametrize("part", [b"another file", CONTENT + b"longer"])
def test_a_wrong_part_of_an_earlier_run_is_replaced(
    site: Site, tmp_path: Path, part: bytes
) -> None:
    (tmp_path / "a.part").write_bytes(part)
    fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8], pause=never)
    expect_whole(tmp_path / "a")
    assert site.asked == [f"bytes={len(part)}-", None]


def test_without_a_hash_an_old_part_is_not_trusted(site: Site, tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"who knows")
    fetch(site.address, tmp_path / "a")
    expect_whole(tmp_path / "a")
    assert site.asked == [None]


def test_a_file_that_changes_on_the_way_is_started_again(site: Site, tmp_path: Path) -> None:
    site.breaks = [100_000]
    site.content = b"old" * 200_000

    def change(_seconds: float) -> None:
        site.content, site.etag = CONTENT, '"2"'

    fetch(site.address, tmp_path / "a", pause=change)
    expect_whole(tmp_path / "a")


def test_a_file_with_the_wrong_hash_is_deleted(site: Site, tmp_path: Path) -> None:
    site.content = CONTENT[:-1] + b"?"
    with pytest.raises(WeightsError, match=f"SHA-256 {SHA256[:8]}…, got [0-9a-f]{{8}}…") as caught:
        fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8])
    assert "It was deleted" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_not_asked_for_twice(site: Site, tmp_path: Path) -> None:
    site.statuses = [404, 404]
    with pytest.raises(WeightsError, match="HTTP 404 Not Found"):
        fetch(site.address, tmp_path / "a", pause=never)
    assert len(site.asked) == 1


def test_a_user_and_his_password_are_told(site: Site, tmp_path: Path) -> None:
    fetch(site.address.replace("://", "://me:hunter%202@"), tmp_path / "w.pth")
    assert site.users == ["Basic " + base64.b64encode(b"me:hunter 2").decode()]
    fetch(site.address, tmp_path / "open.pth")
    assert site.users[1:] == [None]


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.statuses = [503, 429, 500]
    waits: list[float] = []
    fetch(site.address, tmp_path / "a", pause=waits.append)
    expect_whole(tmp_path / "a")
    assert waits == sorted(waits)
    assert len(waits) == 3


def test_a_server_that_gives_nothing_is_given_up(site: Site, tmp_path: Path) -> None:
    site.breaks = [5000, *[0] * 20]
    with pytest.raises(WeightsError, match=r"after 5000 bytes\. Try again"):
        fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8], tries=3, pause=never)
    assert len(site.asked) == 3
    assert (tmp_path / "a.part").stat().st_size == 5000  # to go on with, next time


def test_a_length_that_is_not_announced(site: Site, tmp_path: Path) -> None:
    site.announce = False
    seen: list[tuple[int, int | None]] = []
    fetch(site.address, tmp_path / "a", report=lambda *now: seen.append(now))
    expect_whole(tmp_path / "a")
    assert seen[-1] == (len(CONTENT), None)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    address = f"http://127.0.0.1:{port}/a.pth?token=secret"
    with pytest.raises(WeightsError, match="refused") as caught:
        fetch(address, tmp_path / "a", tries=2, pause=never)
    assert "secret" not in str(caught.value)


def test_a_server_that_stays_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a.pth"
        with pytest.raises(WeightsError, match="timed out"):
            fetch(address, tmp_path / "a", tries=2, timeout_s=0.1, pause=never)


@pytest.mark.parametrize("address", ["http://127.0.0.1:port/a.pth", "http://[1/a.pth", "nothing"])
def test_what_is_no_address(address: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="Give a whole"):
        fetch(address, tmp_path / "a")


def test_a_place_that_cannot_be_written(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match="MASKSTREAM_CACHE"):
        fetch(site.address, tmp_path / "file" / "a")


def test_no_more_room(site: Site, tmp_path: Path) -> None:
    """The kernel takes half of the file; what is there stays, to go on with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
    try:
        with pytest.raises(WeightsError, match="wanted room for a download, got File too large"):
            fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    fetch(site.address, tmp_path / "a", sha256_prefix=SHA256[:8])
    expect_whole(tmp_path / "a")
    assert site.asked == [None, "bytes=500000-"]


def test_where_the_cache_is() -> None:
    assert cache_directory({"MASKSTREAM_CACHE": "/a/b"}) == Path("/a/b")
    assert cache_directory({"XDG_CACHE_HOME": "/x"}) == Path("/x/maskstream")
    assert cache_directory({}) == Path.home() / ".cache" / "maskstream"


def test_the_hash_in_a_name() -> None:
    assert named_hash("https://a.org/b/solov2_20220511-75fa355b.pth?download=1") == "75fa355b"
    assert named_hash("https://a.org/b-75fa355b/model_20220511.pth") == ""
