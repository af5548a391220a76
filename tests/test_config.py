"""A configuration is right, or all that is wrong with it is said at once."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.config import Settings, load, read_toml
from pipeline.errors import ConfigError, Mistake


class Camera(Settings):
    """A camera."""

    address: str
    """Where it is."""
    transport: Literal["tcp", "udp"] = "tcp"


class Segment(Settings):
    """A stage."""

    batch: Annotated[int, Field(ge=1)] = 4
    """Frames in a batch."""
    threshold: float = 0.3


class Whole(Settings):
    """All of it."""

    name: str = "demo"
    segment: Segment = Segment()
    cameras: tuple[Camera, ...] = ()
    spare: dict[str, Camera] | None = None


def written(directory: Path, text: str | bytes) -> Path:
    file = directory / "a.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def mistakes(file: Path | None, *overrides: str) -> list[Mistake]:
    with pytest.raises(ConfigError) as caught:
        load(Whole, file, overrides)
    return list(caught.value.mistakes)


def test_overrides_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, 'name = "file"\n[segment]\nbatch = 2\nthreshold = 0.5\n')
    whole = load(Whole, file, ["segment.batch=8", "name=from the command line"])
    assert whole.segment == Segment(batch=8, threshold=0.5)
    assert whole.name == "from the command line"
    assert load(Whole) == Whole()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("out", "out"),
        ('"5"', "5"),
        ("", ""),
        ("a = b", "a = b"),
        ("x#y", "x#y"),
        ('x\nspare = "y"', 'x\nspare = "y"'),
        ('"x"\nspare = "y"', '"x"\nspare = "y"'),
        ("rtsp://me:secret@cam/1?a=b", "rtsp://me:secret@cam/1?a=b"),
    ],
)
def test_an_override_is_toml_or_else_text(text: str, value: str) -> None:
    assert load(Whole, overrides=[f"name={text}"]).name == value


def test_an_override_can_be_a_list_or_make_a_table() -> None:
    whole = load(Whole, overrides=['cameras=[{address="a"}]', "spare.one.address=b"])
    assert whole.cameras == (Camera(address="a"),)
    assert whole.spare == {"one": Camera(address="b")}


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        nmae = "x"
        [segment]
        batch = 0
        tresh = 1
        [[cameras]]
        transport = "pigeon"
        adress = "rtsp://me:secret@cam"
        [spare.one]
        adress = "b"
        """,
    )
    found = mistakes(file, "segment.threshold=rtsp://me:secret@cam", "=5", "name.first=1")
    unknown = "one that does not exist"
    camera, segment = "one of the keys address, transport", "one of the keys batch, threshold"
    assert set(found) == {
        Mistake("=5", "key=value, such as segment.batch=4", "something else"),
        Mistake("name", "a valid string", "a table"),
        Mistake("nmae", "one of the keys name, segment, cameras, spare", unknown),
        Mistake("segment.batch", "greater than or equal to 1", "0"),
        Mistake(
            "segment.threshold",
            "a valid number, unable to parse string as a number",
            "'rtsp://…@cam'",
        ),
        Mistake("segment.tresh", segment, unknown),
        Mistake("cameras.0.address", "a value", "nothing"),
        Mistake("cameras.0.transport", "'tcp' or 'udp'", "'pigeon'"),
        Mistake("cameras.0.adress", camera, unknown),
        Mistake("spare.one.address", "a value", "nothing"),
        Mistake("spare.one.adress", camera, unknown),
    }


def test_the_message_says_where_and_hides_secrets(tmp_path: Path) -> None:
    file = written(tmp_path, "segment = 'rtsp://me:secret@cam'")
    with pytest.raises(ConfigError, match=rf"^{file} with --set: segment: wanted ") as caught:
        load(Whole, file, ['name="x"'])
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"^--set: rtsp://…@cam: wanted key=value, such as"):
        load(Whole, overrides=["rtsp://me:secret@cam"])
    with pytest.raises(ConfigError, match=r"^--set: name\.x\.y: wanted x to be a table, got the v"):
        load(Whole, overrides=["name.x=5", "name.x.y=6"])


def test_a_value_where_a_table_belongs() -> None:
    assert mistakes(None, "segment=3") == [Mistake("segment", "a table of keys", "3")]


def test_long_values_are_cut() -> None:
    (mistake,) = mistakes(None, f"segment.batch={'9x' * 500}")
    assert len(mistake.got) == 81


@pytest.mark.parametrize(
    ("content", "wanted", "got"),
    [
        ("a = ", "TOML", "Invalid value (at end of document)"),
        ("a = 1\na = 2", "TOML", "Cannot overwrite a value (at "),
        (b"\xff\xfe", "TOML", "'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_file_that_is_not_toml(
    tmp_path: Path, content: str | bytes, wanted: str, got: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(ConfigError) as caught:
        read_toml(file)
    (mistake,) = caught.value.mistakes
    assert mistake.wanted == wanted
    assert mistake.got.startswith(got)
    assert str(caught.value).startswith(f"{file}: (file): wanted TOML, got ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"wanted a readable file, got No such file or directory"):
        read_toml(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"wanted a readable file, got Is a directory"):
        read_toml(tmp_path)


def test_settings_are_frozen_and_documented() -> None:
    assert Segment.model_fields["batch"].description == "Frames in a batch."
    with pytest.raises(ValueError, match="frozen"):
        Segment().batch = 5
