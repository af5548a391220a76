"""What others rely on: config files, option names, metric names, README commands, pages."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
import typer.main
from typer.core import TyperGroup

import run_stream
from pipeline.config import load
from pipeline.config_page import page
from pipeline.metrics import METRIC_NAMES
from stages.assembly import ProgramSettings
from stages.evaluation.cli import evaluate_app
from stages.networks.weights_cli import weights_app

ROOT = Path(__file__).parents[1]
OPTIONS = {
    "run": "config network weights device publish keys allow insecure record record-as "
    "max-frames metrics set",
    "play": "video image publish keys allow insecure speed step loop wait metrics config set",
    "watch": "stream json save max-frames keys server-key",
    "view": "port host token token-file open keys server-key",
    "config": "config set",
}
WEIGHTS = {"list", "fetch", "convert", "inspect"}
EVALUATE = {
    "masks": "weights networks results classes device size threads out",
    "tracks": "ground-truth results detections classes set out",
    "stream": "config weights set out",
}


def command_line() -> TyperGroup:
    commands = typer.main.get_command(run_stream.app)
    assert isinstance(commands, TyperGroup)
    return commands


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.toml")), ids=lambda f: f.stem)
def test_every_config_file_loads(file: Path) -> None:
    load(ProgramSettings, file)


def test_the_demo_config_asks_for_nothing_from_outside() -> None:
    settings = load(ProgramSettings, ROOT / "configs" / "demo.toml")
    assert all(source.split("=", 1)[1].startswith("synthetic:") for source in settings.sources)
    assert settings.segment.weights == "solov2-nano"
    assert settings.publish.endpoint == "tcp://127.0.0.1:5555"


def test_the_config_page_is_the_models() -> None:
    assert (ROOT / "docs" / "CONFIG.md").read_text() == page(ProgramSettings())


def test_commands_and_options_stay() -> None:
    commands = command_line()
    evaluate = typer.main.get_command(evaluate_app)
    assert isinstance(evaluate, TyperGroup)
    for group, promises in ((commands, OPTIONS), (evaluate, EVALUATE)):
        for name, promised in promises.items():
            parameters = group.commands[name].params
            offered = {o.removeprefix("--") for p in parameters for o in p.opts if o[:2] == "--"}
            assert set(promised.split()) == offered
    weights = typer.main.get_command(weights_app)
    assert isinstance(weights, TyperGroup)
    assert set(weights.commands) == WEIGHTS


def test_metric_names_stay() -> None:
    listed = re.findall(r"^\| `(maskstream_\w+)`", (ROOT / "docs" / "METRICS.md").read_text(), re.M)
    assert sorted(listed) == sorted(METRIC_NAMES)


def test_readme_commands_are_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"^(?:.*&& )?uv run (run_stream\.py.*?)(?:\s+#.*)?$", readme, re.M)
    assert len(shown) >= 5
    for line in shown:
        words = shlex.split(line)[1:]
        if words:
            command = command_line().commands[words[0]]
            command.make_context(words[0], words[1:], parent=typer.Context(command_line()))
    assert "uv run pytest" in readme


def test_pins_are_exact_and_in_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = project["tool"]["uv"]["constraint-dependencies"]
    assert all(re.match(r"^[a-z0-9-]+==\S+( ; .+)?$", pin) for pin in pins)
    pinned = {pin.split("==")[0] for pin in pins}
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    assert {re.split(r"[<>=]", each)[0] for each in wanted} <= pinned
