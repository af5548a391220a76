"""The command ``weights``, as a user types it."""

import hashlib
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from pipeline.errors import CheckpointMismatch, ConfigError, UnsafeCheckpoint, WeightsError
from stages.networks import NETWORKS, build_network
from stages.networks.checkpoint import Metadata, load, save
from stages.networks.loading import load_network
from stages.networks.weights_cli import weights_app
from stages.weights.catalogue import CATALOGUE
from stages.weights.download import named_hash
from stages.weights.places import cached


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MASKSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


def weights(*arguments: object) -> Result:
    return CliRunner().invoke(weights_app, [str(argument) for argument in arguments])


def output(*arguments: object) -> str:
    result = weights(*arguments)
    assert result.exit_code == 0, result.exception
    return result.stdout


@pytest.fixture
def nano(tmp_path: Path) -> Path:
    """A training's file for three classes without names."""
    state = build_network("solov2-nano", ("a", "b", "c")).state_dict()
    path = tmp_path / "nano.pth"
    torch.save({"state_dict": state, "meta": {"epoch": 12}}, path)
    return path


def test_the_list_names_licence_network_and_place_of_each() -> None:
    listed = output("list")
    for published in CATALOGUE.values():
        assert f"{published.alias}: {published.network}, " in listed
        assert published.licence in listed
    assert listed.count("to be fetched from https://") == len(CATALOGUE) - 1
    assert listed.count("bundled") == 1


def test_every_alias_is_of_a_network_and_has_its_hash() -> None:
    for published in CATALOGUE.values():
        assert published.network in NETWORKS
        if isinstance(published.place, str):
            assert re.fullmatch(r"[0-9a-f]{8}", named_hash(published.place))
            assert re.fullmatch(r"https://\S+\.pth", published.place)


def test_the_bundled_weights_are_loadable() -> None:
    published = CATALOGUE["solov2-nano"]
    assert isinstance(published.place, Path)
    checkpoint = load(published.place)
    assert checkpoint.metadata.network == "solov2-nano"
    load_network(checkpoint)
    assert output("fetch", "solov2-nano").strip() == str(published.place)


def test_a_file_is_looked_into(nano: Path) -> None:
    facts = dict(re.findall(r"(?m)^(.+?): +(.*)$", output("inspect", nano)))
    assert facts["sha256"] == hashlib.sha256(nano.read_bytes()).hexdigest()
    assert facts["network"] == "solov2-nano"
    assert facts["dialect"] == "plain"
    assert facts["classes"] == "3, not named in the file"
    assert facts["says epoch"] == "12"
    assert re.fullmatch(r"457, [\d,]+ numbers of float32 and int64", facts["tensors"])


def test_a_file_of_no_network_is_looked_into_all_the_same(tmp_path: Path) -> None:
    said = Metadata(classes=tuple("abcdefgh"), notes={"licence": "\x1b[2Jnone"})
    save(tmp_path / "a", {"x": torch.zeros(2)}, said)
    facts = output("inspect", tmp_path / "a")
    assert "none of ours: " in facts
    assert "8: a, b, c, d, e, …" in facts
    assert "�[2Jnone" in facts


def test_a_file_is_converted(nano: Path, tmp_path: Path) -> None:
    target = tmp_path / "nano.safetensors"
    said = output("convert", nano, target, "--classes", "cat,dog,cow")
    converted = load(target)
    assert converted.sha256 in said
    assert converted.dialect == "maskstream"
    assert converted.metadata == Metadata(
        "solov2-nano", ("cat", "dog", "cow"), None, {"epoch": "12"}
    )
    original = load(nano).tensors
    assert all(torch.equal(converted.tensors[key], tensor) for key, tensor in original.items())
    assert load_network(converted).spec.classes == ("cat", "dog", "cow")
    again = tmp_path / "again.safetensors"
    output("convert", target, again)
    assert again.read_bytes() == target.read_bytes()


def test_what_cannot_be_converted(nano: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    for arguments, error in [
        ((nano, target), CheckpointMismatch),  # classes without names
        ((nano, target, "--classes", "a"), CheckpointMismatch),
        ((nano, target, "--network", "solov2-r50"), CheckpointMismatch),
        ((nano, target, "--network", "yolo"), ConfigError),
        ((tmp_path / "none.pth", target), WeightsError),
        ((nano, tmp_path / "no" / "out", "--classes", "a,b,c"), WeightsError),
    ]:
        result = weights("convert", *arguments)
        assert isinstance(result.exception, error)
        assert not target.exists()


def test_a_bomb_is_not_looked_into(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return eval, (f"open({str(tmp_path / 'executed')!r}, 'w')",)

    torch.save({"state_dict": {"x": torch.zeros(1)}, "meta": Bomb()}, tmp_path / "a.pth")
    assert isinstance(weights("inspect", tmp_path / "a.pth").exception, UnsafeCheckpoint)
    assert not (tmp_path / "executed").exists()


def test_an_unknown_alias() -> None:
    error = weights("fetch", "solov2-r18").exception
    assert isinstance(error, ConfigError)
    assert "one of solov2-nano, solov2-light-r18-coco" in str(error)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of ``tmp_path`` on a server."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_is_fetched_into_the_cache_once(nano: Path, address: str, cache: Path) -> None:
    name = f"nano-{hashlib.sha256(nano.read_bytes()).hexdigest()[:8]}.pth"
    nano.rename(nano.with_name(name))
    path = Path(output("fetch", f"{address}/{name}").strip())
    assert path == cached(f"{address}/{name}")
    assert path.is_relative_to(cache)
    nano.with_name(name).rename(nano)
    assert "solov2-nano" in output("inspect", f"{address}/{name}")  # the server has it no more
    assert isinstance(weights("fetch", f"{address}/other.pth").exception, WeightsError)


def test_an_address_with_another_file_than_its_name_says(nano: Path, address: str) -> None:
    nano.rename(nano.with_name("nano-00000000.pth"))
    error = weights("fetch", f"{address}/nano-00000000.pth").exception
    assert isinstance(error, WeightsError)
    assert "SHA-256 00000000…" in str(error)
