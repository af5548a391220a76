"""A real RTSP camera that a test may kill, freeze and bring back (tests/rtsp_server.py)."""

import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
INSTALL = (
    "the RTSP server is missing: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gst-1.0 "
    "python3-gi gstreamer1.0-plugins-{base,good,bad,ugly} gstreamer1.0-libav"
)


class RtspCamera:
    """A server process at rtsp://127.0.0.1:port/live; killed at the end of its ``with``.

    Starting it skips the test where the server is not installed, and fails it in CI.
    """

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start, or start again on the same port; returns when it accepts connections."""
        _require_server()
        command = [PYTHON, str(SERVER), "--port", str(self.port), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing comes any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def _require_server() -> None:
    check = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); gi.require_version('Gst', '1.0')"
    )
    try:
        there = subprocess.run([PYTHON, "-c", check], capture_output=True, check=False)
        missing = there.returncode != 0
    except FileNotFoundError:
        missing = True
    if missing and os.environ.get("CI"):
        pytest.fail(INSTALL)
    if missing:
        pytest.skip(INSTALL)
