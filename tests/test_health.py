"""What is answered to who watches over the program: paths, codes, and which stream is not well."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import ManualClock
from pipeline.frame import Frame
from pipeline.metrics import Metrics
from tests.media import write_video
from tests.program import run, running, wait_for_line


@dataclass
class Answer:
    code: int
    kind: str
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


Ask = Callable[..., Answer]


@contextmanager
def asking(metrics: Metrics) -> Iterator[Ask]:
    with metrics.serve(0) as port:
        yield lambda path, method="GET": ask(port, path, method)


def ask(port: int, path: str, method: str = "GET") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers["Content-Type"], answer.read())
    finally:
        connection.close()


def frame(clock: ManualClock, seq: int = 0, stream: str = "gate") -> Frame:
    now_ns = clock.now_ns()
    return Frame(stream, 0, seq, seq, Fraction(1, 25), now_ns, 0, "media", None)


def test_the_states_and_what_they_are_answered_with() -> None:
    clock = ManualClock()
    metrics = Metrics(clock, stalled_after_s=5.0)
    tally = metrics.tally
    tally.source("gate", "waiting")

    def expect(state: str, quiet_s: float | None, health: int, ready: int) -> None:
        healthz, readyz = answer("/healthz"), answer("/readyz")
        assert (healthz.code, readyz.code) == (health, ready)
        assert healthz.kind == "application/json"
        assert healthz.told == {
            "ok": health == 200,
            "streams": {"gate": {"state": state, "quiet_s": quiet_s}},
        }

    with asking(metrics) as answer:
        expect("waiting", None, 200, 503)
        tally.source("gate", "reconnecting")  # a camera that never came
        expect("reconnecting", None, 503, 503)
        metrics.captured("decode", frame(clock))
        expect("running", 0.0, 200, 200)
        clock.advance(6)  # captured, and nothing came out
        expect("stalled", 6.0, 503, 503)
        metrics.published(frame(clock), clock.now_ns())
        clock.advance(4.5)
        expect("running", 4.5, 200, 200)
        clock.advance(1)
        expect("stalled", 5.5, 503, 503)
        tally.source("gate", "reconnecting")
        expect("reconnecting", 5.5, 503, 503)
        tally.source("gate", "failed")
        expect("failed", 5.5, 503, 503)
        tally.source("gate", "ended")
        clock.advance(100)
        expect("ended", 105.5, 200, 200)


def test_one_stream_that_is_not_well_is_named() -> None:
    clock = ManualClock()
    metrics = Metrics(clock)
    for stream in ("gate", "yard"):
        metrics.captured("decode", frame(clock, stream=stream))
    metrics.tally.source("yard", "failed")
    with asking(metrics) as answer:
        told = answer("/healthz")
    assert told.code == 503
    states = {name: stream["state"] for name, stream in told.told["streams"].items()}
    assert states == {"gate": "running", "yard": "failed"}


def test_paths_and_methods() -> None:
    metrics = Metrics()
    metrics.restarted("track")
    with asking(metrics) as answer:
        assert answer("/metrics").code == 200
        assert b'maskstream_restarts_total{stage="track"} 1.0' in answer("/metrics").body
        assert answer("/metrics?name[]=maskstream_restarts_total").code == 200
        for path in ("/metrics", "/healthz"):
            head = answer(path, "HEAD")
            assert (head.code, head.body) == (200, b"")
        missing = answer("/secret")
        assert missing.code == 404
        assert b"/metrics, /healthz, /readyz" in missing.body
        assert answer("/healthz", "POST").code == 405


def test_rude_callers_harm_nobody() -> None:
    metrics = Metrics()
    with metrics.serve(0) as port:
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for rude in (b"\x00\xff\r\n\r\n", b"GET /" + b"x" * 70_000 + b"\r\n\r\n", b"GET\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(rude)
                caller.settimeout(5)
                caller.recv(100)  # an answer or an end, but not silence
        assert ask(port, "/healthz").code == 200
        for each in silent:
            each.close()


def test_a_program_answers_and_an_address_is_in_no_label(tmp_path: Path) -> None:
    source = "gate=rtsp://eve:hunter2@127.0.0.1:9/stream?token=s3cret"
    arguments = ["run", source, "synthetic:demo?size=64x48&live=1"]
    options = ["--publish", "none", "--set", "metrics.port=0", "--set", "decode.retry_first=true"]
    with running(*arguments, *options, cwd=tmp_path) as process:
        port = int(wait_for_line(process, "metrics on").rstrip("/metrics\n").rpartition(":")[2])
        wait_for_line(process, "trying again")
        wait_for_line(process, "frames/s")
        health, text = ask(port, "/healthz"), ask(port, "/metrics").body.decode()
    assert health.code == 503
    assert health.told["streams"]["gate"]["state"] == "reconnecting"
    assert health.told["streams"]["demo"]["state"] == "running"
    assert 'maskstream_stream_state{state="reconnecting",stream="gate"} 1.0' in text
    for secret in ("eve", "hunter2", "s3cret", "127.0.0.1", "rtsp"):
        assert secret not in text + health.body.decode()


def test_a_file_answers_while_it_is_played(tmp_path: Path) -> None:
    write_video(tmp_path / "clip.mp4", 3)
    done = run(
        "run", "clip.mp4", "--publish", "none", "--set", "metrics.port=70000", cwd=tmp_path
    )  # fmt: skip
    assert done.returncode == 2
    assert "metrics.port: wanted less than or equal to 65535, got 70000" in done.stderr


@pytest.mark.parametrize("stalled_after_s", [0.0, 1e9])
def test_a_stall_is_what_the_settings_say(stalled_after_s: float) -> None:
    clock = ManualClock()
    metrics = Metrics(clock, stalled_after_s)
    metrics.captured("decode", frame(clock))
    clock.advance(1)
    state = metrics.health.streams()["gate"].state
    assert state == ("running" if stalled_after_s else "stalled")
