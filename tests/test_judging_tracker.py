"""The tracker's figures on the shared detections, with one set of defaults, do not sink."""

from pathlib import Path

import pytest

from benchmarks import tracking_score as scoring
from stages.judging.track_score import TrackJudge

TRACKING = Path(__file__).parents[2] / "shared" / "media" / "tracking"
FLOORS = {"hard": (0.390, 150), "low-fps": (0.509, 140)}
"""HOTA at least, and identity switches fewer than those of the best tuned peer."""


@pytest.mark.skipif(not TRACKING.is_dir(), reason=f"there is no {TRACKING}: it is not in the code")
def test_the_tracker_stays_ahead() -> None:
    judge, truth = TrackJudge(), scoring.load_truth(TRACKING)
    sets = scoring.load_sets(TRACKING)
    for name, (hota, switches) in FLOORS.items():
        got = scoring.figures(judge, scoring.raws(judge, truth, scoring.ours(sets[name])))
        assert got["HOTA"] >= hota, name
        assert got["IDSW"] < switches, name
