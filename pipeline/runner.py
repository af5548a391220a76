"""What runs in the threads: a source into a channel, and a stage from its inbox into the next.

Times, losses and failures are taken here, around the generators, which hold only their own story.
Whatever happens, a runner closes the channel behind it and posts ``Ended``.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from traceback import TracebackException, format_exception

from .channel import Channel
from .clock import Clock
from .errors import ChannelClosed, SourceError, StageFailed, StreamError
from .frame import Frame
from .inbox import FairInbox
from .metrics import Metrics
from .redact import redact
from .stage import Source, Stage

DECODE = "decode"
"""The name under which a source's times and losses are counted."""

log = logging.getLogger("maskstream.supervisor")


@dataclass(frozen=True)
class Around:
    """What every runner of one run shares."""

    clock: Clock
    metrics: Metrics
    post: Callable[["Ended"], None]
    """Takes a runner's last word. From any thread."""


class Runner(ABC):
    """A daemon thread around one source or stage."""

    def __init__(self, name: str, output: Channel | None, around: Around) -> None:
        self.name = name
        self._output = output
        self._clock = around.clock
        self._metrics = around.metrics
        self._post = around.post
        thread_name = "maskstream-" + name.replace(" ", "-")
        self.thread = threading.Thread(target=self._run, name=thread_name, daemon=True)

    @abstractmethod
    def _life(self) -> StreamError | None:
        """Run to the end; the error that ended it early, if any."""

    def _run(self) -> None:
        # what is told when not even the telling works: a log that leaves the program, say
        error: StreamError | None = _failure(self.name, "an end", "a thread that broke off")
        try:
            error = self._life()
        finally:
            self._leave()
            self._post(Ended(self, error))

    def _leave(self) -> None:
        """Keep nobody waiting: nothing more comes."""
        if self._output is not None:
            self._output.close()

    def _put(self, output: Channel, frame: Frame, stage: str) -> None:
        """Hand on; when nobody takes it any more, the frame is lost for the channel's reason."""
        try:
            output.put(frame)
        except ChannelClosed:
            self._metrics.dropped(stage, frame, output.reason)
            raise

    def _why_gone(self, error: StreamError) -> str | None:
        """The reason of the consumer's end, if that is all that the error says."""
        if isinstance(error, ChannelClosed) and self._output is not None and self._output.closed:
            return self._output.reason
        return None


@dataclass(frozen=True)
class Ended:
    """A runner's last word; ``error`` says why, when it did not end by itself."""

    runner: Runner
    error: StreamError | None


class SourceRunner(Runner):
    """One source in its thread. Its failure is its own: the other sources go on."""

    def __init__(
        self,
        source: Source,
        output: Channel,
        around: Around,
        stop: threading.Event,
    ) -> None:
        super().__init__(f"source {source.stream}", output, around)
        self._source = source
        self._metrics.tally.source(source.stream, "waiting")
        self._channel = output
        self._stop = stop

    def _life(self) -> StreamError | None:
        error = self._capture()
        self._metrics.tally.source(self._source.stream, "failed" if error else "ended")
        return error

    def _capture(self) -> StreamError | None:
        try:
            self._pump(self._source.run(self._stop))
        except StreamError as error:
            if isinstance(error, SourceError):  # no later frame can carry these
                self._metrics.lost_at_end(DECODE, self._source.stream, "corrupt", error.corrupt)
            return None if self._why_gone(error) else error
        except BaseException as error:  # also SystemExit and Rust's panics, which nobody would hear
            return _failed(self.name, "pictures or a SourceError", error)
        return None

    def _pump(self, frames: Iterator[Frame]) -> None:
        asked_ns = self._clock.now_ns()
        try:
            for frame in frames:
                # a live source is idle until a picture comes; any other works as soon as it may
                since_ns = frame.captured_ns if self._source.live else asked_ns
                self._hand_on(frame, self._clock.now_ns() - since_ns)
                if self._stop.is_set():
                    break
                asked_ns = self._clock.now_ns()
        finally:
            _close(frames)

    def _hand_on(self, frame: Frame, held_ns: int) -> None:
        self._metrics.captured(DECODE, frame)
        self._metrics.worked(DECODE, held_ns / 1e9)
        # a recorded frame says itself how long it took to decode
        timed = frame if DECODE in frame.stages_ms else _timed(frame, DECODE, held_ns)
        self._put(self._channel, timed, DECODE)


