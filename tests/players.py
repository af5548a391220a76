"""Small sources and stages that the runtime's tests run, and the laws that must hold after."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from pipeline.clock import SystemClock
from pipeline.errors import SourceEnded
from pipeline.frame import Frame
from pipeline.report import Report
from pipeline.stage import Inbox

NEVER = threading.Event()


def frame(seq: int, stream: str = "a", epoch: int = 0, **dropped: int) -> Frame:
    """A frame without a picture."""
    return Frame(stream, epoch, seq, seq, Fraction(1, 25), 0, 0, "media", None, dropped=dropped)


def started(work: Callable[[], None]) -> threading.Thread:
    """A thread that does ``work``."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def nap(seconds: float) -> None:
    NEVER.wait(seconds)


def nothing(_: Frame) -> None:
    """Let a frame pass."""


def until(event: threading.Event) -> Callable[[Frame], None]:
    def work(_: Frame) -> None:
        event.wait(30)

    return work


class Counting:
    """A source of ``count`` frames, a new epoch every ``epoch`` frames; some it loses itself."""

    def __init__(
        self, stream: str, count: int = 100, *, live: bool = False, epoch: int = 50, lose: int = 0
    ) -> None:
        self.stream = stream
        self.live = live
        self._count, self._epoch, self._lose = count, epoch, lose

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        lost = 0
        for at in range(self._count):
            if stop.is_set():
                return
            epoch, seq = divmod(at, self._epoch)
            lost = lost if seq else 0
            if self._lose and at % self._lose == 1:
                lost += 1
                continue
            dropped = {"corrupt": lost} if lost else {}
            now_ns = SystemClock().now_ns()
            yield Frame(
                self.stream,
                epoch,
                seq,
                at,
                Fraction(1, 25),
                now_ns,
                0,
                "media",
                None,
                dropped=dropped,
            )
            if self.live:
                nap(0.0005)


class Endless(Counting):
    """A source that ends only when it is asked to."""

    def __init__(self, stream: str, *, live: bool = False) -> None:
        super().__init__(stream, 1_000_000_000, live=live)


class Breaking(Counting):
    """A source that fails after its frames."""

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        yield from super().run(stop)
        raise SourceEnded(
            where=self.stream, wanted="more pictures", got="a broken file", remedy="Repair it."
        )


class Passing:
    """A stage that passes frames on; ``work`` may look at each, sleep or raise."""

    def __init__(self, name: str, work: Callable[[Frame], None] = nothing) -> None:
        self.name = name
        self._work = work
        self.cleaned_up = 0

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        try:
            for frame in inbox:
                self._work(frame)
                yield frame
        finally:
            self.cleaned_up += 1


class Holding:
    """A stage as ``segment`` is: takes a batch, hands the one before on, loses some."""

    name = "segment"

    def __init__(self, seed: int = 0, raising: float = 0.0) -> None:
        self._dice = random.Random(seed)
        self._raising = raising

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        held: list[Frame] = []
        while (frames := inbox.take(4, 0 if held else None)) is not None:
            yield from self._finish(inbox, held)
            held = frames
        yield from self._finish(inbox, held)

    def _finish(self, inbox: Inbox, frames: list[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if self._dice.random() < self._raising:
                raise ArithmeticError("a defect")
            if self._dice.random() < 0.1:
                inbox.drop(frame, "stale")
            else:
                yield frame


class Sink(Passing):
    """The last stage; keeps what it was given."""

    def __init__(self, name: str = "publish", work: Callable[[Frame], None] = nothing):
        super().__init__(name, self._keep)
        self.frames: list[Frame] = []
        self._also = work

    def _keep(self, frame: Frame) -> None:
        self._also(frame)
        self.frames.append(frame)


def check_law(frames: Iterable[Frame]) -> None:
    """For the i-th frame that got through in an epoch: seq == i + Σ dropped."""
    through: Counter[tuple[str, int]] = Counter()
    for got in frames:
        key = (got.stream, got.epoch)
        assert got.seq == through[key] + sum(got.dropped.values()), got
        through[key] += 1


def check_sums(report: Report) -> None:
    for counts in report.streams.values():
        assert counts.captured == counts.published + sum(counts.dropped.values())


def now_and_then(every: int, error: BaseException) -> Callable[[Frame], None]:
    calls = 0

    def work(_: Frame) -> None:
        nonlocal calls
        calls += 1
        if calls % every == 0:
            raise error

    return work
