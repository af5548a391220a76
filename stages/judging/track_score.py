"""HOTA, CLEAR and identity figures of tracks on masks, by TrackEval's metrics.

What counts is chosen as in KITTI MOTS: each class alone; a result that matches nothing and lies
more than half in an ignored region does not count.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy.optimize import linear_sum_assignment

from pipeline.errors import ConfigError, Mistake
from pipeline.masks import RLE

from .mots import Seen

RATES = ("HOTA", "DetA", "AssA", "IDF1", "sMOTSA", "MOTSA")
COUNTS = ("IDSW",)
FIGURES = (*RATES, *COUNTS)
_EPSILON = float(np.finfo("float").eps)

Figures = dict[str, float]
"""``FIGURES`` by name: rates 0 to 1 (MOTSA may be negative), counts."""
Raw = dict[str, dict[str, Any]]
"""What TrackEval's metrics say of one class of one sequence; ``combined`` makes figures of it."""


@dataclass(frozen=True)
class Moment:
    """A frame: what is there, what was found there, regions where neither counts."""

    truth: Sequence[Seen]
    found: Sequence[Seen]
    ignored: Sequence[RLE] = ()


class TrackJudge:
    """Scores sequences with TrackEval's metrics. One thread; standard output is silenced.

    :raises ConfigError: when TrackEval is not installed.
    """

    def __init__(self) -> None:
        try:
            metrics = import_module("trackeval.metrics")
        except ImportError as error:
            mistake = Mistake("TrackEval", "the package trackeval", "no such package")
            raise ConfigError("evaluate", [mistake], "Run `uv sync --group learn`") from error
        with redirect_stdout(io.StringIO()):  # they print their configuration
            self._metrics = {m: getattr(metrics, m)() for m in ("HOTA", "CLEAR", "Identity")}

    def raw(self, moments: Sequence[Moment], category: int) -> Raw:
        """One class of one sequence."""
        problem = _problem([_counted(moment, category) for moment in moments])
        with redirect_stdout(io.StringIO()):
            return {name: judge.eval_sequence(problem) for name, judge in self._metrics.items()}

    def combined(self, raws: Iterable[Raw]) -> Figures:
        """One class over several sequences."""
        numbered = {str(n): raw for n, raw in enumerate(raws)}
        whole = {
            name: judge.combine_sequences({n: raw[name] for n, raw in numbered.items()})
            for name, judge in self._metrics.items()
        }
        hota, clear = whole["HOTA"], whole["CLEAR"]
        return {name: float(np.mean(hota[name])) for name in ("HOTA", "DetA", "AssA")} | {
            "IDF1": float(whole["Identity"]["IDF1"]),
            "sMOTSA": float(clear["sMOTA"]),
            "MOTSA": float(clear["MOTA"]),
            "IDSW": int(clear["IDSW"]),
        }


def together(classes: Iterable[Mapping[str, float]]) -> Figures:
    """Several classes as one: the mean of rates, the sum of counts."""
    rows = list(classes)
    rates = {name: float(np.mean([row[name] for row in rows])) for name in RATES}
    return rates | {name: sum(int(row[name]) for row in rows) for name in COUNTS}


@dataclass(frozen=True)
class _Row:
    truth: list[int]
    found: list[int]
    iou: NDArray[np.float64]


def _counted(moment: Moment, category: int) -> _Row:
    """What of one moment counts: ids of the truth (G,), of the tracks (N,), their IoU (G, N)."""
    truth = [one for one in moment.truth if one.category == category]
    found = [one for one in moment.found if one.category == category]
    iou = _overlap([one.mask for one in truth], [one.mask for one in found], crowd=False)
    kept = _matched(iou)
    masks = [one.mask for one in found]
    inside = _overlap(masks, moment.ignored, crowd=True).max(axis=1, initial=0.0)
    kept |= inside <= 0.5 + _EPSILON
    ids = [one.identity for one, counts in zip(found, kept, strict=True) if counts]
    return _Row([one.identity for one in truth], ids, iou[:, kept])


def _matched(iou: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the found (G, N) → (N,) are something true."""
    matchable = np.where(iou >= 0.5 - _EPSILON, iou, 0.0)
    rows, columns = linear_sum_assignment(matchable, maximize=True)
    matched = np.zeros(iou.shape[1], np.bool_)
    matched[columns[matchable[rows, columns] > 0]] = True
    return matched


def _overlap(first: Sequence[RLE], second: Sequence[RLE], crowd: bool) -> NDArray[np.float64]:
    """IoU (N, M); with ``crowd``, the part of each of the first that the second covers."""
    if not first or not second:
        return np.zeros((len(first), len(second)))
    iou = coco.iou(list(first), list(second), [int(crowd)] * len(second))
    return np.asarray(iou, np.float64)


def _problem(rows: Sequence[_Row]) -> dict[str, Any]:
    """As TrackEval's metrics take it: ids are numbered from 0."""
    truth_numbers: dict[int, int] = {}
    track_numbers: dict[int, int] = {}
    truths = [_renumbered(row.truth, truth_numbers) for row in rows]
    tracks = [_renumbered(row.found, track_numbers) for row in rows]
    return {
        "gt_ids": truths,
        "tracker_ids": tracks,
        "similarity_scores": [row.iou for row in rows],
        "num_gt_dets": sum(map(len, truths)),
        "num_tracker_dets": sum(map(len, tracks)),
        "num_gt_ids": len(truth_numbers),
        "num_tracker_ids": len(track_numbers),
        "num_timesteps": len(rows),
    }


def _renumbered(ids: Iterable[int], numbers: dict[int, int]) -> NDArray[np.int64]:
    return np.array([numbers.setdefault(i, len(numbers)) for i in ids], np.int64)
