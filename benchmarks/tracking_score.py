"""HOTA of the tracker on the shared detections without identities, scored by TrackEval's metric.

The four KITTI MOTS sequences behind them are the ground truth. As in TrackEval, instances that
match nothing and lie more than half in an ignored region do not count. Overlapping masks are kept,
where the MOTS format would cut them: that adds up to 0.4 to HOTA, also to the ceiling.
"""

import importlib
import itertools
import json
import lzma
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy.optimize import linear_sum_assignment

from pipeline.frame import Instances, TrackState
from pipeline.masks import RLE, Masks
from stages.track import MaskTracker, TrackConfig

CATEGORIES = (1, 2)  # car, pedestrian
IGNORED = 10
GROUND_TRUTH = "kitti_mots_oracle.tar.xz"


@dataclass(frozen=True, eq=False)
class Moment:
    """A frame of a sequence: detections (N), the truth (G), and how they overlap.

    ``behind`` (N,) is the identity behind a detection, 0 if none. ``truth_iou`` (N, G) ·
    ``ignored`` (N,) the part of each detection in a region that does not count.
    """

    sequence: str
    index: int
    time_s: float
    instances: Instances
    behind: NDArray[np.int64]
    truth_ids: NDArray[np.int64]
    truth_categories: NDArray[np.int64]
    truth_iou: NDArray[np.float64]
    ignored: NDArray[np.float64]


def load(tracking: Path) -> dict[str, list[Moment]]:
    """The five sets of the shared README by name, from the folder ``tracking``."""
    truth = _read_truth(tracking / GROUND_TRUTH)
    sets = {
        name: list(_read(tracking / "detections" / f"{name}.jsonl.xz", truth))
        for name in ("easy", "normal", "hard")
    }
    rng = np.random.default_rng(0)
    sets["low-fps"] = [m for m in sets["normal"] if m.index % 3 == 0]
    sets["dropped"] = [m for m in sets["normal"] if rng.random() >= 0.25]
    return sets


def track(moments: Sequence[Moment], config: TrackConfig) -> list[NDArray[np.int64]]:
    """The ids of the tracked instances of each moment; -1 for those not tracked."""
    ids = []
    for _, sequence in itertools.groupby(moments, key=lambda m: m.sequence):
        tracker = MaskTracker(config)
        for moment in sequence:
            got = tracker.update(moment.instances, moment.time_s)
            ids.append(np.where(got.states == TrackState.TRACKED, got.track_ids, -1))
    return ids


def ceiling(moments: Sequence[Moment]) -> list[NDArray[np.int64]]:
    """The ids that a tracker that makes no mistake would give."""
    return [np.where(m.behind > 0, m.behind, -1) for m in moments]


def score(moments: Sequence[Moment], ids: Sequence[NDArray[np.int64]]) -> dict[str, float]:
    """HOTA in percent (mean of car and pedestrian) and identity switches (their sum).

    :raises ImportError: without TrackEval.
    """
    metrics = importlib.import_module("trackeval.metrics")
    with redirect_stdout(StringIO()):  # it prints its configuration
        judges = metrics.HOTA(), metrics.CLEAR()
        hotas, switches = [], 0
        for category in CATEGORIES:
            hota, clear = (
                judge.combine_sequences(
                    {d["seq"]: judge.eval_sequence(d) for d in _problems(moments, ids, category)}
                )
                for judge in judges
            )
            hotas.append(100 * float(np.mean(hota["HOTA"])))
            switches += int(clear["IDSW"])
    return {"hota": round(float(np.mean(hotas)), 1), "id_switches": switches}


