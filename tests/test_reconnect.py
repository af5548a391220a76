"""stages.reconnect: waits, giving up, epochs and what is said, on a clock that is moved by hand."""

import logging
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from random import Random

import pytest

from pipeline.clock import ManualClock
from pipeline.errors import SourceError, SourceRejected, SourceUnavailable
from pipeline.frame import Frame
from stages.reconnect import Backoff, Patience, Reconnecting


def unavailable(got: str = "refused") -> SourceUnavailable:
    return SourceUnavailable(where="cam", wanted="a video", got=got, remedy="Wait")


def rejected() -> SourceRejected:
    return SourceRejected(where="cam", wanted="to be let in", got="401", remedy="Log in")


def frame(epoch: int, seq: int) -> Frame:
    return Frame("cam", epoch, seq, seq, Fraction(1, 25), 0, 0, "arrival", None)


Attempt = Callable[[int], Iterator[Frame]]


def comes(
    clock: ManualClock, count: int, seconds: float = 0.0, ending: SourceError | None = None
) -> Attempt:
    """An attempt that gives ``count`` frames over ``seconds`` and is then lost."""

    def connect(epoch: int) -> Iterator[Frame]:
        for seq in range(count):
            clock.advance(seconds / count)
            yield frame(epoch, seq)
        if ending:
            raise ending

    return connect


def fails(error: SourceError) -> Attempt:
    """An attempt that does not even connect."""

    def connect(_: int) -> Iterator[Frame]:
        raise error

    return connect


class Camera:
    """Plays one attempt after the other; after the last it stops the run."""

    def __init__(self, clock: ManualClock, *attempts: Attempt) -> None:
        self.clock = clock
        self.stop = threading.Event()
        self.tried_s: list[float] = []
        self._attempts = iter(attempts)

    def connect(self, epoch: int) -> Iterator[Frame]:
        self.tried_s.append(self.clock.now_ns() / 1e9)
        attempt = next(self._attempts, None)
        if attempt is None:
            self.stop.set()
            return iter(())
        return attempt(epoch)

    def run(self, patience: Patience) -> Iterator[Frame]:
        return Reconnecting(
            "cam",
            "rtsp://cam/live",
            self.connect,
            clock=self.clock,
            random=AlwaysMost(),
            patience=patience,
        ).run(self.stop)

    @property
    def waits_s(self) -> list[float]:
        pairs = zip(self.tried_s, self.tried_s[1:], strict=False)
        return [round(after - before, 6) for before, after in pairs]


class AlwaysMost(Random):
    """A dice that always shows its highest number."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_each_connection_is_an_epoch_after_the_last_one_used() -> None:
    clock = ManualClock()

    def grows(epoch: int) -> Iterator[Frame]:
        yield frame(epoch, 0)
        yield frame(epoch + 1, 0)  # the picture's size changed

    camera = Camera(clock, grows, fails(unavailable()), comes(clock, 2))
    frames = list(camera.run(Patience()))
    assert [(f.epoch, f.seq) for f in frames] == [(0, 0), (1, 0), (2, 0), (2, 1)]


def test_waits_double_to_their_most() -> None:
    clock = ManualClock()
    failing = [fails(unavailable())] * 6
    camera = Camera(clock, comes(clock, 1), *failing)
    list(camera.run(Patience(first_s=1, most_s=8)))
    assert camera.waits_s == [1, 2, 4, 8, 8, 8, 8]


def test_waits_begin_anew_only_after_a_good_time() -> None:
    clock = ManualClock()
    camera = Camera(
        clock,
        comes(clock, 1),
        comes(clock, 4, seconds=2),
        comes(clock, 4, seconds=20),
        comes(clock, 1),
    )
    list(camera.run(Patience(first_s=1, most_s=64, good_s=10)))
    assert camera.waits_s == [1, 2 + 2, 20 + 1, 2]


def test_a_server_that_says_no_is_asked_slowly() -> None:
    clock = ManualClock()
    camera = Camera(clock, comes(clock, 1), *[fails(rejected())] * 5)
    list(camera.run(Patience(first_s=1, rejected_s=30)))
    assert camera.waits_s == [1, 60, 120, 240, 300, 300]


def test_the_first_failure_is_final_unless_told_otherwise() -> None:
    clock = ManualClock()
    with pytest.raises(SourceUnavailable, match="refused"):
        list(Camera(clock, fails(unavailable())).run(Patience()))
    camera = Camera(clock, fails(unavailable()), comes(clock, 3))
    assert len(list(camera.run(Patience(retry_first=True)))) == 3


def test_a_stream_without_a_picture_is_a_failure() -> None:
    clock = ManualClock()
    with pytest.raises(SourceUnavailable, match="the end of the stream"):
        list(Camera(clock, comes(clock, 0)).run(Patience()))


def test_it_is_given_up_after_a_time_without_pictures() -> None:
    clock = ManualClock()
    camera = Camera(clock, comes(clock, 2), *[fails(unavailable())] * 99)
    frames = camera.run(Patience(first_s=1, most_s=4, give_up_s=10))
    with pytest.raises(SourceUnavailable, match="pictures again within 10 s, got refused"):
        list(frames)
    assert camera.waits_s == [1, 2, 4, 4]


def test_stop_ends_the_waiting() -> None:
    clock = ManualClock()
    camera = Camera(clock, comes(clock, 1), fails(unavailable()))
    frames = camera.run(Patience())
    next(frames)
    camera.stop.set()
    assert list(frames) == []


def test_each_change_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "maskstream.decode")
    clock = ManualClock()
    camera = Camera(
        clock,
        comes(clock, 3, ending=unavailable("silence")),
        *[fails(unavailable("refused"))] * 4,
        comes(clock, 2),
    )
    list(camera.run(Patience()))
    said = [record.getMessage() for record in caplog.records]
    assert said[:-1] == [
        "cam: pictures are coming (rtsp://cam/live)",
        "cam: lost: silence; trying again (rtsp://cam/live)",
        "cam: lost: refused; trying again (rtsp://cam/live)",
        "cam: pictures are coming (rtsp://cam/live)",
    ]


def test_waits_are_spread_so_that_cameras_do_not_come_back_together() -> None:
    waits = [Backoff(Patience(first_s=2), Random(seed)).next_s(unavailable()) for seed in range(50)]
    assert all(1 <= wait <= 2 for wait in waits)
    assert max(waits) - min(waits) > 0.8
