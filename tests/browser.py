"""A real browser for the tests of the page: Debian's chromium, headless, through its driver.

In CI it must be there (``.ci/run`` installs it); elsewhere its tests are skipped where it is not.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

REMEDY = "install Debian's chromium and chromium-driver (apt-get install chromium chromium-driver)"
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
PATIENCE_S = 15.0

T = TypeVar("T")


def need_browser() -> None:
    """Skip the test where there is no browser; fail in CI."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a browser: {REMEDY}")
    pytest.skip(REMEDY)


@contextmanager
def browser(profile: Path, width: int = 1440, height: int = 900) -> Iterator[Chrome]:
    """A browser with an empty profile and a log of all that it asks of the network."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in (*SWITCHES, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def wait(what: Callable[[], T], message: str, patience_s: float = PATIENCE_S) -> T:
    """What ``what`` returns, once that is true."""
    deadline = time.monotonic() + patience_s
    while not (value := what()):
        assert time.monotonic() < deadline, message
        time.sleep(0.05)
    return value
