"""How good a segmenter is on pictures whose truth is known, and how long each part of it takes."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.masks import Masks, encode
from stages.judging.mask_score import ClassScore, Finding, Scoring, Thing
from stages.networks import make_segmenter
from stages.networks.checkpoint import load
from stages.networks.loading import load_network
from stages.networks.segmenter import Found, Segmenter
from stages.networks.thresholds import Thresholds
from stages.weights.download import Report, nobody
from stages.weights.places import locate

from .augment import LEAST_AREA_PX
from .coco import Annotation, CocoPictures
from .moving import Scene
from .sample import Picture

AP_THRESHOLDS = Thresholds(score=0.02, filter=0.02)
"""AP ranks everything that is found, so nothing likely may be left out."""

PARTS = ("prepare", "network", "collect")


@dataclass(frozen=True, eq=False)
class Example:
    """A picture, BGR (H, W, 3), and what is to be found in it."""

    picture: Picture
    truths: Sequence[Annotation]


@dataclass
class Spent:
    """What each picture cost, s: ``seconds`` has a row of ``PARTS`` a picture."""

    seconds: list[tuple[float, ...]] = field(default_factory=list)

    def median_ms(self) -> dict[str, float]:
        """The median of each part, ms. The first picture, which warms up, does not count."""
        steady = self.seconds[1:] or self.seconds
        columns = zip(*steady, strict=True)
        return {part: 1e3 * median(column) for part, column in zip(PARTS, columns, strict=False)}

    def frames_per_s(self) -> float:
        """Pictures a second, one by one, the first left out; 0 when there were none."""
        steady = self.seconds[1:] or self.seconds
        return len(steady) / sum(map(sum, steady)) if steady else 0.0


def open_segmenter(
    weights: Path | str,
    *,
    size: tuple[int, int] | None = None,
    thresholds: Thresholds = AP_THRESHOLDS,
    device: torch.device | str = "cpu",
    report: Report = nobody,
) -> Segmenter:
    """The network that some weights (file, address, alias) belong to, with these weights.

    ``size``: long and short side of its canvas, px, where it should not be the network's own.
    ``report`` is called while something is fetched.

    :raises StreamError: when the weights cannot be had or belong to no network.
    """
    network = load_network(load(locate(str(weights), report)), size=size)
    return make_segmenter(network, thresholds, device=device)


def coco_examples(pictures: CocoPictures) -> Iterator[Example]:
    """All pictures of a COCO file."""
    for index in range(len(pictures)):
        yield Example(pictures.picture(index), pictures.annotations(index))


def scene_examples(scene: Scene, classes: Sequence[str], every: int = 5) -> Iterator[Example]:
    """One frame in ``every`` of a scene.

    Slivers (less than ``LEAST_AREA_PX`` pixels visible) count neither as found nor as missed.
    """
    for index in range(0, scene.frames, every):
        picture, truth = scene.render(index)
        truths = [
            Annotation(classes.index(label), truth.masks.dense(row).view(np.uint8), bool(sliver))
            for row, (label, sliver) in enumerate(
                zip(truth.labels, truth.masks.areas < LEAST_AREA_PX, strict=True)
            )
        ]
        yield Example(picture, truths)


def evaluate(
    segmenter: Segmenter, examples: Iterable[Example], device: torch.device | str = "cpu"
) -> list[ClassScore]:
    """Mask and box AP of each of the segmenter's classes, in their order.

    Its thresholds should let unlikely ones pass (``AP_THRESHOLDS``). ``device``: where the
    segmenter expects the pixels. Pictures go through it one by one.
    """
    return judge(segmenter, examples, device=device).scores()


def judge(
    segmenter: Segmenter,
    examples: Iterable[Example],
    *,
    classes: Sequence[str] | None = None,
    device: torch.device | str = "cpu",
    spent: Spent | None = None,
) -> Scoring:
    """What the segmenter found beside the truth, ready to be scored; ``spent`` is added to.

    ``classes``: those that count, and that the truth's labels mean; by default the segmenter's.
    """
    classes = segmenter.classes if classes is None else classes
    labels = {n: classes.index(c) for n, c in enumerate(segmenter.classes) if c in classes}
    scoring = Scoring(classes)
    for example in examples:
        found, seconds = _found(segmenter, example.picture, device)
        if spent is not None:
            spent.seconds.append(seconds)
        height, width = example.picture.shape[:2]
        truths = (_thing(truth) for truth in example.truths)
        scoring.add((height, width), truths, _findings(found, height, width, labels))
    return scoring


def _found(
    segmenter: Segmenter, picture: NDArray[np.uint8], device: torch.device | str
) -> tuple[Found, tuple[float, ...]]:
    """What is in one picture, and the seconds of each of ``PARTS``."""
    times = [time.perf_counter()]
    batch = segmenter.prepare([picture])
    times.append(time.perf_counter())
    with torch.inference_mode():
        tensors = segmenter.detect(batch.pixels.to(device), batch.placements)
    on_host = {name: tensor.cpu() for name, tensor in tensors.items()}  # waits for the device
    times.append(time.perf_counter())
    found = segmenter.collect(on_host, batch.placements)[0]
    times.append(time.perf_counter())
    return found, tuple(np.diff(times).tolist())


def _findings(
    found: Found, height: int, width: int, labels: Mapping[int, int]
) -> Iterator[Finding]:
    """What of the found counts, in a picture of that size."""
    masks = Masks.from_crops(height, width, found.crops)
    for row, (score, label) in enumerate(zip(found.scores, found.classes, strict=True)):
        if int(label) in labels:
            yield Finding(labels[int(label)], masks.to_coco(row), float(score))


def _thing(truth: Annotation) -> Thing:
    return Thing(truth.label, encode(truth.mask.view(np.bool_)), truth.is_crowd)
