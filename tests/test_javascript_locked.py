"""The Node client before a locked door: the right key opens it, and a wrong one is told."""

import json
from pathlib import Path

import pytest

from tests.javascript import account, require_node, told, watching
from tests.locked import House
from tests.station import Station, frame


@pytest.fixture(autouse=True)
def _node() -> None:
    require_node()


def keys(house: House, key: Path) -> dict[str, str]:
    return {"keys": str(key), "serverKey": str(house.server_key)}


@pytest.mark.parametrize("mode", ["all", "credit"])
def test_who_is_on_the_list_gets_records_and_pictures(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path)
    known = keys(house, house.guest("ann"))
    kinds = ["meta", "annotated"]
    with (
        Station(house.settings(), streams=("gate-2",)) as station,
        watching(station.endpoint, mode=mode, kinds=kinds, **known) as program,
    ):
        station.wait_for("meta")
        station.wait_for("annotated")
        station.put(frame(1))
        station.end()
        messages, books = told(program)
    assert sorted(message["kind"] for message in messages) == ["annotated", "meta"]
    assert account(books)["received"] == 1


@pytest.mark.parametrize("mode", ["latest", "credit"])
def test_who_may_not_in_is_told_why(tmp_path: Path, mode: str) -> None:
    house = House(tmp_path)
    stranger, listed, other = house.pair("stranger"), house.guest("ann"), house.pair("other")
    wrong_server = {"keys": str(listed), "serverKey": str(other.with_suffix(".pub"))}
    with Station(house.settings()) as station:
        assert "one that asks for keys" in refusal(station.endpoint, mode)
        refused = refusal(station.endpoint, mode, **keys(house, stranger))
        assert "our key is not on its list" in refused
        assert "the server key is another's" in refusal(station.endpoint, mode, **wrong_server)
        assert not station.demand.subscribed("gate-2", "meta")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    mine = house.guest("ann")
    mine.chmod(0o644)
    refused = refusal("tcp://127.0.0.1:1", "latest", **keys(house, mine))
    assert "wanted a file for its owner alone" in refused
    assert json.dumps(mine.read_text()) not in refused


def refusal(endpoint: str, mode: str, **options: str) -> str:
    """What a program that is not let in ends with."""
    with watching(endpoint, mode=mode, **options) as program:
        _, errors = program.communicate(timeout=20)
    assert program.returncode != 0
    assert "AccessError" in errors
    return errors
