"""The page when something fails or is not allowed, and what it asks of the network."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from pipeline.viewer.server import MOST_TABS
from tests.program import running, wait_for_line
from tests.show import GATE, MARKUP, free_port, showing
from tests.tabs import knock
from tests.window import Seen, window

HOLD_S = 1.5
"""What driver and browser may take on a busy machine, beyond the 3 s that are promised."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with window(tmp_path_factory.mktemp("window")) as seen:
        yield seen


def test_names_are_text(seen: Seen) -> None:
    seen.open(None)
    assert MARKUP in [tile.find_element(By.CLASS_NAME, "name").text for tile in seen.all(".tile")]
    assert seen.all("main img") == []
    assert seen.page.title == "maskstream"


def test_nothing_is_asked_of_anybody_else(seen: Seen) -> None:
    seen.log("performance")
    seen.log("browser")
    seen.open(None)
    messages = [json.loads(entry["message"])["message"] for entry in seen.log("performance")]
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    sockets = [m["params"]["url"] for m in messages if m["method"] == "Network.webSocketCreated"]
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith((seen.address.rstrip("/"), "data:"))] == []
    assert set(sockets) == {seen.address.replace("http", "ws") + "live"}
    assert seen.log("browser") == [], "no errors, no broken policy"


def test_the_page_says_what_failed_and_recovers(seen: Seen, tmp_path: Path) -> None:
    """A life: a publisher that is killed and comes back, then the viewer's server likewise."""
    page, other, port = seen.page, f"tcp://127.0.0.1:{free_port()}", str(free_port())
    with ExitStack() as stack:
        first = stack.enter_context(showing(other))
        with running("view", other, "--port", port, cwd=tmp_path) as viewer:
            wait_for_line(viewer, "viewing")
            life = Seen(page, other, f"http://127.0.0.1:{port}/")
            life.open(GATE)
            first.kill()
            killed = time.monotonic()
            life.wait(
                lambda: "publisher has been gone since" in life.one("#notice").text, "not gone"
            )
            assert time.monotonic() - killed < 3.0 + HOLD_S
            assert "No picture since" in life.one(".veil").text
            assert life.one("#link").text == "gone"
            assert "publisher is gone" in life.one("#announce").get_property("textContent")  # type: ignore[operator]
            stack.enter_context(showing(other))
            life.wait(lambda: not life.one("#notice").is_displayed(), "not back")
            before = life.canvas().get_attribute("data-frame")
            life.wait(lambda: life.canvas().get_attribute("data-frame") != before, "no picture")
            life.wait(lambda: "was restarted" in life.one("#log").text, "not told")
        life.wait(lambda: "No connection to the viewer" in life.one("#notice").text, "not lost")
        with running("view", other, "--port", port, cwd=tmp_path) as viewer:
            wait_for_line(viewer, "viewing")
            life.wait(lambda: not life.one("#notice").is_displayed(), "the page does not reconnect")
            before = life.canvas().get_attribute("data-frame")
            life.wait(lambda: life.canvas().get_attribute("data-frame") != before, "no picture")


def test_one_tab_too_many_is_told_so(seen: Seen) -> None:
    seen.page.get("about:blank")
    port = int(seen.address.rpartition(":")[2].strip("/"))
    with ExitStack() as stack:
        for _ in range(MOST_TABS + 1):  # the page's own may not have gone yet
            stack.enter_context(knock(port))
        seen.page.get(seen.address)
        seen.wait(lambda: "64 tabs are open already" in seen.one("#notice").text, "not told")
    seen.wait(lambda: seen.all("canvas[data-frame]"), "it does not come in when there is room")
    seen.wait(lambda: not seen.one("#notice").is_displayed(), "it is still told so")


def test_a_wrong_token_is_refused_and_asked_for(seen: Seen, tmp_path: Path) -> None:
    secret = "a-token-of-20-letters"
    with running("view", seen.endpoint, "--port", "0", "--token", secret, cwd=tmp_path) as viewer:
        address = wait_for_line(viewer, "viewing").rpartition(" on ")[2].strip()
        plain = address.partition("#")[0]
        locked = Seen(seen.page, seen.endpoint, plain)
        seen.page.get(plain + "#token=a-wrong-one-of-20-chars")
        locked.wait(lambda: locked.one("#door").is_displayed(), "it does not ask")
        assert locked.all(".tile") == []
        locked.one("#token").send_keys(secret, Keys.ENTER)
        locked.wait(lambda: locked.all("canvas[data-frame]"), "the right one is refused")
        assert "token" not in seen.page.current_url, "it would be copied along"
        seen.page.get("about:blank")
        seen.page.get(address)
        locked.wait(lambda: locked.all("canvas[data-frame]"), "the address is refused")
