"""Mask and box AP of networks, or of results that are written already, on labelled pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from pipeline.device import DeviceName, open_lane
from stages.judging.mask_score import Scoring
from stages.learning.datasets import open_set
from stages.learning.evaluate import Spent, judge, open_segmenter
from stages.networks.segmenter import Segmenter
from stages.weights.bar import download_progress

from .coco_results import beside_truth, read_results
from .judged import Judged
from .labelled import Labelled, labelled, labelled_set, shared_classes
from .report import shown


def judge_networks(
    address: str,
    networks: Sequence[str],
    wanted: Sequence[str],
    *,
    device: DeviceName,
    size: tuple[int, int] | None,
    threads: int,
) -> tuple[Labelled, list[Judged]]:
    """Each of the networks on the pictures of ``address``, one after another.

    ``wanted``: the classes that count; by default those of the data that every network knows.

    :raises StreamError: for data, weights or classes that do not fit one another.
    """
    data = labelled(address)
    place = open_lane(device).device
    if threads:
        torch.set_num_threads(threads)
    with download_progress(Console(stderr=True)) as report:
        segmenters = [
            open_segmenter(name, size=size, device=place, report=report) for name in networks
        ]
    known = {name: each.classes for name, each in zip(networks, segmenters, strict=True)}
    classes = shared_classes(data, known, wanted)
    titles = _titles(networks)
    return data, [
        _judged(title, segmenter, data, classes, place)
        for title, segmenter in zip(titles, segmenters, strict=True)
    ]


def judge_results(
    address: str, results: Sequence[Path], wanted: Sequence[str]
) -> tuple[Labelled, list[Judged]]:
    """Files of COCO results on the pictures that they are of, which need not be there.

    :raises SourceError: for files that cannot be used, or do not belong to the data.
    """
    data = open_set(address, unseen=True)
    pictures = labelled_set(data)
    classes = shared_classes(pictures, {}, wanted)
    found = [read_results(path, data.content) for path in results]
    return pictures, [
        _scored(title, beside_truth(data, classes, mine))
        for title, mine in zip(_titles([str(path) for path in results]), found, strict=True)
    ]


def _titles(names: Sequence[str]) -> list[str]:
    """Files by their names alone, where these differ."""
    short = [Path(name).stem if Path(name).is_file() else name for name in names]
    return short if len(set(short)) == len(short) else list(names)


def _judged(
    name: str, segmenter: Segmenter, data: Labelled, classes: Sequence[str], device: torch.device
) -> Judged:
    spent = Spent()
    examples = shown(data.examples(classes), data.count, name)
    scoring = judge(segmenter, examples, classes=classes, device=device, spent=spent)
    return _scored(name, scoring, spent)


def _scored(name: str, scoring: Scoring, spent: Spent | None = None) -> Judged:
    scores = tuple(scoring.scores())
    curves = tuple(scoring.curves())
    if spent is None:
        return Judged(name, scoring.overall(), scores, curves)
    speed, parts = spent.frames_per_s(), spent.median_ms()
    return Judged(name, scoring.overall(), scores, curves, speed, parts)
