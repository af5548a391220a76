"""Where identities are lost: the switches of the tracker, sorted by cause.

    python benchmarks/identity_switches.py [easy normal hard low-fps dropped] [--list]

A switch is what CLEAR counts: something true is matched (mask IoU from .5) to another track than
the one it was matched to last. Prints a JSON line a set: how many of each cause.

back       a track that it had before: an earlier mistake is undone
merged     its detection covers two true things: nobody could tell
exchange   its old track is on another thing now, and the new one comes from another thing
takeover   the new track comes from another thing, which is not detected now; the old one waits
theft      its old track is on another thing now, the new one is its own
ended      the old track was over: the thing was unseen for longer than the tracker waits
gap        what came back after unseen frames was not taken for the track that waits
jump       detected in the frame before, too, but neither mask nor box met the prediction
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from benchmarks import tracking_score as scoring  # noqa: E402  (needs the path)
from pipeline.frame import Instances, TrackState  # noqa: E402
from pipeline.masks import Masks, pairwise_iou  # noqa: E402
from stages.judging.detections import Detected  # noqa: E402
from stages.judging.mots import IGNORED, Seen  # noqa: E402
from stages.track import MaskTracker  # noqa: E402

TRACKING = ROOT.parent / "shared" / "media" / "tracking"
MATCHED = 0.5
COVERED = 0.3
"""A detection that has this much of a second thing inside covers both."""


@dataclass
class History:
    """What is remembered of a sequence while it is walked through."""

    track_of: dict[int, int] = field(default_factory=dict)
    """Of each true thing, the track that it was last matched to."""
    thing_of: dict[int, int] = field(default_factory=dict)
    """Of each track, the true thing that it was last matched to."""
    had: dict[int, set[int]] = field(default_factory=dict)
    """Of each true thing, all tracks that it was ever matched to."""
    seen_s: dict[int, float] = field(default_factory=dict)
    """When each true thing was last matched."""
    detected: set[int] = field(default_factory=set)
    """The true things that were detected in the frame before."""
    over: set[int] = field(default_factory=set)


def main() -> None:
    parser = argparse.ArgumentParser(description="Identity switches by cause")
    parser.add_argument("sets", nargs="*", help="some of the five sets")
    parser.add_argument("--list", action="store_true", help="also a line a switch")
    given = parser.parse_args()
    truth = scoring.load_truth(TRACKING)
    for name, detected in scoring.load_sets(TRACKING).items():
        if given.sets and name not in given.sets:
            continue
        switches = list(walk(detected, truth))
        if given.list:
            for switch in switches:
                print(json.dumps({"set": name, **switch}))
        causes = Counter(str(switch["cause"]) for switch in switches)
        print(json.dumps({"set": name, "switches": len(switches), **dict(causes.most_common())}))


def walk(detected: list[Detected], truth: scoring.Truth) -> Iterator[dict[str, object]]:
    """Every switch of a set, in order, with its cause."""
    trackers: dict[str, MaskTracker] = {}
    histories: dict[str, History] = {}
    for one in detected:
        tracker = trackers.setdefault(one.sequence, MaskTracker())
        history = histories.setdefault(one.sequence, History())
        found = tracker.update(one.instances, one.time_s)
        history.over |= set(tracker.ended)
        things = [t for t in truth[one.sequence].get(one.frame, []) if t.category != IGNORED]
        yield from _frame(one, found, things, history)


def _frame(
    one: Detected, found: Instances, things: list[Seen], history: History
) -> Iterator[dict[str, object]]:
    matched = _matched(found, things)
    now = {track: thing for thing, (track, _) in matched.items()}
    for thing, (track, row) in matched.items():
        before = history.track_of.get(thing)
        if before is not None and before != track:
            cause = _cause(found, things, (thing, before, track, row), now, history)
            unseen_s = round(one.time_s - history.seen_s[thing], 2)
            where = {"seq": one.sequence, "frame": one.frame, "thing": thing}
            yield {**where, "from": before, "to": track, "unseen_s": unseen_s, "cause": cause}
    for thing, (track, _) in matched.items():
        history.track_of[thing], history.thing_of[track] = track, thing
        history.had.setdefault(thing, set()).add(track)
        history.seen_s[thing] = one.time_s
    history.detected = {int(identity) for identity in one.behind if identity > 0}


def _cause(
    found: Instances,
    things: list[Seen],
    switch: tuple[int, int, int, int],
    now: Mapping[int, int],
    history: History,
) -> str:
    thing, before, track, row = switch
    if track in history.had[thing]:
        return "back"
    if _covers_two(found, things, row):
        return "merged"
    foreign = history.thing_of.get(track, thing) != thing
    if now.get(before, thing) != thing:
        return "exchange" if foreign else "theft"
    if foreign:
        return "takeover"
    if before in history.over:
        return "ended"
    return "jump" if thing in history.detected else "gap"


def _matched(found: Instances, things: list[Seen]) -> dict[int, tuple[int, int]]:
    """Of each true thing that a track is on: that track, and the row of its instance."""
    rows = np.flatnonzero(found.states == TrackState.TRACKED)
    iou = pairwise_iou(_masks(found, things), found.masks.select(rows))
    categories = np.array([thing.category for thing in things])
    same = categories[:, None] == found.classes[rows][None]
    good: NDArray[np.floating] = np.where(same & (iou >= MATCHED), iou, 0.0)
    pairs = zip(*linear_sum_assignment(good, maximize=True), strict=True)
    return {
        things[i].identity: (int(found.track_ids[rows[j]]), int(rows[j]))
        for i, j in pairs
        if good[i, j] > 0
    }


def _covers_two(found: Instances, things: list[Seen], row: int) -> bool:
    mask = found.masks.dense(row)
    masks = _masks(found, things)
    inside = [
        (mask & masks.dense(n)).sum() / max(masks.dense(n).sum(), 1) for n in range(len(masks))
    ]
    return sum(bool(part > COVERED) for part in inside) > 1


def _masks(found: Instances, things: list[Seen]) -> Masks:
    return Masks.from_coco(found.masks.height, found.masks.width, [thing.mask for thing in things])


if __name__ == "__main__":
    main()
