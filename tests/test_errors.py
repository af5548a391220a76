"""Each error has its four parts, one line for a terminal, and a class that others can catch."""

import pytest

from pipeline import errors
from pipeline.errors import (
    ChannelClosed,
    CheckpointMismatch,
    ConfigError,
    Mistake,
    SourceError,
    SourceUnavailable,
    StreamError,
    WireError,
)

PARTS = {"where": "here", "wanted": "this", "got": "that", "remedy": "Do so."}
PLAIN = sorted(
    (
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, StreamError)
        and kind not in (ConfigError, ChannelClosed)
    ),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_message_has_four_parts(kind: type[StreamError]) -> None:
    error = kind(**PARTS)
    assert str(error) == "here: wanted this, got that. Do so."
    assert (error.where, error.wanted, error.got, error.remedy) == tuple(PARTS.values())
    assert kind.__doc__


@pytest.mark.parametrize("kind", [*PLAIN, ConfigError, ChannelClosed])
def test_every_error_ends_the_program_with_a_code(kind: type[StreamError]) -> None:
    assert 0 < kind.exit_code < 126


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [(SourceError, OSError), (CheckpointMismatch, ValueError), (WireError, ValueError)],
)
def test_errors_are_also_of_the_kind_that_everybody_knows(
    kind: type[StreamError], foreign: type[Exception]
) -> None:
    with pytest.raises(foreign, match=r"^here: wanted this"):
        raise kind(**PARTS)


def test_a_config_error_tells_all_mistakes_at_once() -> None:
    mistakes = [Mistake("segment.batch", "≥ 1", "0"), Mistake("sources", "a list", "5")]
    error = ConfigError("configs/a.toml", mistakes, "See docs.")
    assert isinstance(error, ValueError)
    assert str(error) == (
        "configs/a.toml: segment.batch: wanted ≥ 1, got 0; sources: wanted a list, got 5. See docs."
    )
    assert error.mistakes == tuple(mistakes)
    assert (error.wanted, error.got) == ("≥ 1, a list", "0, 5")


def test_a_closed_channel_names_itself() -> None:
    assert str(ChannelClosed("a > b")).startswith("channel a > b: wanted an open channel, got one")


def test_a_source_error_keeps_its_cause() -> None:
    cause = OSError(111, "Connection refused")
    with pytest.raises(SourceUnavailable) as caught:
        raise SourceUnavailable(where="a", wanted="b", got="c", remedy="Do so.") from cause
    assert caught.value.__cause__ is cause
