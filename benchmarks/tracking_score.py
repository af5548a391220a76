"""The tracker on the shared detections without identities, scored as ``evaluate tracks`` scores.

The four KITTI MOTS sequences behind them are the ground truth. Pixels that several instances claim
are left to the surest, as the MOTS format demands.
"""

import itertools
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.frame import Instances, TrackState
from stages.evaluation.tracks import tracks_of
from stages.judging.detections import Detected, read_detections
from stages.judging.mots import KITTI_CLASSES
from stages.judging.sequences import Frames, moments_of, truth_of
from stages.judging.track_score import Figures, Raw, TrackJudge, together
from stages.judging.tracked import tracked
from stages.track import TrackConfig

GROUND_TRUTH = "kitti_mots_oracle.tar.xz"
ROOM = "kitti_mots_oracle/gt/label_02"

Truth = Mapping[str, Frames]
Raws = dict[int, dict[str, Raw]]
"""By class and sequence; any choice of sequences makes figures of them."""


def load_truth(tracking: Path) -> Truth:
    """The ground truth of the four sequences, from the folder ``tracking`` of the shared media."""
    with (
        tarfile.open(tracking / GROUND_TRUTH) as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        archive.extractall(folder, filter="data")
        return truth_of(Path(folder) / ROOM)


def load_sets(tracking: Path) -> dict[str, list[Detected]]:
    """The five sets of the shared README by name."""
    sets = {
        name: list(read_detections([tracking / "detections" / f"{name}.jsonl.xz"]))
        for name in ("easy", "normal", "hard")
    }
    rng = np.random.default_rng(0)
    sets["low-fps"] = [one for one in sets["normal"] if one.frame % 3 == 0]
    sets["dropped"] = [one for one in sets["normal"] if rng.random() >= 0.25]
    return sets


def ours(detected: Sequence[Detected], config: TrackConfig | None = None) -> dict[str, Frames]:
    """The tracks that our tracker makes of a set."""
    return tracks_of(detected, config or TrackConfig())


def ceiling(detected: Sequence[Detected]) -> dict[str, Frames]:
    """The tracks that a tracker that makes no mistake would make."""
    found: dict[str, Frames] = {}
    for name, sequence in itertools.groupby(detected, key=lambda one: one.sequence):
        found[name] = {one.frame: tracked(_known(one)) for one in sequence}
    return found


def raws(judge: TrackJudge, truth: Truth, found: Mapping[str, Frames]) -> Raws:
    """What TrackEval says of each class and sequence, on the frames of ``found``."""
    moments = {
        name: moments_of(name, truth[name], frames, frames) for name, frames in found.items()
    }
    return {
        category: {name: judge.raw(mine, category) for name, mine in moments.items()}
        for category in KITTI_CLASSES
    }


def figures(judge: TrackJudge, scored: Raws, sequences: Sequence[str] | None = None) -> Figures:
    """Car and pedestrian together, over ``sequences`` (repeats count), by default all."""
    return together(
        judge.combined(mine[name] for name in (sequences or mine)) for mine in scored.values()
    )


def _known(detected: Detected) -> Instances:
    identities = detected.behind
    states = np.where(identities > 0, TrackState.TRACKED, TrackState.UNTRACKED)
    return replace(detected.instances, track_ids=identities, states=states.astype(np.uint8))