class Restarts:
    """How often within ``window_s`` a stage that raises is started again. For one thread."""

    def __init__(self, limit: int, window_s: float) -> None:
        self.limit = limit
        self.window_s = window_s
        self._spent_ns: deque[int] = deque()

    @property
    def used(self) -> int:
        """Restarts that count at the moment."""
        return len(self._spent_ns)

    def spend(self, now_ns: int) -> bool:
        """Use one, if one is left at ``now_ns`` (monotonic)."""
        while self._spent_ns and now_ns - self._spent_ns[0] > self.window_s * 1e9:
            self._spent_ns.popleft()
        if self.used >= self.limit:
            return False
        self._spent_ns.append(now_ns)
        return True


class StageRunner(Runner):
    """One stage in its thread, restarted within its budget."""

    def __init__(
        self,
        stage: Stage,
        channels: Sequence[Channel],
        output: Channel | None,
        around: Around,
        restarts: Restarts,
    ) -> None:
        super().__init__(stage.name, output, around)
        self._stage = stage
        self._channels = tuple(channels)
        self._restarts = restarts
        self._waited_ns = 0
        on_drop = partial(self._metrics.dropped, stage.name)
        self._inbox = FairInbox(channels, now_ns=self._busy_ns, on_drop=on_drop)

    def cut(self, reason: str) -> None:
        """Give up what waits to be taken and let nothing more in. From any thread."""
        for channel in self._channels:
            channel.abandon(reason)

    def _life(self) -> StreamError | None:
        while True:
            try:
                self._pump(self._stage.run(self._inbox))
            except StreamError as error:
                consumer_gone = self._why_gone(error)
                self._inbox.abandon(consumer_gone or "failed")
                return None if consumer_gone else error
            except BaseException as error:  # as in a source
                lost = self._inbox.fail("failed")
                if not self._restarts.spend(self._clock.now_ns()):
                    self._inbox.abandon("failed")
                    return self._used_up(error, lost)
                self._tell_restart(error, lost)
                continue
            return None

    def _leave(self) -> None:
        super()._leave()
        self._inbox.abandon("failed")  # after an orderly end nothing is left in it

    def _pump(self, frames: Iterator[Frame]) -> None:
        try:
            for frame in frames:
                self._hand_on(frame)
        finally:
            _close(frames)
        if not self._inbox.at_end():
            raise RuntimeError(f"stage {self.name} returned before the end of its inbox")
        if lost := self._inbox.fail("failed"):
            log.warning("stage %s ended and forgot %d frames: %r", self.name, len(lost), lost[0])

    def _hand_on(self, frame: Frame) -> None:
        frame, held_ns = self._inbox.release(frame)
        self._metrics.worked(self.name, held_ns / 1e9)
        frame = _timed(frame, self.name, held_ns)
        begun_ns = self._clock.now_ns()
        if self._output is None:
            self._metrics.published(frame, begun_ns)
            return
        self._put(self._output, frame, self.name)
        self._waited_ns += self._clock.now_ns() - begun_ns

    def _busy_ns(self) -> int:
        """A time that stands still while this thread waits for room in the next channel."""
        return self._clock.now_ns() - self._waited_ns

    def _tell_restart(self, error: BaseException, lost: Sequence[Frame]) -> None:
        self._metrics.restarted(self.name)
        log.warning(
            "stage %s raised and lost %d frames; restart %d of %d in %g s\n%s",
            self.name,
            len(lost),
            self._restarts.used,
            self._restarts.limit,
            self._restarts.window_s,
            redact("".join(format_exception(error))),
        )

    def _used_up(self, error: BaseException, lost: Sequence[Frame]) -> StageFailed:
        at = f" at {lost[0]!r}" if lost else ""
        used = f"after {self._restarts.used} restarts in {self._restarts.window_s:g} s"
        return _failed(f"stage {self.name}{at}, {used}", "frames or a StreamError", error)


def _failed(where: str, wanted: str, cause: BaseException) -> StageFailed:
    told = TracebackException.from_exception(cause)  # whose text can be had of any exception
    failure = _failure(where, wanted, redact(f"{type(cause).__name__}: {told}"))
    failure.__cause__ = cause
    log.error("%s\n%s", where, redact("".join(told.format())))
    return failure


def _failure(where: str, wanted: str, got: str) -> StageFailed:
    return StageFailed(
        where=where,
        wanted=wanted,
        got=got,
        remedy="This is a defect: please report it with the traceback in the log.",
    )


def _timed(frame: Frame, stage: str, held_ns: int) -> Frame:
    return replace(frame, stages_ms={**frame.stages_ms, stage: held_ns / 1e6})


def _close(frames: Iterator[Frame]) -> None:
    if isinstance(frames, Generator):
        frames.close()
