"""Sources and stages as one line: a thread each, channels between them, an orderly end.

An end comes about by closing channels: a source that ends closes its channel, the stage behind it
flushes and closes its own, and so on. Asked to stop, the sources end and the stages finish what
waits; asked again, what waits is dropped and counted; asked a third time, or when a thread hangs,
it is left behind.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

from pydantic import Field

from .channel import Channel
from .clock import Clock, SystemClock
from .config import Settings
from .errors import StageFailed, StreamError
from .metrics import Metrics
from .report import Failures, Progress, Report
from .runner import Around, Ended, Restarts, Runner, SourceRunner, StageRunner
from .stage import Source, Stage

LEAVING_NS = 1_000_000_000
"""What is left to close files when the run is left behind by wish."""

log = logging.getLogger("maskstream.supervisor")


class RunSettings(Settings):
    """How the line of stages is run."""

    capacity: Annotated[int, Field(ge=1)] = 2
    """Frames that can wait before a stage; before the first, a live source's oldest are dropped."""
    restarts: Annotated[int, Field(ge=0)] = 3
    """How often within `restart_window_s` a stage that raises is started again."""
    restart_window_s: Annotated[float, Field(gt=0)] = 60.0
    """The time over which restarts are counted, s."""
    drain_s: Annotated[float, Field(ge=0)] = 10.0
    """How long the stages may take to finish what waits when the run is asked to stop, s."""
    grace_s: Annotated[float, Field(ge=0)] = 30.0
    """How long they may take after that for what they are at, once what waits was dropped, s."""


