"""Tabs beside one another: each gets what it looks at, none holds up another, all are bounded."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed

from pipeline.viewer.feed import BARE_NS
from pipeline.viewer.server import LONGEST_WORD_BYTES, MOST_TABS
from pipeline.wire import decode_header
from tests.station import Station, frame, picture
from tests.tabs import DRAWN, LOOK, hear, knock, look, viewing


@pytest.fixture(scope="module")
def station() -> Iterator[Station]:
    with Station(streams=("gate-2",)) as station:
        yield station


@pytest.fixture(scope="module")
def port(station: Station, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with viewing(station.endpoint, tmp_path_factory.mktemp("view")) as (port, _, _):
        yield port


def test_a_tab_gets_the_pictures_that_it_looks_at(station: Station, port: int) -> None:
    with knock(port) as tab:
        welcome, _ = hear(tab, "welcome")
        assert welcome["endpoint"] == station.endpoint
        look(tab)
        station.wait_for("image")
        station.put(frame(0, image=picture(grey=120)))
        header, jpeg = hear(tab)
        assert jpeg.startswith(b"\xff\xd8")
        message = decode_header(json.dumps(header).encode())
        assert (message.kind, message.stream) == ("image", "gate-2")
        assert header["instances"][0]["track"] == 7  # type: ignore[index]
        news = next(news for news, _ in iter(lambda: hear(tab, "news"), None) if news["streams"])
        assert news["streams"][0]["name"] == "gate-2"  # type: ignore[index]
    station.wait_for("image", wanted=False)


def test_without_a_look_nothing_is_encoded(station: Station, port: int) -> None:
    with knock(port) as tab:
        look(tab)
        station.wait_for("image")
        tab.send(json.dumps({"type": "look", "streams": []}))
        station.wait_for("image", wanted=False)
        assert not station.demand.subscribed("gate-2", "annotated")


def test_records_are_shown_where_there_are_no_pictures(station: Station, port: int) -> None:
    with knock(port) as tab:
        look(tab)
        station.wait_for("image")
        time.sleep(BARE_NS / 1e9)
        station.put(frame(50, image=None), frame(51, image=None))
        header, jpeg = hear(tab)
        assert (header["kind"], header["seq"], jpeg) == ("meta", 51, b"")


def test_pictures_far_apart_are_not_replaced_by_their_records(station: Station, port: int) -> None:
    with knock(port) as tab:
        look(tab)
        station.wait_for("image")
        for seq in (52, 53):
            time.sleep(BARE_NS / 1e9)
            station.put(frame(seq, image=picture()))
            header, jpeg = hear(tab)
            assert (header["kind"], header["seq"], jpeg[:2]) == ("image", seq, b"\xff\xd8")
            tab.send(DRAWN)


def test_a_tab_that_draws_nothing_gets_two_pictures_and_then_the_newest(
    station: Station, port: int
) -> None:
    with knock(port) as slow, knock(port) as quick:
        look(slow)
        look(quick)
        station.wait_for("image")
        seen = []
        for seq in range(100, 110):
            station.put(frame(seq))
            seen.append(hear(quick)[0]["seq"])
            quick.send(DRAWN)
        assert seen == list(range(100, 110)), "the quick tab waits for nobody"
        assert [hear(slow)[0]["seq"] for _ in range(2)] == [100, 101]
        slow.send(DRAWN)
        assert hear(slow)[0]["seq"] == 109


def test_a_stuck_tab_holds_up_nobody(station: Station, port: int) -> None:
    """It reads nothing at all, and says that it drew everything."""
    with knock(port) as quick, socket.create_connection(("127.0.0.1", port)) as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.sendall(
            f"GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade"
            f"\r\nSec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        said = ['{"type":"hello"}', LOOK, *[DRAWN] * 50]
        stuck.sendall(b"".join(masked(text.encode()) for text in said))
        look(quick)
        station.wait_for("image")
        large = picture(720, 1280)
        for seq in range(200, 230):
            station.put(frame(seq, image=large))
            assert hear(quick)[0]["seq"] == seq
            quick.send(DRAWN)


def masked(payload: bytes) -> bytes:
    """A text as a client's WebSocket frame, with a mask of noughts."""
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


@pytest.mark.parametrize(
    "words", ["", "{", "[]", "17", '{"type":"look","streams":7}', '{"type":"drawn"}', "[" * 9999]
)
def test_nonsense_is_ignored(port: int, words: str) -> None:
    with knock(port) as tab:
        hear(tab, "news")
        tab.send(words)
        hear(tab, "news")


def test_too_long_a_word_ends_the_connection(port: int) -> None:
    with knock(port) as tab:
        tab.send("x" * (LONGEST_WORD_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            hear(tab)


def test_bytes_end_the_connection(port: int) -> None:
    with knock(port) as tab:
        tab.send(b"\x00")
        with pytest.raises(ConnectionClosed):
            hear(tab)


def test_tabs_are_bounded(port: int) -> None:
    with ExitStack() as stack:
        tabs = [stack.enter_context(knock(port)) for _ in range(MOST_TABS)]
        hear(tabs[-1], "news")
        with pytest.raises(ConnectionClosed) as refused, knock(port) as one_more:
            hear(one_more, "news")
        assert refused.value.rcvd is not None
        assert refused.value.rcvd.code == 4429
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:  # the server notices that they went
        with suppress(ConnectionClosed), knock(port) as tab:
            hear(tab, "news")
            return
        time.sleep(0.1)
    raise AssertionError("no tab may be opened any more")


def test_ten_tabs_cost_the_publisher_one_picture_a_frame(station: Station, port: int) -> None:
    with ExitStack() as stack:
        tabs = [stack.enter_context(knock(port)) for _ in range(10)]
        for tab in tabs:
            look(tab)
        station.wait_for("image")
        seen = []
        for seq in range(300, 310):
            station.put(frame(seq))
            for tab in tabs:
                header, _ = hear(tab)
                seen.append((header["seq"], header["pseq"]))
                tab.send(DRAWN)
    first = seen[0][1]
    assert isinstance(first, int)
    assert seen == [(300 + n, first + n) for n in range(10) for _ in tabs]
