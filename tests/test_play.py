"""Recordings that are published again: the same records, at their turn, without a network."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.client import Subscriber
from pipeline.frame import Frame
from pipeline.wire import Message
from stages.record import RecordSettings
from tests import station
from tests.locked import House
from tests.program import PROGRAM, run, running, wait_for_line
from tests.recorded import record
from tests.show import free_port

MS = Fraction(1, 1000)
OURS = ("publisher", "pseq")


def recorded(directory: Path, frames: list[Frame], *, video: bool = False) -> Path:
    """The lines (and the video) of a recording of ``frames``, as the stage writes them."""
    record(directory, frames, RecordSettings(directory=directory, video=video))
    return directory / f"{frames[0].stream}.jsonl"


def seen(seq: int, **changes: Any) -> Frame:
    """A frame with three instances, 40 ms after the one before."""
    same = {"stream": "gate", "pts": 40 * seq, "time_base": MS, **changes}
    return station.frame(seq, **same)


def contents(headers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be the same in the recording and on the wire."""
    for header in headers:
        for key in OURS:
            del header[key]
        header["time"]["stages_ms"].pop("publish", None)
    return headers


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def received(endpoint: str, **options: Any) -> list[Message]:
    """Every message until the publisher says that its streams have ended."""
    with Subscriber(endpoint, mode="all", waiting=10_000, **options) as subscriber:
        return list(subscriber.messages())


@contextmanager
def listening(endpoint: str, **options: Any) -> Iterator[list[Message]]:
    """Subscribe in a thread; at the end of the block the list has every message."""
    messages: list[Message] = []
    thread = threading.Thread(target=lambda: messages.extend(received(endpoint, **options)))
    thread.start()
    yield messages
    thread.join(30)
    assert not thread.is_alive(), "the publisher never said that it ended"


def test_a_subscriber_gets_exactly_what_was_recorded(tmp_path: Path) -> None:
    odd_pixels = replace(station.picture(), sample_aspect=Fraction(4, 3))
    frames = [
        seen(0),
        seen(1, image=odd_pixels, canvas=odd_pixels),
        seen(4, dropped={"stale": 2}, instances=None, model=None),
        seen(5, dropped={"corrupt": 1, "stale": 2}, pts=None, ended=()),
        seen(0, epoch=2, clock="rtcp", captured_utc_ns=1_700_000_000_300_000_000),
        *(seen(seq, epoch=2, clock="rtcp") for seq in range(1, 60)),
    ]
    lines = recorded(tmp_path, frames)
    endpoint = f"ipc://{tmp_path}/wire"
    with listening(endpoint) as messages:
        done = run("play", lines, "--publish", endpoint, "--speed", "max", "--wait", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = [json.loads(message.header) for message in messages]
    assert [header["pseq"] for header in got] == list(range(len(frames)))
    assert len({header["publisher"] for header in got}) == 1
    assert got[0]["publisher"] != "run-1"
    assert contents(got) == contents(lines_of(lines))


def test_a_recording_is_published_behind_a_lock(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(5)])
    house = House(tmp_path)
    guest = house.guest("me")
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    door = ("--keys", house.server_key.with_suffix(".key"), "--allow", house.allowed)
    with (
        running("play", lines, "--publish", endpoint, "--wait", *door, cwd=tmp_path),
        house.subscriber(endpoint, guest) as subscriber,
    ):
        assert len(list(subscriber.messages())) == 5
        assert subscriber.statuses()["gate"].security == "curve"


def test_the_status_has_the_class_table_and_the_end(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(0, instances=None), *(seen(seq) for seq in range(1, 5))])
    endpoint = f"ipc://{tmp_path}/wire"
    with (
        running("play", lines, "--publish", endpoint, "--speed", "max", "--wait", cwd=tmp_path),
        Subscriber(endpoint, mode="all") as subscriber,
    ):
        assert len(list(subscriber.messages())) == 5
        status = subscriber.statuses()["gate"]
    assert status.state == "ended"
    assert status.model is not None
    assert status.model.classes == station.MODEL.classes
    assert (status.totals.captured, status.totals.published) == (5, 5)
    assert status.messages["meta"] == 5


@pytest.mark.parametrize(("speed", "least_s", "most_s"), [("2", 0.45, 1.5), ("1", 0.95, 2.5)])
def test_frames_come_in_their_own_time(
    speed: str, least_s: float, most_s: float, tmp_path: Path
) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(26)])
    endpoint = f"ipc://{tmp_path}/wire"
    with (
        running("play", lines, "--publish", endpoint, "--speed", speed, "--wait", cwd=tmp_path),
        Subscriber(endpoint, mode="all") as subscriber,
    ):
        arrived_s = [time.monotonic() for _ in subscriber]
    assert len(arrived_s) == 26
    assert least_s < arrived_s[-1] - arrived_s[0] < most_s


