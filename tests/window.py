"""A window to test: the page in a real browser, over the real program and a real publisher."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.browser import browser, need_browser, wait
from tests.program import running, wait_for_line
from tests.show import GATE, free_port, showing


@dataclass
class Seen:
    """A browser that looks at a viewer that looks at a publisher."""

    page: Chrome
    endpoint: str
    address: str

    def canvas(self, stream: str = GATE) -> WebElement:
        """The canvas of a stream, as soon as the page knows it: a new server does not at once."""
        selector = f'.tile[data-stream="{stream}"] canvas'
        self.wait(lambda: self.all(selector), f"no picture of {stream}")
        return self.one(selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.page.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.page.find_element(By.CSS_SELECTOR, selector)

    def open(self, stream: str | None = GATE) -> None:
        """Show one stream large (or all), with the switches as they are at first."""
        self.page.execute_script("localStorage.clear()")
        self.page.get("about:blank")
        self.page.get(self.address + ("" if stream is None else f"#stream={stream}"))
        self.wait(lambda: self.all(".tile canvas[data-frame]"), "no picture came")
        self.wait(lambda: self.all("#tracks button"), "no track is listed")

    def wait(self, what: Callable[[], object], message: str) -> None:
        wait(what, message)

    def colours(self, stream: str = GATE) -> int:
        """How much colour there is in the picture, which is grey: what was drawn over it."""
        script = """
            const canvas = arguments[0];
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            let coloured = 0;
            for (let i = 0; i < data.length; i += 4)
                if (Math.max(data[i], data[i + 1], data[i + 2])
                    - Math.min(data[i], data[i + 1], data[i + 2]) > 30) coloured++;
            return coloured;"""
        return int(self.page.execute_script(script, self.canvas(stream)))

    def press(self, *keys: str) -> None:
        ActionChains(self.page).send_keys(*keys).perform()

    def ask(self, script: str) -> Any:
        """What an async function body returns, run in the page."""
        whole = f"const done = arguments[0]; (async () => {{ {script} }})()"
        return self.page.execute_async_script(f"{whole}.then(done, (error) => done(String(error)))")

    def log(self, kind: str) -> list[dict[str, str]]:
        """What the browser wrote since it was last asked: "performance" or "browser"."""
        entries: list[dict[str, str]] = self.page.get_log(kind)  # type: ignore[no-untyped-call]
        return entries


@contextmanager
def window(folder: Path) -> Iterator[Seen]:
    """All of it: a publisher, the viewer and a browser; skips where there is no browser."""
    need_browser()
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        stack.enter_context(showing(endpoint))
        viewer = stack.enter_context(running("view", endpoint, "--port", "0", cwd=folder))
        address = wait_for_line(viewer, "viewing").rpartition(" on ")[2].strip()
        page = stack.enter_context(browser(folder / "profile"))
        page.set_script_timeout(15)
        page.get(address)
        yield Seen(page, endpoint, address)
