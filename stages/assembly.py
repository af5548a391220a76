"""From settings to a run: the one place that knows every stage and their order."""

import uuid
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import torch

from pipeline.clock import Clock, SystemClock
from pipeline.demand import Demand
from pipeline.device import Lane, open_lane, usable_cores
from pipeline.errors import StreamError
from pipeline.frame import Model
from pipeline.metrics import Metrics
from pipeline.report import Failures
from pipeline.stage import Stage
from pipeline.supervisor import Supervisor

from .annotate import AnnotateStage
from .decode import Decode
from .networks import make_segmenter
from .networks.checkpoint import load as load_checkpoint
from .networks.download import Report as DownloadReport
from .networks.download import nobody
from .networks.loading import load_network, locate
from .networks.segmenter import Segmenter
from .networks.thresholds import Thresholds
from .program import Program, ProgramSettings, facts_from, sources_of
from .publish import PublishStage
from .record import RecordStage
from .segment import SegmentSettings, SegmentStage
from .sources.address import SourceSpec
from .track import TrackStage

__all__ = ["Program", "ProgramSettings", "assemble", "load_segmenter"]


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
        )
        for spec in specs
    ]
    failures = Failures(clock)
    # Before the network, which takes long: a port in use is told soon, and who waits to connect is
    # there when the first frame comes.
    outlets = _outlets(settings, specs, failures, metrics, clock)
    try:
        lane = open_lane(settings.segment.device)
        segmenter, model = load_segmenter(settings.segment, lane, report)
    except BaseException:
        outlets.close()
        raise
    _watch_memory(metrics, lane)
    stages: list[Stage] = [
        SegmentStage(settings.segment, segmenter=segmenter, model=model, lane=lane, clock=clock),
        TrackStage(settings.track),
        *outlets.stages,
    ]
    supervisor = Supervisor(
        sources, stages, settings.run, clock=clock, metrics=metrics, failures=failures
    )
    does = f"{model.name} ({model.weights[:19]}) on {lane.device}"
    return Program(settings, supervisor, metrics, does, outlets.publish, outlets.record)


def _watch_memory(metrics: Metrics, lane: Lane) -> None:
    """Have the memory of a CUDA device measured: what tensors use, and what torch holds."""
    if lane.device.type == "cuda":
        device = str(lane.device)
        metrics.watch_memory(device, "used", partial(torch.cuda.memory_allocated, lane.device))
        metrics.watch_memory(device, "held", partial(torch.cuda.memory_reserved, lane.device))


def load_segmenter(
    settings: SegmentSettings, lane: Lane, report: DownloadReport = nobody
) -> tuple[Segmenter, Model]:
    """The network that the settings ask for, with its weights, on the lane's device.

    ``report`` is called with bytes done and in all while weights are fetched.

    :raises StreamError: for unknown names, files that cannot be had, weights of another network.
    """
    # On all cores, each hand-over makes a thread of the network late, and all of them wait for it:
    # a two-core machine ran 28 frames/s with two threads and 43 with one.
    torch.set_num_threads(settings.threads or max(1, usable_cores() - 1))
    checkpoint = load_checkpoint(locate(settings.weights, report))
    network = load_network(checkpoint, settings.network, settings.classes)
    model = Model(network.spec.name, f"sha256:{checkpoint.sha256}", tuple(network.spec.classes))
    precision = torch.float16 if settings.precision == "float16" else torch.float32
    segmenter = make_segmenter(
        network,
        Thresholds(
            score=settings.score_threshold,
            mask=settings.mask_threshold,
            filter=settings.filter_threshold,
            candidates=settings.candidates,
            products=settings.products,
            max_instances=settings.max_instances,
        ),
        device=lane.device,
        precision=precision if lane.device.type == "cuda" else torch.float32,
    )
    return segmenter, model


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
