"""Who may come in: names, origins, tokens; and what the viewer says when it cannot begin."""

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from pipeline.errors import AccessError, ConfigError, EndpointError
from pipeline.viewer.command import view
from pipeline.viewer.door import SILENCE_S, Door, token_matches
from pipeline.viewer.server import KNOCK_S, MOST_KNOCKS, MOST_TABS, bound
from tests.locked import House
from tests.program import run
from tests.station import Station, frame
from tests.tabs import hear, knock, look, viewing

SECRET = "not-to-be-guessed-42"


def get(port: int, path: str = "/", host: str = "localhost") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.fixture(scope="module")
def station() -> Iterator[Station]:
    with Station(streams=("gate-2",)) as station:
        yield station


@pytest.fixture(scope="module")
def port(station: Station, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with viewing(station.endpoint, tmp_path_factory.mktemp("view")) as (port, _, _):
        yield port


def test_the_page_and_nothing_else_is_served(port: int) -> None:
    assert get(port).getheader("Content-Type") == "text/html; charset=utf-8"
    assert get(port, "/main.js").getheader("Content-Type") == "text/javascript; charset=utf-8"
    for path in ("/../server.py", "/%2e%2e%2fserver.py", "/server.py", "/page/main.js", "/nothing"):
        assert get(port, path).status == 404


def test_the_page_may_load_only_what_is_its_own(port: int) -> None:
    for path in ("/", "/main.js", "/nothing"):
        answer = get(port, path)
        policy = answer.getheader("Content-Security-Policy") or ""
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Referrer-Policy") == "no-referrer"
        assert answer.getheader("Server") is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:80", "LOCALHOST:8080"])
def test_it_answers_to_names_of_its_own(port: int, host: str) -> None:
    assert get(port, host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", ""])
def test_it_answers_to_no_other_name(port: int, host: str) -> None:
    """A page of somebody else whose name was pointed at us (DNS rebinding)."""
    assert get(port, host=host).status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_page_cannot_connect(port: int, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{port}/live", additional_headers={"Origin": origin})
    assert refused.value.response.status_code == 403


def test_beyond_loopback_addresses_are_names_too() -> None:
    async def nothing(*_: object) -> None: ...

    door = Door(nothing, "0.0.0.0")
    assert door.knows("192.0.2.7:8080")
    assert door.knows(f"{socket.gethostname()}:8080")
    assert not door.knows("evil.example")


def test_the_token_is_asked_for_and_never_said(station: Station, tmp_path: Path) -> None:
    with viewing(station.endpoint, tmp_path, "--token", SECRET) as (port, line, process):
        assert line.rstrip().endswith(f"/#token={SECRET}")
        with knock(port, SECRET) as tab:
            hear(tab, "welcome")
        for wrong in (None, "", SECRET + "x", "not-to-be-guessed-43"):
            with pytest.raises(ConnectionClosed) as refused, knock(port, wrong) as tab:
                hear(tab, "welcome")
            assert refused.value.rcvd is not None
            assert refused.value.rcvd.code == 4401
        process.terminate()
        _, rest = process.communicate(timeout=20)
        assert process.returncode == 0
    assert rest.count("turned away") == 1, "once a minute is enough"
    assert SECRET not in rest


def test_who_says_nothing_keeps_nobody_out(station: Station, tmp_path: Path) -> None:
    with viewing(station.endpoint, tmp_path) as (port, _, _), ExitStack() as stack:
        silent = [
            stack.enter_context(connect(f"ws://127.0.0.1:{port}/live"))
            for _ in range(MOST_KNOCKS + 2)
        ]
        for _ in range(2):
            with knock(port) as tab:
                hear(tab, "welcome")
        time.sleep(KNOCK_S)
        for knocking in silent:
            with pytest.raises(ConnectionClosed):
                knocking.recv(1)


def test_who_asks_for_nothing_keeps_nobody_out(station: Station, tmp_path: Path) -> None:
    with (
        viewing(station.endpoint, tmp_path) as (port, _, _),
        knock(port) as tab,
        ExitStack() as stack,
    ):
        for began in (b"", b"GET / HTTP/1.1\r\n"):
            for _ in range(2 * MOST_TABS):
                idle = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                idle.sendall(began)
        assert get(port).status == 503
        end = time.monotonic() + SILENCE_S + 1
        while time.monotonic() < end:
            hear(tab, "news")
        assert get(port).status == 200


def test_beyond_loopback_a_token_is_made(station: Station, tmp_path: Path) -> None:
    with viewing(station.endpoint, tmp_path, "--host", "0.0.0.0") as (port, line, _):
        token = line.rstrip().partition("#token=")[2]
        assert len(token) >= 24
        with pytest.raises(ConnectionClosed), knock(port) as tab:
            hear(tab, "welcome")
        with knock(port, token) as tab:
            hear(tab, "welcome")


def test_a_token_from_a_file(station: Station, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    with viewing(station.endpoint, tmp_path, "--token-file", "token") as (port, _, _):
        with knock(port, SECRET) as tab:
            hear(tab, "welcome")
        with pytest.raises(ConnectionClosed), knock(port) as tab:
            hear(tab, "welcome")
    done = run("view", station.endpoint, "--token-file", "nowhere", cwd=tmp_path)
    assert done.returncode == ConfigError.exit_code
    assert "No such file" in done.stderr


def test_a_locked_publisher_is_viewed_with_keys(tmp_path: Path) -> None:
    house = House(tmp_path)
    key, stranger = house.guest("me"), house.pair("stranger")
    server = ("--server-key", str(house.server_key))
    with Station(house.settings(), streams=("gate-2",)) as station:
        mine = viewing(station.endpoint, tmp_path, "--keys", str(key), *server)
        with mine as (port, _, _), knock(port) as tab:
            look(tab)
            station.wait_for("image")
            station.put(frame(0))
            assert hear(tab)[0]["seq"] == 0
        done = run(
            "view", station.endpoint, "--port", "0", "--keys", stranger, *server, cwd=tmp_path
        )
    assert done.returncode == AccessError.exit_code
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_tokens_are_compared_whole() -> None:
    assert token_matches(None, None)
    assert token_matches(SECRET, SECRET)
    for wrong in (None, 17, ["x"], SECRET[:-1], SECRET.upper(), "größe"):
        assert not token_matches(SECRET, wrong)


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_token_file_opens_to_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    options = ("--port", "0", "--token-file", "token")
    done = run("view", "tcp://127.0.0.1:5555", *options, cwd=tmp_path)
    assert done.returncode == ConfigError.exit_code
    assert "at least 16 printable ASCII characters" in done.stderr


def test_a_short_token_is_none() -> None:
    with pytest.raises(ConfigError, match="at least 16"):
        view("tcp://127.0.0.1:5555", token="123", say=print)


def test_a_wrong_endpoint_is_one_clear_error(tmp_path: Path) -> None:
    done = run("view", "tcp://127.0.0.1", cwd=tmp_path)
    assert done.returncode == EndpointError.exit_code
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: subscriber: wanted tcp://HOST:PORT")


def test_a_port_in_use_is_one_clear_error() -> None:
    with bound("127.0.0.1", 0) as taken, pytest.raises(EndpointError, match="with --port"):
        bound("127.0.0.1", taken.getsockname()[1])


def test_it_starts_without_what_it_does_not_need(tmp_path: Path) -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import pipeline.viewer.command; "
    script += "print(*{'torch', 'av', 'cv2', 'scipy', 'pydantic'} & set(sys.modules))"
    root = str(Path(__file__).parents[1])
    python = [sys.executable, "-c", script, root]
    done = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
