"""Our tracker beside those of the package ``trackers``, each tuned on the very sequences.

    uv run --with trackers python benchmarks/tracker_peers.py [--samples 16] [--sets easy hard]

Ours has its defaults everywhere; a peer gets, for each set anew, the best of ``--samples`` random
choices of its parameters, a tracker a class, the true rate and, where that is better, the true
times. Prints JSON lines: figures, the parameters found, and how far ours is ahead in HOTA with an
interval (5 to 95 %) over all ways to draw four sequences out of the four, with repeats.
"""

import argparse
import importlib
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from benchmarks import tracking_score as scoring  # noqa: E402  (needs the path)
from pipeline.frame import Instances, TrackState  # noqa: E402
from stages.judging.detections import Detected  # noqa: E402
from stages.judging.mots import KITTI_CLASSES  # noqa: E402
from stages.judging.sequences import Frames  # noqa: E402
from stages.judging.track_score import TrackJudge  # noqa: E402
from stages.judging.tracked import tracked  # noqa: E402

TRACKING = ROOT.parent / "shared" / "media" / "tracking"
RATES_HZ = {"low-fps": 10 / 3}  # the others: 10
Parameters = dict[str, Any]


def uniform(low: float, high: float) -> Callable[[np.random.Generator], float]:
    return lambda rng: round(float(rng.uniform(low, high)), 3)


def whole(low: int, high: int) -> Callable[[np.random.Generator], int]:
    return lambda rng: int(rng.integers(low, high + 1))


EVERY = {
    "timestamps": whole(0, 1),
    "lost_track_buffer": whole(15, 120),
    "minimum_consecutive_frames": whole(1, 3),
}
ONE_ROUND = EVERY | {"minimum_iou_threshold": uniform(0.01, 0.35)}
STARTING = {"track_activation_threshold": uniform(0.2, 0.7)}
HIGH = {"high_conf_det_threshold": uniform(0.2, 0.6)}
PEERS: dict[str, Mapping[str, Callable[[np.random.Generator], float]]] = {
    "OCSORTTracker": ONE_ROUND
    | HIGH
    | {"direction_consistency_weight": uniform(0, 0.4), "delta_t": whole(1, 3)},
    "SORTTracker": ONE_ROUND | STARTING,
    "ByteTrackTracker": ONE_ROUND | STARTING | HIGH,
    "CBIoUTracker": EVERY
    | STARTING
    | HIGH
    | {
        "minimum_iou_threshold_first_assoc": uniform(0.01, 0.35),
        "minimum_iou_threshold_second_assoc": uniform(0.05, 0.5),
        "minimum_iou_threshold_unconfirmed_assoc": uniform(0.05, 0.4),
        "buffer_ratio_first": uniform(0.1, 0.6),
        "buffer_ratio_second": uniform(0.3, 0.9),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Our tracker beside its peers")
    parser.add_argument("--samples", type=int, default=16, help="choices tried a peer and set")
    parser.add_argument("--sets", nargs="*", help="some of the five sets")
    given = parser.parse_args()
    judge, truth = TrackJudge(), scoring.load_truth(TRACKING)
    for name, detected in scoring.load_sets(TRACKING).items():
        if not given.sets or name in given.sets:
            compare(judge, truth, name, detected, given.samples)


def compare(
    judge: TrackJudge, truth: scoring.Truth, name: str, detected: list[Detected], samples: int
) -> None:
    """One set: ours, then the best of each peer."""
    ours = scoring.raws(judge, truth, scoring.ours(detected))
    report({"set": name, "tracker": "maskstream", **shown(scoring.figures(judge, ours))})
    for peer, choices in PEERS.items():
        rng = np.random.default_rng(0)
        tried = []
        for _ in range(samples):
            parameters = {key: draw(rng) for key, draw in choices.items()}
            found = followed(peer, parameters, detected, RATES_HZ.get(name, 10.0))
            theirs = scoring.raws(judge, truth, found)
            tried.append((scoring.figures(judge, theirs)["HOTA"], parameters, theirs))
        _, parameters, theirs = max(tried, key=lambda one: one[0])
        ahead = sorted(leads(judge, ours, theirs, list(truth)))
        report(
            {
                "set": name,
                "tracker": peer,
                **shown(scoring.figures(judge, theirs)),
                "ours_ahead": [round(100 * q, 1) for q in np.quantile(ahead, [0.05, 0.5, 0.95])],
                "draws_ahead": round(float(np.mean(np.array(ahead) > 0)), 3),
                "parameters": parameters,
            }
        )


def leads(
    judge: TrackJudge, ours: scoring.Raws, theirs: scoring.Raws, sequences: Sequence[str]
) -> Iterator[float]:
    """How far ours is ahead in HOTA, for each way to draw as many sequences as there are."""
    for drawn in itertools.product(sequences, repeat=len(sequences)):
        first, second = (scoring.figures(judge, raws, drawn) for raws in (ours, theirs))
        yield first["HOTA"] - second["HOTA"]


def followed(
    peer: str, parameters: Parameters, detected: Sequence[Detected], rate_hz: float
) -> dict[str, Frames]:
    """What a peer makes of a set; it sees boxes, and keeps the masks."""
    given = {key: value for key, value in parameters.items() if key != "timestamps"}
    make = getattr(importlib.import_module("trackers"), peer)
    found: dict[str, Frames] = {}
    for name, sequence in itertools.groupby(detected, key=lambda one: one.sequence):
        each = {c: make(frame_rate=rate_hz, **given) for c in KITTI_CLASSES}
        found[name] = {
            one.frame: tracked(identified(each, one, times=bool(parameters["timestamps"])))
            for one in sequence
        }
    return found


def identified(trackers: Mapping[int, Any], detected: Detected, *, times: bool) -> Instances:
    """The instances of a frame with the identities that a tracker a class gives them."""
    supervision = importlib.import_module("supervision")
    instances = detected.instances
    ids = np.full(len(instances), -1, np.int64)
    for category, tracker in trackers.items():
        rows = np.flatnonzero(instances.classes == category)
        given = supervision.Detections(
            xyxy=instances.boxes[rows].reshape(-1, 4),
            confidence=instances.scores[rows],
            class_id=instances.classes[rows],
            data={"row": rows},
        )
        got = tracker.update(given, timestamp=detected.time_s if times else None)
        if len(got):
            known = np.asarray(got.tracker_id) >= 0
            ids[np.asarray(got.data["row"])[known]] = (
                np.asarray(got.tracker_id)[known] * 100 + category
            )
    states = np.where(ids >= 0, TrackState.TRACKED, TrackState.UNTRACKED).astype(np.uint8)
    return replace(instances, track_ids=ids, states=states)


def shown(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def report(record: dict[str, object]) -> None:
    print(json.dumps({"benchmark": "tracker_peers", **record}), flush=True)


if __name__ == "__main__":
    main()
