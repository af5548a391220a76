"""From settings to a run: the one place that knows every stage and their order."""

import uuid
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2

from pipeline.clock import Clock, SystemClock
from pipeline.demand import Demand
from pipeline.errors import StreamError
from pipeline.metrics import Metrics
from pipeline.report import Failures
from pipeline.runner import DECODE
from pipeline.stage import Stage
from pipeline.supervisor import Supervisor

from .annotate import AnnotateStage
from .decode import Decode
from .program import Program, ProgramSettings, facts_from, sources_of
from .publish import PublishStage
from .record import RecordStage
from .sources.address import SourceSpec
from .track import TrackStage
from .weights.download import Report as DownloadReport
from .weights.download import nobody

__all__ = ["Program", "ProgramSettings", "assemble"]


@dataclass(eq=False)
class _Outlets:
    stages: list[Stage] = field(default_factory=list)
    publish: PublishStage | None = None
    record: RecordStage | None = None

    def close(self) -> None:
        """Let go of what is bound, when there is nothing to run."""
        if self.publish:
            self.publish.close()


def assemble(
    settings: ProgramSettings, report: DownloadReport = nobody, clock: Clock | None = None
) -> Program:
    """Check, load, bind and open everything that can fail before the first frame.

    ``report`` is called with bytes done and in all while weights are fetched.

    :raises StreamError: for whatever of it fails; nothing is left bound.
    """
    clock = clock or SystemClock()
    # OpenCV's own threads spin while they wait, 1 ms of CPU a frame, and make nothing sooner.
    cv2.setNumThreads(1)
    specs = sources_of(settings)
    metrics = Metrics(clock, settings.publish.stalled_after_s)
    sources = [
        Decode(
            spec,
            settings.decode,
            clock=clock,
            lost=partial(metrics.tally.source, spec.stream, "reconnecting"),
            untold=partial(metrics.lost_at_end, DECODE, spec.stream),
        )
        for spec in specs
    ]
    failures = Failures(clock)
    # Before torch and the network, which take long: a port in use is told soon, and who waits to
    # connect is there when the first frame comes.
    outlets = _outlets(settings, specs, failures, metrics, clock)
    try:
        from .compute import segmenting  # noqa: PLC0415  (as above)

        segment, does = segmenting(settings.segment, metrics, clock, report)
    except BaseException:
        outlets.close()
        raise
    stages: list[Stage] = [segment, TrackStage(settings.track), *outlets.stages]
    supervisor = Supervisor(
        sources, stages, settings.run, clock=clock, metrics=metrics, failures=failures
    )
    return Program(settings, supervisor, metrics, does, outlets.publish, outlets.record)


def _outlets(
    settings: ProgramSettings,
    specs: list[SourceSpec],
    failures: Failures,
    metrics: Metrics,
    clock: Clock,
) -> _Outlets:
    """What looks at the results: drawing, recording, publishing, each only if asked for."""
    outlets, demand = _Outlets(), Demand()
    names = [spec.stream for spec in specs]
    if settings.publish.enabled:
        outlets.publish = PublishStage(
            settings.publish,
            demand=demand,
            clock=clock,
            streams=names,
            facts=facts_from(metrics),
        )
        metrics.watch_traffic(outlets.publish.traffic)
    if settings.record.enabled:
        outlets.record = _recorder(settings, specs, failures, demand, outlets.publish)
    looked_at = [stage for stage in (outlets.record, outlets.publish) if stage]
    if looked_at:
        outlets.stages = [AnnotateStage(settings.annotate, demand=demand), *looked_at]
    return outlets


def _recorder(
    settings: ProgramSettings,
    specs: list[SourceSpec],
    failures: Failures,
    demand: Demand,
    publish: PublishStage | None,
) -> RecordStage:
    try:
        return RecordStage(
            settings.record,
            publisher=publish.publisher if publish else str(uuid.uuid4()),
            report=failures.report,
            demand=demand,
            sources=[Path(spec.address) for spec in specs if spec.kind == "file"],
        )
    except StreamError:
        if publish:
            publish.close()
        raise
