"""Segment: batches of frames through a network, instances out.

One thread owns the device. While batch n computes, batch n-1 is finished and handed on; the stage
never waits for a next frame while it owes a result.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from pipeline.clock import Clock, SystemClock
from pipeline.config import Settings
from pipeline.frame import Frame, Image, Instances, Model
from pipeline.masks import Masks
from pipeline.picture import to_bgr
from pipeline.stage import Inbox

if TYPE_CHECKING:  # so that mistakes in the settings are told before torch is loaded
    from pipeline.device import Flight, Lane
    from stages.networks.segmenter import Batch, Found, Segmenter


Side = Annotated[int, Field(ge=32, le=8192)]


def _falling(sides: tuple[int, int]) -> tuple[int, int]:
    if sides[0] < sides[1]:
        raise ValueError("the long side first, then the short one")
    return sides


class SegmentSettings(Settings):
    """What segments the frames, where, and how sure it must be."""

    network: str | None = None
    """Name of the network; by default the one that the weights belong to."""
    weights: str = "solov2-nano"
    """A file, an http(s) address, or an alias of `weights list`."""
    classes: tuple[str, ...] | None = None
    """Class names in the order of the network's outputs; by default the checkpoint's own."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute: auto takes a CUDA device when there is one."""
    size: Annotated[tuple[Side, Side], AfterValidator(_falling)] | None = None
    """Long and short side of the network's canvas, px: smaller is faster, larger finds smaller
    things. By default what the network was made for."""
    precision: Literal["float32", "float16"] = "float32"
    """Arithmetic of the network on a CUDA device; scores are always float32."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of the network; 0: one for each core but one, which the other stages need."""
    batch: int = Field(default=4, ge=1, le=64)
    """Most frames in one batch, at most one of each stream."""
    max_age_s: float = Field(default=0.0, ge=0.0)
    """A frame captured longer ago than this is dropped as stale; 0 keeps every frame."""
    score_threshold: float = Field(default=0.1, ge=0.0, le=1.0)
    """Class score that a grid cell must exceed to become a candidate."""
    mask_threshold: float = Field(default=0.5, gt=0.0, lt=1.0)
    """Soft mask value above which a pixel belongs to the instance."""
    filter_threshold: float = Field(default=0.3, ge=0.0, le=1.0)
    """Score after Matrix NMS that an instance must reach to be reported."""
    candidates: int = Field(default=500, ge=1)
    """Candidates, best first, that enter Matrix NMS."""
    products: int = Field(default=500, ge=1)
    """Grid cells, best class score first, whose masks are computed; on a device always so many."""
    max_instances: int = Field(default=100, ge=1)
    """Most instances reported in one frame."""


@dataclass(frozen=True, eq=False)
class _Airborne:
    """A batch under way, and the frames that wait for it."""

    frames: Sequence[Frame]
    batch: "Batch"
    flight: "Flight"


class SegmentStage:
    """Adds ``instances`` and ``model`` to every frame. Runs in the one thread that owns the lane.

    Frames of different picture sizes never share a batch: the padding would change the results.
    """

    name = "segment"

    def __init__(
        self,
        settings: SegmentSettings,
        *,
        segmenter: "Segmenter",
        model: Model,
        lane: "Lane",
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._segmenter = segmenter
        self._model = model
        self._lane = lane
        self._clock = clock or SystemClock()

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Yield every frame with its instances; drop those older than ``max_age_s`` as stale."""
        in_flight: list[_Airborne] = []
        while (frames := self._take(inbox, block=not in_flight)) is not None:
            launched = self._launch(self._fresh(frames, inbox))
            yield from self._finish(in_flight)
            if not self._lane.overlaps:
                yield from self._finish(launched)
                launched = []
            in_flight = launched
        yield from self._finish(in_flight)

    def _take(self, inbox: Inbox, block: bool) -> list[Frame] | None:
        return inbox.take(self._settings.batch, timeout_s=None if block else 0.0)

    def _fresh(self, frames: list[Frame], inbox: Inbox) -> list[Frame]:
        limit_ns = self._settings.max_age_s * 1e9
        if not limit_ns:
            return frames
        now_ns = self._clock.now_ns()
        stale = [frame for frame in frames if now_ns - frame.captured_ns > limit_ns]
        for frame in stale:
            inbox.drop(frame, "stale")
        return [frame for frame in frames if frame not in stale]

    def _launch(self, frames: Sequence[Frame]) -> list[_Airborne]:
        groups: dict[tuple[object, ...], list[Frame]] = {}
        for frame in frames:
            image = _image(frame)
            key = (image.height, image.width, image.sample_aspect)
            groups.setdefault(key, []).append(frame)
        return [self._launch_batch(group) for group in groups.values()]

    def _launch_batch(self, frames: Sequence[Frame]) -> _Airborne:
        images = [_image(frame) for frame in frames]
        aspects = [float(image.sample_aspect) for image in images]
        batch = self._segmenter.prepare([to_bgr(image) for image in images], aspects)
        flight = self._lane.launch(
            batch.pixels, lambda pixels: self._segmenter.detect(pixels, batch.placements)
        )
        return _Airborne(frames, batch, flight)

    def _finish(self, airborne: Sequence[_Airborne]) -> Iterator[Frame]:
        for each in airborne:
            tensors = each.flight.finish()
            found = self._segmenter.collect(tensors, each.batch.placements)
            for frame, one in zip(each.frames, found, strict=True):
                instances = _instances(one, _image(frame))
                yield replace(frame, instances=instances, model=self._model)


def _image(frame: Frame) -> Image:
    if frame.image is None:
        raise ValueError(f"segment needs a picture, got {frame!r}")
    return frame.image


def _instances(found: "Found", image: Image) -> Instances:
    masks = Masks.from_crops(image.height, image.width, found.crops)
    return Instances.detected(
        masks, found.scores.astype(np.float32), found.classes.astype(np.int32)
    )
