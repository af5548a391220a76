"""What ends a thread and is no ``Exception``: the run hears of it, ends, and says so."""

import logging
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import StageFailed
from pipeline.frame import Frame
from pipeline.report import Report
from pipeline.runner import log
from pipeline.supervisor import RunSettings, Supervisor
from stages.sources.watched import Beat, Watch, Watched
from tests.players import Counting, Passing, Sink, check_sums, frame, now_and_then

pytestmark = pytest.mark.timeout(30)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@dataclass
class Leaving:
    """A source that ends in something else than an error of a source."""

    cause: BaseException
    stream: str = "a"
    live: bool = False

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        yield from Counting("a", 10).run(stop)
        raise self.cause


def failed_after(report: Report, published: int) -> StageFailed:
    check_sums(report)
    assert report.streams["a"].published == published
    (error,) = report.errors
    assert isinstance(error, StageFailed)
    assert report.exit_code == StageFailed.exit_code
    return error


@pytest.mark.parametrize("cause", [SystemExit(0), Unprintable()], ids=repr)
def test_a_source_that_leaves_has_failed(cause: BaseException) -> None:
    report = Supervisor([Leaving(cause)], [Passing("track"), Sink()]).run()
    assert type(cause).__name__ in str(failed_after(report, 10))
    assert report.streams["a"].state == "failed"


@pytest.mark.parametrize("cause", [SystemExit(0), Unprintable()], ids=repr)
def test_a_stage_that_leaves_has_failed_and_keeps_nobody_waiting(cause: BaseException) -> None:
    leaving = Passing("track", now_and_then(5, cause))
    stages = [Passing("segment"), leaving, Sink()]
    error = failed_after(Supervisor([Counting("a")], stages, RunSettings(restarts=1)).run(), 8)
    assert type(cause).__name__ in str(error)
    assert leaving.cleaned_up == 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_log_that_leaves_the_program_keeps_nobody_waiting() -> None:
    class Leaves(logging.Handler):
        def emit(self, _: logging.LogRecord) -> None:
            log.removeHandler(self)
            raise SystemExit(1)  # what rich does where nobody reads any more

    log.addHandler(Leaves())
    failing = Passing("track", now_and_then(5, ValueError("a defect")))
    error = failed_after(Supervisor([Counting("a")], [failing, Sink()]).run(), 4)
    assert str(error).startswith("track: wanted an end, got a thread that broke off")


def test_a_capture_that_leaves_is_no_end_of_its_stream() -> None:
    def capture(_: Beat) -> Generator[Frame, None, None]:
        yield frame(0)
        raise SystemExit(0)

    watched = Watched("a", "a camera", capture, SystemClock(), Watch(10, 10, 2, "block"))
    frames = watched.frames(threading.Event())
    assert next(frames).seq == 0
    with pytest.raises(SystemExit):
        next(frames)
