"""Keys in files: made once, secret, read strictly; and the list of who is allowed."""

import os
import stat
from pathlib import Path

import pytest
import zmq

from pipeline.errors import AccessError
from pipeline.keys import new_keys, read_keys, read_public
from stages.publishing.allowed import AllowList
from tests.program import run


def test_a_pair_is_made_kept_secret_and_read_again(tmp_path: Path) -> None:
    private, shown = new_keys(tmp_path / "gate")
    assert (private.name, shown.name) == ("gate.key", "gate.pub")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    keys = read_keys(private)
    assert zmq.curve_public(keys.secret.encode()).decode() == keys.public
    assert read_public(shown) == read_public(str(private)) == read_public(keys.public)
    assert read_public(keys.public) == keys.public
    assert keys.secret not in shown.read_text() + repr(keys) + str(keys)


def test_any_key_can_be_read_back(tmp_path: Path) -> None:
    """Z85 has quotes of no kind, but # and =: none of 300 pairs may trip over them."""
    for i in range(300):
        private, shown = new_keys(tmp_path / str(i))
        assert read_keys(private).public == read_public(shown)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    private, shown = new_keys(tmp_path / "gate")
    before = private.read_text(), shown.read_text()
    with pytest.raises(AccessError, match="one that is there already"):
        new_keys(tmp_path / "gate")
    private.unlink()
    with pytest.raises(AccessError, match="one that is there already"):
        new_keys(tmp_path / "gate")
    assert not private.exists()
    assert shown.read_text() == before[1]
    with pytest.raises(AccessError, match="No such file"):
        new_keys(tmp_path / "no" / "where")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_none(tmp_path: Path, mode: int) -> None:
    private, _ = new_keys(tmp_path / "gate")
    private.chmod(mode)
    with pytest.raises(AccessError, match=r"others can read \(mode 0\d+\)\. chmod 600"):
        read_keys(private)


@pytest.mark.parametrize(
    "text", ["", "public = 1", "secret = 'x'", "no toml at all '", "x" * 10_000, "\xff\x00"]
)
def test_what_is_no_pair_is_said_so_without_showing_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "gate.key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(AccessError) as caught:
        read_keys(file)
    assert caught.value.exit_code == 7
    assert not text or text not in str(caught.value)


def test_two_halves_of_different_pairs_are_none(tmp_path: Path) -> None:
    one, two = new_keys(tmp_path / "one")[0], new_keys(tmp_path / "two")[0]
    mixed = one.read_text().splitlines()[:2] + two.read_text().splitlines()[2:]
    one.write_text("\n".join(mixed))
    with pytest.raises(AccessError, match="two that do not fit") as caught:
        read_keys(one)
    assert read_keys(two).secret not in str(caught.value)


@pytest.mark.parametrize("key", ["", "x" * 40 + "y", "ä" * 40, "%" * 40, "no/such/file.pub"])
def test_what_is_no_public_key_is_said_so(key: str) -> None:
    with pytest.raises(AccessError):
        read_public(key)


def test_the_list_is_a_folder_or_a_file_and_follows_changes(tmp_path: Path) -> None:
    a, b = (new_keys(tmp_path / name)[1] for name in "ab")
    folder = AllowList(tmp_path)
    assert folder.keys == {read_public(a), read_public(b)}
    file = tmp_path / "list"
    file.write_text(f"# who may\n\n{a.read_text()}\n#\n{read_public(b)} Bob's laptop\n")
    listed = AllowList(file)
    assert listed.keys == folder.keys
    file.write_text(a.read_text())
    assert listed.look() == frozenset()  # an editor may just be writing: once is not enough
    assert listed.look() == {read_public(b)}
    assert listed.keys == {read_public(a)}
    c = new_keys(tmp_path / "c")[1]
    assert folder.look() == frozenset()
    assert read_public(c) in folder.keys
    gone = read_public(b)
    b.unlink()
    assert folder.look() == frozenset()
    assert folder.look() == {gone}
    assert folder.keys == {read_public(a), read_public(c)}


def test_what_cannot_be_read_allows_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AccessError, match="No such file"):
        AllowList(tmp_path / "none")
    good, bad = new_keys(tmp_path / "good")[1], tmp_path / "bad.pub"
    bad.write_text("rubbish\n")
    with pytest.raises(AccessError, match="something else as entry 1"):
        AllowList(tmp_path)
    bad.unlink()
    allowed = AllowList(tmp_path)
    bad.write_text("rubbish\n")
    allowed.look()
    allowed.look()
    assert allowed.keys == {read_public(good)}
    assert caplog.text.count("something else as entry 1") == 1
    good.unlink()
    os.rename(tmp_path, tmp_path.with_name("gone"))
    assert [allowed.look(), allowed.look()][-1]
    assert allowed.keys == frozenset()


def test_a_list_that_leads_nowhere_is_one_that_cannot_be_read(tmp_path: Path) -> None:
    people, way = tmp_path / "people", tmp_path / "allowed"
    people.mkdir()
    key = read_public(new_keys(people / "ann")[1])
    way.symlink_to(people)
    allowed = AllowList(way)
    way.unlink()
    way.symlink_to("x" * 300)  # not even asking if it is a folder is allowed
    assert [allowed.look(), allowed.look()] == [frozenset(), {key}]
    with pytest.raises(AccessError, match="File name too long"):
        AllowList(way)


@pytest.mark.parametrize("name", ["größe", "Ann's laptop", "-"])
def test_keys_may_have_any_name(tmp_path: Path, name: str) -> None:
    private, shown = new_keys(tmp_path / name)
    assert read_public(shown) == read_keys(private).public
    assert AllowList(tmp_path).keys == {read_public(shown)}


@pytest.mark.parametrize("name", ["", "a\nb", "\udcff"])
def test_a_name_that_cannot_be_shown_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(AccessError, match="a name of printable characters"):
        new_keys(Path(name))
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path) -> None:
    made = run("keys", "new", tmp_path / "me", cwd=tmp_path)
    assert made.returncode == 0
    assert "give it to nobody" in made.stdout
    secret = read_keys(tmp_path / "me.key").secret
    for file in ("me.key", "me.pub"):
        shown = run("keys", "show", file, cwd=tmp_path)
        assert shown.stdout.strip() == read_public(tmp_path / "me.pub")
        assert secret not in made.stdout + made.stderr + shown.stdout + shown.stderr
    again = run("keys", "new", "me", cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (7, 1)
