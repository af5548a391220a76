"""``watch`` against a real publisher: lines, JSON lines, saved pictures."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from pipeline.client import Statistics
from pipeline.errors import RecordError
from pipeline.watch import file_name, line, summary, watch
from pipeline.wire import decode, encode
from tests.station import Station, frame

ROOT = Path(__file__).parents[1]


class Watching:
    """``watch`` in a thread, its output in lists."""

    def __init__(self, station: Station, **options: object) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.statistics: Statistics | None = None
        self._thread = threading.Thread(target=self._run, args=(station.endpoint, options))
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self, endpoint: str, options: dict[str, object]) -> None:
        say, warn = self.said.append, self.warned.append
        self.statistics = watch(endpoint, say=say, warn=warn, **options)  # type: ignore[arg-type]


def test_lines_for_people() -> None:
    with Station() as station:
        watching = Watching(station)
        station.wait_for("meta")
        station.put(frame(0), frame(3, dropped={"stale": 2}))
        station.end()
        watching.wait()
    first, second = watching.said
    assert first.startswith("gate-2  0/0  3 instances  tracks 7 9  ended 3  age ")
    assert second.endswith(" ms  dropped stale 2")
    assert watching.warned == [
        "gate-2 meta: 2 received, 0 skipped here, 0 lost on the way, 2 dropped by the pipeline"
    ]


def test_a_line_says_what_is_missing() -> None:
    sent = replace(frame(4), instances=None, clock="media", ended=())
    message = decode(encode(sent, publisher="p", pseq=0, kind="meta"))
    assert line(message, 2, 0) == "gate-2  0/4  not segmented  lost 2"
    assert summary(Statistics({}, 0, 0)) == "nothing was received"


def test_json_lines_are_the_headers_of_the_wire(tmp_path: Path) -> None:
    pictures = tmp_path / "new" / "gate-2"
    with Station() as station:
        watching = Watching(station, stream="gate-2", as_json=True, save=tmp_path / "new")
        station.wait_for("meta")
        station.wait_for("annotated")
        frames = [frame(i, epoch=2) for i in range(3)]
        station.put(frame(0, stream="yard"))
        for i, each in enumerate(frames):
            station.put(each)
            deadline = time.monotonic() + 10
            while not (pictures / f"0002-00000{i}.jpg").exists():  # the next would take its place
                assert time.monotonic() < deadline
                time.sleep(0.01)
        station.end()
        watching.wait()
    assert [json.loads(text)["pseq"] for text in watching.said] == [0, 1, 2]
    saved = (tmp_path / "new" / "gate-2.jsonl").read_text().splitlines()
    assert saved == watching.said
    for each, text in zip(frames, saved, strict=True):
        sent = encode(each, publisher=station.stage.publisher, pseq=each.seq, kind="meta")
        assert text.encode() == sent[1]
    assert len(list(pictures.iterdir())) == 3
    shown = cv2.imread(str(pictures / "0002-000000.jpg"))
    assert shown is not None
    assert shown.shape == (48, 64, 3)


def test_it_stops_after_so_many_frames() -> None:
    with Station() as station:
        watching = Watching(station, max_frames=2)
        station.wait_for("meta")
        station.put(*(frame(i) for i in range(5)))
        watching.wait()
    assert len(watching.said) == 2


def test_it_says_so_when_nothing_comes() -> None:
    with Station() as station:
        watching = Watching(station, stream="no-such-stream", max_frames=1)
        while not watching.warned:
            time.sleep(0.05)
        assert watching.warned[0].startswith("nothing for 3 s")
        station.put(frame(0, stream="no-such-stream"))
        watching.wait()


def test_a_folder_that_cannot_be_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=r"--save .*file: .* got File exists"):
        watch("tcp://127.0.0.1:9", save=tmp_path / "file", say=print, warn=print)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gate-2.jsonl").mkdir()
    with Station() as station:
        errors: list[RecordError] = []

        def watch_into_it() -> None:
            with pytest.raises(RecordError, match="wanted a folder that can be written") as caught:
                watch(station.endpoint, save=tmp_path, say=print, warn=print)
            errors.append(caught.value)

        thread = threading.Thread(target=watch_into_it)
        thread.start()
        station.wait_for("meta")
        station.put(frame(0))
        thread.join(10)
    assert len(errors) == 1


def test_ctrl_c_ends_it_with_a_summary() -> None:
    program = "import sys; from pipeline.watch import watch; watch(sys.argv[1])"
    with Station() as station:
        process = subprocess.Popen(
            [sys.executable, "-c", program, station.endpoint],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        station.wait_for("meta")
        station.put(frame(0))
        assert process.stdout is not None
        assert "3 instances" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 0
    assert errors.startswith("gate-2 meta: 1 received")


def test_a_reader_who_leaves_ends_it_quietly() -> None:
    program = "import sys; from pipeline.watch import watch; watch(sys.argv[1], as_json=True)"
    with Station() as station:
        process = subprocess.Popen(
            [sys.executable, "-c", program, station.endpoint],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        station.wait_for("meta")
        station.put(frame(0))
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["seq"] == 0
        process.stdout.close()
        seq = 1
        while process.poll() is None and seq < 1000:
            station.put(frame(seq))
            seq += 1
            time.sleep(0.01)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
        process.stderr.close()
    assert process.wait(10) == 0
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


@pytest.mark.parametrize(
    ("stream", "name"),
    [
        ("gate-2", "gate-2"),
        ("..", "stream"),
        ("../x", "-x"),
        ("a\\b:c", "a-b-c"),
        ("größe", "größe"),
    ],
)
def test_a_stream_leads_out_of_no_folder(stream: str, name: str) -> None:
    assert file_name(stream) == name
