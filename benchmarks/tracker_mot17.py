"""Our tracker on data that it was not made on: MOT17's boxes of people, 14 to 30 frames a second.

    python benchmarks/tracker_mot17.py

The boxes are those that a published tracker (MPNTrack, which sees the whole video before it
decides) reported, without its identities, as rectangular masks with one score for all. TrackEval's
own MOTChallenge evaluation scores both. Prints JSON lines, HOTA first.
"""

import io
import json
import sys
import tarfile
import tempfile
from configparser import ConfigParser
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]  # run as a script, from anywhere

from pipeline.frame import Instances, TrackState  # noqa: E402  (needs the path)
from pipeline.masks import Bits, Masks  # noqa: E402
from stages.track import MaskTracker  # noqa: E402

ARCHIVE = ROOT.parent / "shared" / "media" / "tracking" / "mot17_small.tar.xz"
TRUTH, TRACKERS = "data/gt/mot_challenge", "data/trackers/mot_challenge/MOT17"
PEER, OURS = "MPNTrack", "maskstream"
SCORE = 0.8


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
        root = Path(folder)
        ours = root / TRACKERS / OURS / "data"
        ours.mkdir(parents=True)
        names = []
        for file in sorted((root / TRACKERS / PEER / "data").glob("*.txt")):
            info = root / TRUTH / "MOT17" / file.stem / "seqinfo.ini"
            (ours / file.name).write_text(followed(file, info))
            names.append(file.stem)
        for tracker, sequences in evaluated(root, names).items():
            for name in (*names, "COMBINED_SEQ"):
                report(tracker, name, sequences[name]["pedestrian"])


def followed(file: Path, info: Path) -> str:
    """The boxes of ``file`` with identities of ours, as MOT text."""
    about = ConfigParser()
    about.read(info)
    sequence = about["Sequence"]
    width, height = int(sequence["imWidth"]), int(sequence["imHeight"])
    rate_hz = float(sequence["frameRate"])
    rows = np.loadtxt(file, delimiter=",", ndmin=2)
    tracker, lines = MaskTracker(), []
    for frame in range(1, int(sequence["seqLength"]) + 1):
        boxes = rows[rows[:, 0] == frame, 2:6]
        found = tracker.update(rectangles(boxes, width, height), frame / rate_hz)
        for row in np.flatnonzero(found.states == TrackState.TRACKED):
            x, y, w, h = boxes[row]
            lines.append(f"{frame},{found.track_ids[row]},{x},{y},{w},{h},1,-1,-1,-1\n")
    return "".join(lines)


def rectangles(boxes: Any, width: int, height: int) -> Instances:
    """Boxes x y w h as instances, cut at the picture's border."""
    limits = np.array([width, height, width, height])
    corners = np.rint(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1))
    inside = np.clip(corners, 0, limits).astype(int).tolist()
    crops: list[tuple[int, int, Bits]] = [
        (x0, y0, np.ones((y1 - y0, x1 - x0), np.bool_)) for x0, y0, x1, y1 in inside
    ]
    masks = Masks.from_crops(height, width, crops)
    scores = np.full(len(crops), SCORE, np.float32)
    return Instances.detected(masks, scores, np.zeros(len(crops), np.int32))


def evaluated(root: Path, names: list[str]) -> dict[str, Any]:
    """TrackEval's figures by tracker, sequence and class."""
    trackeval = import_module("trackeval")
    with redirect_stdout(io.StringIO()):
        data = trackeval.datasets.MotChallenge2DBox(
            {
                "GT_FOLDER": str(root / TRUTH / "MOT17"),
                "TRACKERS_FOLDER": str(root / TRACKERS),
                "OUTPUT_FOLDER": str(root / "out"),
                "TRACKERS_TO_EVAL": [PEER, OURS],
                "SEQ_INFO": dict.fromkeys(names),
                "SKIP_SPLIT_FOL": True,
            }
        )
        quiet = {"PRINT_RESULTS": False, "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False}
        evaluator = trackeval.Evaluator({**quiet, "PLOT_CURVES": False, "TIME_PROGRESS": False})
        metrics = trackeval.metrics
        judges = [metrics.HOTA(), metrics.CLEAR(), metrics.Identity()]
        results, _ = evaluator.evaluate([data], judges)
    found: dict[str, Any] = results["MotChallenge2DBox"]
    return found


def report(tracker: str, sequence: str, figures: Any) -> None:
    record = {
        "benchmark": "tracker_mot17",
        "tracker": tracker,
        "sequence": sequence,
        **{name: round(float(np.mean(figures["HOTA"][name])), 4) for name in ("HOTA", "AssA")},
        "IDF1": round(float(figures["Identity"]["IDF1"]), 4),
        "MOTA": round(float(figures["CLEAR"]["MOTA"]), 4),
        "IDSW": int(figures["CLEAR"]["IDSW"]),
    }
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
