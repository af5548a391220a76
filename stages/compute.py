"""The network of a run and the device that it runs on: what of the assembly brings torch."""

from functools import partial

import torch

from pipeline.clock import Clock
from pipeline.device import Lane, open_lane, usable_cores
from pipeline.frame import Model
from pipeline.metrics import Metrics

from .networks import make_segmenter
from .networks.checkpoint import load as load_checkpoint
from .networks.loading import load_network
from .networks.segmenter import Segmenter
from .networks.thresholds import Thresholds
from .segment import SegmentSettings, SegmentStage
from .weights.download import Report, nobody
from .weights.places import locate


def segmenting(
    settings: SegmentSettings, metrics: Metrics, clock: Clock, report: Report
) -> tuple[SegmentStage, str]:
    """The stage, its network loaded, and in words what runs where.

    ``report`` is called with bytes done and in all while weights are fetched.

    :raises StreamError: as ``load_segmenter``, or the device is not there.
    """
    lane = open_lane(settings.device)
    segmenter, model = load_segmenter(settings, lane, report)
    _watch_memory(metrics, lane)
    stage = SegmentStage(settings, segmenter=segmenter, model=model, lane=lane, clock=clock)
    return stage, f"{model.name} ({model.weights[:19]}) on {lane.device}"


def _watch_memory(metrics: Metrics, lane: Lane) -> None:
    """Have the memory of a CUDA device measured: what tensors use, and what torch holds."""
    if lane.device.type == "cuda":
        device = str(lane.device)
        metrics.watch_memory(device, "used", partial(torch.cuda.memory_allocated, lane.device))
        metrics.watch_memory(device, "held", partial(torch.cuda.memory_reserved, lane.device))


def load_segmenter(
    settings: SegmentSettings, lane: Lane, report: Report = nobody
) -> tuple[Segmenter, Model]:
    """The network that the settings ask for, with its weights, on the lane's device.

    ``report`` is called with bytes done and in all while weights are fetched.

    :raises StreamError: for unknown names, files that cannot be had, weights of another network.
    """
    # On all cores, each hand-over makes a thread of the network late, and all of them wait for it:
    # a two-core machine ran 28 frames/s with two threads and 43 with one.
    torch.set_num_threads(settings.threads or max(1, usable_cores() - 1))
    checkpoint = load_checkpoint(locate(settings.weights, report))
    network = load_network(checkpoint, settings.network, settings.classes, size=settings.size)
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
