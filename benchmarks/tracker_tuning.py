"""Are the tracker's defaults fitted to four sequences? Left-one-out, over random other settings.

    python benchmarks/tracker_tuning.py [--samples 24] [--backwards]

Draws settings around the defaults, all parameters at once, and scores each on every sequence of
the five sets. Then, sequence by sequence: the setting that is best on the three others, the
defaults, and the middle of all drawn ones, each on the sequence that was left out. Were the
defaults fitted to the four, a setting chosen without a sequence would do much worse on it.
With --backwards every sequence runs from its end to its beginning: as many pictures again that
nothing was chosen on. Prints JSON lines: HOTA in percent, mean over the five sets.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from benchmarks import tracking_score as scoring  # noqa: E402  (needs the path)
from stages.judging.detections import Detected  # noqa: E402
from stages.judging.track_score import TrackJudge  # noqa: E402
from stages.track import TrackConfig  # noqa: E402

TRACKING = ROOT.parent / "shared" / "media" / "tracking"
DRAWN = (
    *("high_score", "start_score", "confirm_score", "mask_iou", "low_mask_iou", "box_margin"),
    *("box_iou", "tentative_s", "lost_s", "position_noise", "velocity_noise"),
    *("acceleration_noise", "fade_s"),
)
SPREAD = 1.5
"""Each is drawn between the default ÷ and × this."""
Scores = dict[str, float]
"""HOTA of each sequence, mean over the sets."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Leave one sequence out")
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--backwards", action="store_true", help="run every sequence backwards")
    given = parser.parse_args()
    judge, truth = TrackJudge(), scoring.load_truth(TRACKING)
    sets = scoring.load_sets(TRACKING)
    if given.backwards:
        sets = {name: backwards(detected) for name, detected in sets.items()}
    rng = np.random.default_rng(0)
    default = scored(judge, truth, sets, TrackConfig())
    report({"setting": "default", **shown(default)})
    drawn = []
    for number in range(given.samples):
        config = draw(rng)
        drawn.append(scored(judge, truth, sets, config))
        report({"setting": number, **shown(drawn[-1]), "config": config.model_dump()})
    for left_out in truth:
        others = [sum(one[name] for name in truth if name != left_out) for one in drawn]
        report(
            {
                "left_out": left_out,
                "chosen_without_it": round(drawn[int(np.argmax(others))][left_out], 2),
                "default": round(default[left_out], 2),
                "median_drawn": round(float(np.median([one[left_out] for one in drawn])), 2),
                "best_drawn": round(max(one[left_out] for one in drawn), 2),
            }
        )


def backwards(detected: list[Detected]) -> list[Detected]:
    """Each sequence from its end to its beginning."""
    return [
        replace(one, time_s=-one.time_s)
        for _, sequence in itertools.groupby(detected, key=lambda one: one.sequence)
        for one in reversed(list(sequence))
    ]


def draw(rng: np.random.Generator) -> TrackConfig:
    """Some other setting."""
    defaults = TrackConfig()
    factors = SPREAD ** rng.uniform(-1, 1, len(DRAWN))
    return TrackConfig(
        **{n: round(getattr(defaults, n) * f, 3) for n, f in zip(DRAWN, factors, strict=True)}
    )


def scored(
    judge: TrackJudge, truth: scoring.Truth, sets: Mapping[str, list[Detected]], config: TrackConfig
) -> Scores:
    totals = dict.fromkeys(truth, 0.0)
    for detected in sets.values():
        raws = scoring.raws(judge, truth, scoring.ours(detected, config))
        for name in truth:
            totals[name] += 100 * scoring.figures(judge, raws, [name])["HOTA"] / len(sets)
    return totals


def shown(scores: Scores) -> Scores:
    return {name: round(value, 2) for name, value in scores.items()} | {
        "mean": round(sum(scores.values()) / len(scores), 2)
    }


def report(record: Mapping[str, object]) -> None:
    print(json.dumps({"benchmark": "tracker_tuning", **record}), flush=True)


if __name__ == "__main__":
    main()