def test_several_recordings_are_several_streams(tmp_path: Path) -> None:
    files = [recorded(tmp_path, [seen(s, stream=name) for s in range(9)]) for name in ("a", "b")]
    endpoint = f"ipc://{tmp_path}/wire"
    with listening(endpoint) as messages:
        done = run("play", *files, "--publish", endpoint, "--speed", "8", "--wait", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("a", "b"):
        frames = [message.frame for message in messages if message.stream == name]
        assert [frame and frame.seq for frame in frames] == list(range(9))


def test_enter_on_a_terminal_asks_for_the_next_frame(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(3)])
    endpoint = f"ipc://{tmp_path}/wire"
    keyboard, terminal = pty.openpty()
    command = [sys.executable, str(PROGRAM), "play", str(lines), "--publish", endpoint, "--step"]
    with (
        subprocess.Popen(command, stdin=terminal, stderr=subprocess.DEVNULL) as process,
        Subscriber(endpoint, mode="all") as subscriber,
    ):
        try:
            frames = iter(subscriber)
            wait_for_status(subscriber)
            for seq in range(3):
                begun_s = time.monotonic()
                time.sleep(0.15)  # nothing comes by itself
                os.write(keyboard, b"\n")
                assert next(frames).seq == seq
                assert time.monotonic() - begun_s >= 0.15
            assert next(frames, None) is None
            assert process.wait(20) == 0
        finally:
            process.kill()
            os.close(keyboard)
            os.close(terminal)


def wait_for_status(subscriber: Subscriber) -> None:
    deadline_s = time.monotonic() + 20
    while not subscriber.statuses():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_pipe_steps_too_and_its_end_is_the_end(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(9)])
    command = [sys.executable, str(PROGRAM), "play", str(lines), "--step"]
    done = subprocess.run(
        [*command, "--publish", "tcp://127.0.0.1:*"],
        input="\n\n\n\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "published 4" in done.stderr


def test_a_loop_begins_new_epochs_until_it_is_stopped(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(0), seen(2, dropped={"stale": 1}), seen(0, epoch=1)])
    endpoint = f"ipc://{tmp_path}/wire"
    with (
        running("play", lines, "--publish", endpoint, "--loop", "--wait", cwd=tmp_path) as process,
        Subscriber(endpoint, mode="all") as subscriber,
    ):
        frames = [frame for frame, _ in zip(subscriber, range(8), strict=False)]
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    numbers = [(frame.epoch, frame.seq) for frame in frames]
    assert numbers[:8] == [(0, 0), (0, 2), (1, 0), (2, 0), (2, 2), (3, 0), (4, 0), (4, 2)]


def test_it_starts_without_a_network(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(0)])
    command = [sys.executable, "-X", "importtime", str(PROGRAM), "play", str(lines)]
    done = subprocess.run(
        [*command, "--publish", f"ipc://{tmp_path}/wire"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "published 1" in done.stderr
    assert " torch\n" not in done.stderr


def test_a_terminal_that_goes_away_ends_it(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(3)])
    keyboard, terminal = pty.openpty()
    command = [sys.executable, str(PROGRAM), "play", str(lines), "--step"]
    with subprocess.Popen(
        [*command, "--publish", "tcp://127.0.0.1:*"], stdin=terminal, stderr=subprocess.PIPE
    ) as process:
        os.close(terminal)
        assert process.stderr is not None
        assert b"one for each press of Enter" in process.stderr.readline()
        os.close(keyboard)
        assert process.wait(20) == 0


def test_its_metrics_are_served(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(9)])
    arguments = ("play", lines, "--metrics", "0", "--loop")
    endpoint = f"ipc://{tmp_path}/wire"
    with running(*arguments, "--publish", endpoint, cwd=tmp_path) as process:
        said = wait_for_line(process, "metrics on").split()[-1]
        wait_for_line(process, "frames/s")
        with urllib.request.urlopen(said.replace("metrics", "healthz"), timeout=5) as answer:
            assert json.load(answer)["streams"]["gate"]["state"] == "running"


def test_who_may_lose_nothing_makes_the_recording_wait(tmp_path: Path) -> None:
    lines = recorded(tmp_path, [seen(seq) for seq in range(200)])
    endpoint = f"ipc://{tmp_path}/wire"
    arguments = ["--speed", "max", "--publish", endpoint, "--set", 'publish.lossless=["indexer"]']
    with (
        running("play", lines, *arguments, cwd=tmp_path) as process,
        Subscriber(endpoint, mode="lossless", name="indexer", timeout_s=30) as subscriber,
    ):
        got = [json.loads(message.header) for message in subscriber.messages()]
        assert process.wait(20) == 0
    assert contents(got) == contents(lines_of(lines))
