"""Opening a source in a test, and the error that ends it."""

import threading

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceError
from pipeline.frame import Frame
from stages.decode import Decode, DecodeSettings
from stages.sources.address import parse_sources


def source(address: str, **settings: object) -> Decode:
    (spec,) = parse_sources([address])
    return Decode(spec, DecodeSettings.model_validate(settings), clock=SystemClock())


def until_error(address: str, **settings: object) -> tuple[list[Frame], SourceError]:
    """What comes before the error, and the error."""
    frames: list[Frame] = []
    with pytest.raises(SourceError) as caught:
        frames.extend(source(address, **settings).run(threading.Event()))
    error = caught.value
    assert all((error.where, error.wanted, error.got, error.remedy))
    return frames, error


def only_error(address: str, **settings: object) -> SourceError:
    frames, error = until_error(address, **settings)
    assert frames == []
    return error
