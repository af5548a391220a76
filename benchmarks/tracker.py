"""How long the tracker takes, and how well it tracks.

    python benchmarks/tracker.py [--hota]

Prints JSON lines. HOTA needs TrackEval and the shared media.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.frame import Instances  # noqa: E402  (needs the path)
from pipeline.masks import Bits, Masks  # noqa: E402
from stages.judging.track_score import TrackJudge  # noqa: E402
from stages.track import MaskTracker, TrackConfig  # noqa: E402

TRACKING = ROOT.parent / "shared" / "media" / "tracking"
RATE_HZ = 25
WARM_UP = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description="Speed and accuracy of the tracker")
    arguments.add_argument("--hota", action="store_true", help="also score, a minute")
    hota = arguments.parse_args().hota
    for count in (10, 100):
        for width, height in ((768, 432), (1920, 1080)):
            report(speed(count, width, height))
    if hota:
        accuracy()


def report(record: dict[str, object]) -> None:
    print(json.dumps({"benchmark": "tracker", **record}), flush=True)


def speed(count: int, width: int, height: int, frames: int = 150) -> dict[str, object]:
    """CPU time of an update with ``count`` ellipses that move about and overlap."""
    tracker, took_ms = MaskTracker(TrackConfig()), []
    for step, instances in enumerate(scene(count, width, height, frames)):
        start_s = time.thread_time()
        tracker.update(instances, step / RATE_HZ)
        took_ms.append(1e3 * (time.thread_time() - start_s))
    steady = took_ms[WARM_UP:]
    return {
        "instances": count,
        "picture": [width, height],
        "cpu_ms_median": round(float(np.median(steady)), 3),
        "cpu_ms_min": round(min(steady), 3),
    }


def scene(count: int, width: int, height: int, frames: int) -> list[Instances]:
    rng = np.random.default_rng(0)
    limits = np.array([width, height])
    sizes = rng.uniform((0.03, 0.1), (0.1, 0.3), (count, 2)) * limits
    shapes = [ellipse(round(w), round(h)) for w, h in sizes]
    places = rng.uniform(0, 1, (count, 2)) * (limits - sizes - 1)
    speeds = rng.normal(0, 0.1, (count, 2)) * height / RATE_HZ
    scores = rng.uniform(0.4, 1.0, (frames, count)).astype(np.float32)
    instances = []
    for step in range(frames):
        places += speeds
        out = (places < 0) | (places > limits - sizes - 1)
        speeds[out] *= -1
        places = np.clip(places, 0, limits - sizes - 1)
        crops = [(int(x), int(y), bits) for (x, y), bits in zip(places, shapes, strict=True)]
        masks = Masks.from_crops(height, width, crops)
        instances.append(Instances.detected(masks, scores[step], np.zeros(count, np.int32)))
    return instances


def ellipse(width: int, height: int) -> Bits:
    y: NDArray[np.float64] = (np.arange(height) + 0.5) / height * 2 - 1
    x: NDArray[np.float64] = (np.arange(width) + 0.5) / width * 2 - 1
    bits: Bits = y[:, None] ** 2 + x[None] ** 2 <= 1
    return bits


def accuracy() -> None:
    if not TRACKING.is_dir():
        report({"hota": None, "why": f"there is no {TRACKING}"})
        return
    from benchmarks import tracking_score as scoring  # noqa: PLC0415  (needs what was checked)

    judge, truth = TrackJudge(), scoring.load_truth(TRACKING)
    for name, detected in scoring.load_sets(TRACKING).items():
        best = scoring.figures(judge, scoring.raws(judge, truth, scoring.ceiling(detected)))
        got = scoring.figures(judge, scoring.raws(judge, truth, scoring.ours(detected)))
        shown = {figure: round(value, 4) for figure, value in got.items()}
        report({"set": name, **shown, "HOTA_ceiling": round(best["HOTA"], 4)})


if __name__ == "__main__":
    main()