def _problems(
    moments: Sequence[Moment], ids: Sequence[NDArray[np.int64]], category: int
) -> Iterator[dict[str, Any]]:
    """One category of each sequence, as TrackEval's metrics take it."""
    together = zip(moments, ids, strict=True)
    for sequence, pairs in itertools.groupby(together, key=lambda pair: pair[0].sequence):
        truth_numbers: dict[int, int] = {}
        track_numbers: dict[int, int] = {}
        rows = [_counted(moment, given, category) for moment, given in pairs]
        truths = [_renumbered(truth, truth_numbers) for truth, _, _ in rows]
        tracks = [_renumbered(found, track_numbers) for _, found, _ in rows]
        yield {
            "seq": sequence,
            "gt_ids": truths,
            "tracker_ids": tracks,
            "similarity_scores": [iou for _, _, iou in rows],
            "num_gt_dets": sum(map(len, truths)),
            "num_tracker_dets": sum(map(len, tracks)),
            "num_gt_ids": len(truth_numbers),
            "num_tracker_ids": len(track_numbers),
            "num_timesteps": len(rows),
        }


def _counted(
    moment: Moment, ids: NDArray[np.int64], category: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """What of one moment counts: ids of the truth (G,), of the tracks (N,), their IoU (G, N)."""
    truth = np.flatnonzero(moment.truth_categories == category)
    found = np.flatnonzero((moment.instances.classes == category) & (ids > 0))
    iou = moment.truth_iou[np.ix_(found, truth)].T
    matchable = np.where(iou >= 0.5, iou, 0.0)
    rows, columns = linear_sum_assignment(matchable, maximize=True)
    counts = moment.ignored[found] <= 0.5
    counts[columns[matchable[rows, columns] > 0]] = True
    return moment.truth_ids[truth], ids[found[counts]], iou[:, counts]


def _renumbered(ids: NDArray[np.int64], numbers: dict[int, int]) -> NDArray[np.int64]:
    return np.array([numbers.setdefault(i, len(numbers)) for i in ids.tolist()], np.int64)


Truth = dict[tuple[str, int], list[tuple[int, int, RLE]]]


def _read_truth(archive: Path) -> Truth:
    """KITTI MOTS lines (frame id category height width counts) by sequence and frame."""
    truth: Truth = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if "/gt/label_02/" not in member.name or not member.isfile():
                continue
            lines = tar.extractfile(member)
            assert lines is not None
            for line in lines:
                frame, identity, category, h, w, counts = line.split()
                rle: RLE = {"size": [int(h), int(w)], "counts": counts}
                key = (Path(member.name).stem, int(frame))
                truth.setdefault(key, []).append((int(identity), int(category), rle))
    return truth


def _read(file: Path, truth: Truth) -> Iterator[Moment]:
    with lzma.open(file) as lines:
        for line in lines:
            yield _moment(json.loads(line), truth)


def _moment(record: dict[str, Any], truth: Truth) -> Moment:
    found, (height, width) = record["dets"], record["size"]
    rles = [RLE(size=record["size"], counts=d["rle"].encode()) for d in found]
    there = truth.get((record["seq"], record["frame"]), [])
    things = [thing for thing in there if thing[1] != IGNORED]
    ignored = [rle for _, category, rle in there if category == IGNORED]
    return Moment(
        sequence=record["seq"],
        index=record["frame"],
        time_s=record["time_s"],
        instances=Instances.detected(
            Masks.from_coco(height, width, rles),
            np.array([d["score"] for d in found], np.float32),
            np.array([d["class"] for d in found], np.int32),
        ),
        behind=np.array([d["gt"] for d in found], np.int64),
        truth_ids=np.array([thing[0] for thing in things], np.int64),
        truth_categories=np.array([thing[1] for thing in things], np.int64),
        truth_iou=_overlap(rles, [thing[2] for thing in things], crowd=False),
        ignored=_overlap(rles, ignored, crowd=True).max(axis=1, initial=0.0),
    )


def _overlap(found: list[RLE], things: list[RLE], crowd: bool) -> NDArray[np.float64]:
    """IoU (N, G); with ``crowd``, the part of each found mask that the thing covers."""
    if not found or not things:
        return np.zeros((len(found), len(things)))
    return np.asarray(coco.iou(found, things, [int(crowd)] * len(things)), np.float64)
