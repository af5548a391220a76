"""The whole program on a short scene with known truth: a floor under each figure."""

import json
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from stages.evaluation.cli import evaluate_app
from stages.networks.checkpoint import Metadata, save
from stages.networks.solov2.nano import Solov2Nano

FLOORS = {
    "mask.AP": 0.80,
    "mask.AP50": 0.95,
    "box.AP50": 0.95,
    "track.HOTA": 0.85,
    "track.DetA": 0.85,
    "track.AssA": 0.85,
    "track.IDF1": 0.90,
    "track.MOTSA": 0.90,
    "track.sMOTSA": 0.80,
}
OLDEST_MS = 10_000.0  # of a result, where files wait for the network; a machine may be busy


def evaluate(*arguments: str | Path) -> None:
    evaluate_app(["stream", *map(str, arguments)], standalone_mode=False)


def test_the_whole_program_reaches_the_floor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate("synthetic:crossing?size=320x180&fps=5", "--out", tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    low = {name: metrics[name] for name, floor in FLOORS.items() if metrics[name] < floor}
    assert low == {}
    assert metrics["track.IDSW"] == 0, "the two that cross keep their identities"
    assert (metrics["stream.frames"], metrics["stream.dropped"]) == (30, 0)
    assert 0 < metrics["age.p50_ms"] <= metrics["age.p95_ms"] < OLDEST_MS
    assert metrics["speed.frames_per_s"] > 0
    shown = capsys.readouterr().out
    for figure in ("mask AP", "HOTA", "age of results, median", "30 of 30, 0 dropped"):
        assert figure in shown


def test_what_has_no_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wanted synthetic:NAME, whose truth is known"):
        evaluate("clip.mp4")
    with pytest.raises(ConfigError, match="one of the scenes"):
        evaluate("synthetic:nowhere")
    blind = tmp_path / "blind.safetensors"
    names = ("cat", "dog")
    save(blind, Solov2Nano().state_dict(), Metadata(network="solov2-nano", classes=names))
    with pytest.raises(ConfigError, match="wanted a network that knows shape, got cat, dog"):
        evaluate("synthetic:crossing?fps=1", "--weights", blind)