class Supervisor:
    """Runs a line of stages over some sources, once.

    ``failures`` is handed in when stages need its ``report`` before there is a supervisor.

    :raises ValueError: when there is no source or stage, or two have the same name.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        stages: Sequence[Stage],
        settings: RunSettings | None = None,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        failures: Failures | None = None,
    ) -> None:
        _check_names("source", [source.stream for source in sources])
        _check_names("stage", [stage.name for stage in stages])
        self.metrics = metrics or Metrics()
        self.failures = failures or Failures(clock)
        self._settings = settings or RunSettings()
        self._clock = clock or SystemClock()
        self._events: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self._sources_stop = threading.Event()
        self._deadline_ns: int | None = None
        self._cut_short = False
        self._fatal: list[StreamError] = []
        self._begun_ns = self._clock.now_ns()
        self._sources, self._stages = self._assemble(sources, stages)
        self._alive: list[Runner] = [*self._sources, *self._stages]

    def stop(self) -> None:
        """Ask for the end: to finish what is under way, then to drop what waits, then to leave.

        May be called from any thread and from a signal handler, also before ``run``.
        """
        self._events.put(None)  # re-entrant, as nothing that takes a Python lock is

    def report(self, error: StreamError) -> None:
        """Note a failure that does not end the run. From any thread."""
        self.failures.report(error)

    def run(
        self, on_tick: Callable[[Progress], None] | None = None, tick_s: float = 0.25
    ) -> Report:
        """Run to the end. ``on_tick`` is called in this thread at least every ``tick_s``.

        What ``on_tick`` raises, and KeyboardInterrupt, cut the run short and go through, once all
        have ended or the grace is over; raised again meanwhile, at once.
        """
        self._begun_ns = self._clock.now_ns()
        try:
            for runner in reversed(self._alive):
                runner.thread.start()
            while self._alive and not self._given_up():
                self._handle(tick_s)
                if on_tick:
                    on_tick(self.progress())
        except BaseException:
            self._cut()
            self._await_end(tick_s)
            raise
        return self._account()

    def progress(self) -> Progress:
        """The run at this moment. From any thread."""
        now_ns = self._clock.now_ns()
        tally = self.metrics.tally
        streams = tally.streams().values()
        return Progress(
            captured=sum(counts.captured for counts in streams),
            published=sum(counts.published for counts in streams),
            dropped=sum(sum(counts.dropped.values()) for counts in streams),
            rate_hz=tally.rate_hz(now_ns),
            age_p50_s=tally.ages().p50_s,
            wall_s=(now_ns - self._begun_ns) / 1e9,
        )

    def _assemble(
        self, sources: Sequence[Source], stages: Sequence[Stage]
    ) -> tuple[list[SourceRunner], list[StageRunner]]:
        settings, around = self._settings, Around(self._clock, self.metrics, self._events.put)
        inputs = [self._channel(s.stream, stages[0], live=s.live) for s in sources]
        source_runners = [
            SourceRunner(s, c, around, self._sources_stop)
            for s, c in zip(sources, inputs, strict=True)
        ]
        stage_runners = []
        for stage, after in zip(stages, [*stages[1:], None], strict=True):
            output = self._channel(stage.name, after) if after else None
            restarts = Restarts(settings.restarts, settings.restart_window_s)
            stage_runners.append(StageRunner(stage, inputs, output, around, restarts))
            inputs = [output] if output else []
        return source_runners, stage_runners

    def _channel(self, origin: str, stage: Stage, *, live: bool = False) -> Channel:
        name = f"{origin} > {stage.name}"
        channel = Channel(
            name,
            self._settings.capacity,
            "drop-oldest" if live else "block",
            on_drop=partial(self.metrics.dropped, stage.name),
        )
        self.metrics.watch_queue(name, lambda: channel.statistics().waiting)
        return channel

    def _handle(self, timeout_s: float) -> None:
        """Wait for an event, then act on all that there are: a wish to stop, a runner's end."""
        try:
            event = self._events.get(timeout=timeout_s)
            while True:
                if event is None:
                    self._obey()
                else:
                    self._bury(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _await_end(self, tick_s: float) -> None:
        """Let those who have begun close their files, as far as the deadline allows."""
        self._alive = [runner for runner in self._alive if runner.thread.ident is not None]
        while self._alive and not self._given_up():
            self._handle(tick_s)

    def _obey(self) -> None:
        if not self._sources_stop.is_set():
            self._drain()
        elif not self._cut_short:
            self._cut()
        else:
            at_once_ns = self._clock.now_ns() + LEAVING_NS
            self._deadline_ns = min(self._deadline_ns or at_once_ns, at_once_ns)

    def _bury(self, event: Ended) -> None:
        event.runner.thread.join()
        self._alive.remove(event.runner)
        if event.error is None:
            return
        if isinstance(event.runner, StageRunner):
            log.error("%s", event.error)
            self._fatal.append(event.error)
            self._drain()
        else:
            self.report(event.error)

    def _drain(self) -> None:
        if self._sources_stop.is_set():
            return
        self._sources_stop.set()
        self._deadline_ns = self._clock.now_ns() + round(self._settings.drain_s * 1e9)

    def _cut(self) -> None:
        self._cut_short = True
        self._sources_stop.set()
        self._deadline_ns = self._clock.now_ns() + round(self._settings.grace_s * 1e9)
        for stage in self._stages:
            stage.cut("shutdown")

    def _given_up(self) -> bool:
        """Act on a deadline that has passed; say if nothing is left but to go."""
        if self._deadline_ns is None or self._clock.now_ns() < self._deadline_ns:
            return False
        if self._cut_short:
            return True
        self._cut()
        return False

    def _account(self) -> Report:
        stuck = tuple(runner.name for runner in self._alive)
        tally = self.metrics.tally
        streams = tally.streams()
        if stuck:  # what their threads hold will not come out any more
            streams = {name: counts.settled("shutdown") for name, counts in streams.items()}
        hung = tuple(map(self._hung, stuck))
        return Report(
            streams=streams,
            stages=tally.stages(),
            ages=tally.ages(),
            errors=(*self._fatal, *hung, *self.failures.errors()),
            stuck=stuck,
            wall_s=self.progress().wall_s,
        )

    def _hung(self, name: str) -> StageFailed:
        allowed_s = self._settings.drain_s + self._settings.grace_s
        return StageFailed(
            where=name,
            wanted=f"an end within {allowed_s:g} s",
            got="a thread that still runs",
            remedy="It was left behind; what it held is counted as lost.",
        )


def _check_names(kind: str, names: Sequence[str]) -> None:
    if not names:
        raise ValueError(f"a run needs at least one {kind}")
    if len(set(names)) < len(names):
        raise ValueError(f"each {kind} must have a name of its own, got {', '.join(names)}")
