"""What a user gets wrong: one message that says what, where and what to do; never a traceback."""

import re
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

import run_stream
from pipeline.errors import StreamError
from tests.program import run

SOURCE = "synthetic:empty?size=64x48"


def refusal(*arguments: str) -> StreamError:
    """The error that ends a command, in this process: what a process of its own prints."""
    outcome = CliRunner().invoke(run_stream.app, [str(each) for each in arguments])
    assert isinstance(outcome.exception, StreamError), outcome.output
    return outcome.exception


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run"], 2, r"run: sources: wanted at least one source, got none"),
        (["run", "synthetic:nowhere"], 2, r"wanted one of the scenes demo, .*got nowhere"),
        (["run", SOURCE, "--network", "yolo"], 2, r"wanted one of solov2-nano, .*got 'yolo'"),
        (["run", SOURCE, "--network", "solov2-r50"], 6, r"wanted weights of solov2-r50, got weig"),
        (["run", SOURCE, "--weights", "solov2-nanno"], 6, r"Did you mean solov2-nano"),
        (["run", SOURCE, "--device", "tpu"], 2, r"segment.device: wanted 'auto', 'cpu' or 'cuda'"),
        (["run", SOURCE, "--set", "segment.bach=2"], 2, r"segment.bach: wanted one of .*batch"),
        (["run", SOURCE, "--set", "segment.batch=0"], 2, r"segment.batch: .*equal to 1, got 0"),
        (["run", SOURCE, "--config", "no.toml"], 2, r"no.toml.*wanted a readable file"),
        (["run", SOURCE, "--publish", "tcp://nowhere"], 7, r"tcp://nowhere"),
        (["run", SOURCE, "--publish", "tcp://0.0.0.0:5555"], 7, r"0\.0\.0\.0.*insecure"),
        (["watch", "5555"], 7, r"5555"),
        (["weights", "inspect", "no.pth"], 6, r"no.pth"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_one_message_and_an_exit_code(arguments: list[str], code: int, message: str) -> None:
    error = refusal(*arguments)
    assert error.exit_code == code
    assert re.search(message, str(error)), str(error)
    assert "\n" not in str(error)


def test_every_mistake_of_a_config_is_shown_at_once(tmp_path: Path) -> None:
    config = tmp_path / "mine.toml"
    config.write_text('[segment]\nbatch = "many"\n[publish]\nport = 1\n[track]\nhigh_score = 3\n')
    error = refusal("run", SOURCE, "--config", str(config), "--set", "record.crf=99")
    for path in ("segment.batch", "publish.port", "track.high_score", "record.crf"):
        assert path in str(error)
    assert str(config) in str(error)


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refusal("run", SOURCE, "--publish", f"tcp://127.0.0.1:{port}")
    assert error.exit_code == 7
    assert str(port) in str(error)


def test_a_folder_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    error = refusal("run", SOURCE, "--publish", "none", "--record", str(tmp_path / "file" / "out"))
    assert error.exit_code == 8


def test_a_process_says_it_in_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = run("run", "rtsp://eve:secret@127.0.0.1:9/x", "--publish", "none", cwd=tmp_path)
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_cannot_begin_lets_go_of_its_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"tcp://127.0.0.1:{port}"
    for _ in range(2):  # the second would find the port in use
        error = refusal("run", SOURCE, "--publish", endpoint, "--weights", "solov2-nanno")
        assert error.exit_code == 6
