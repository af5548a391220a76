"""Figures of tracks: what was tracked, or our tracker on detections, against a ground truth."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, Mistake, SourceError
from stages.judging.detections import Detected, detection_files, read_detections
from stages.judging.mots import IGNORED, KITTI_CLASSES, class_numbers
from stages.judging.sequences import Frames, moments_of, results_of, truth_of
from stages.judging.track_score import (
    COUNTS,
    FIGURES,
    RATES,
    Figures,
    Moment,
    Raw,
    TrackJudge,
    together,
)
from stages.judging.tracked import tracked
from stages.tracking.tracker import MaskTracker, TrackConfig

from .report import percent, print_table

Progress = Callable[[Iterable[str], int], Iterable[str]]
"""Shows how far one is with so many."""


@dataclass(frozen=True)
class TrackScores:
    """``overall``: all classes and sequences. ``classes`` and ``sequences`` by name."""

    overall: Figures
    classes: Mapping[str, Figures]
    sequences: Mapping[str, Figures]

    def metrics(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        parts = {"classes": self.classes, "sequences": self.sequences}
        return _keyed(self.overall) | {
            kind: {name: _keyed(figures) for name, figures in mine.items()}
            for kind, mine in parts.items()
        }


def _keyed(figures: Figures) -> dict[str, float]:
    return {f"track.{name}": value for name, value in figures.items()}


def print_tracks(scores: TrackScores) -> None:
    """A line a class and a sequence, and all together: the mean of rates, the sum of counts."""
    rows = {"all": scores.overall, **scores.classes, **scores.sequences}
    print_table(
        "tracks",
        ("class or sequence", *FIGURES),
        [
            [name, *(percent(mine[f]) for f in RATES), *(str(int(mine[f])) for f in COUNTS)]
            for name, mine in rows.items()
        ],
    )


def class_names(text: str | None) -> dict[int, str] | None:
    """``car=1,person=2`` as names by number; None for the classes that the truth has.

    :raises ConfigError: for what is no such list.
    """
    if text is None:
        return None
    try:
        return {number: name for name, number in class_numbers(text.split(",")).items()}
    except ValueError as error:
        mistake = Mistake("--classes", "names and numbers such as car=1,person=2", str(error))
        raise ConfigError("evaluate tracks", [mistake], "Correct the option.") from error


def score_results(
    truth_folder: Path, results: Path, names: dict[int, str] | None, progress: Progress
) -> TrackScores:
    """Score a folder of results: MOTS text or recordings.

    :raises SourceError: for files that cannot be used, or do not belong together.
    """
    truth = truth_of(truth_folder)
    names = _present(truth, names, truth_folder)
    found = results_of(results, truth, names)
    moments = {
        name: moments_of(name, truth[name], found[name], sorted({*truth[name], *found[name]}))
        for name in truth
    }
    return score(moments, names, progress)


def score_detections(
    truth_folder: Path,
    detections: Path,
    names: dict[int, str] | None,
    config: TrackConfig,
    progress: Progress,
) -> TrackScores:
    """Run our tracker on masks without identities, and score it on the frames that they are of.

    :raises SourceError: for files that cannot be used, or do not belong together.
    """
    truth = truth_of(truth_folder)
    names = _present(truth, names, truth_folder)
    found = tracks_of(read_detections(detection_files(detections)), config)
    if strange := sorted(set(found) - set(truth)):
        raise SourceError(
            where=str(detections),
            wanted=f"detections of the sequences {', '.join(truth)}",
            got=f"of {', '.join(strange)} too",
            remedy="Give the ground truth that they belong to.",
        )
    moments = {
        name: moments_of(name, truth[name], frames, frames) for name, frames in found.items()
    }
    return score(moments, names, progress)


def tracks_of(detections: Iterable[Detected], config: TrackConfig) -> dict[str, Frames]:
    """What our tracker makes of each sequence, as the MOTS format would hold it."""
    found: dict[str, Frames] = {}
    for name, sequence in itertools.groupby(detections, key=lambda one: one.sequence):
        tracker = MaskTracker(config)
        found[name] = {
            one.frame: tracked(tracker.update(one.instances, one.time_s)) for one in sequence
        }
    return found


def score(
    moments: Mapping[str, Sequence[Moment]], names: Mapping[int, str], progress: Progress
) -> TrackScores:
    """The figures of all sequences, each class alone, then together."""
    judge = TrackJudge()
    raws: dict[int, dict[str, Raw]] = {number: {} for number in names}
    for sequence in progress(moments, len(moments)):
        for number in names:
            raws[number][sequence] = judge.raw(moments[sequence], number)
    classes = {names[number]: judge.combined(mine.values()) for number, mine in raws.items()}
    sequences = {
        name: together(judge.combined([raws[number][name]]) for number in names) for name in moments
    }
    return TrackScores(together(classes.values()), classes, sequences)


def _present(
    truth: Mapping[str, Frames], names: dict[int, str] | None, folder: Path
) -> dict[int, str]:
    """The classes to score: those asked for, else those that the truth has."""
    numbers = {
        one.category for frames in truth.values() for seen in frames.values() for one in seen
    }
    numbers.discard(IGNORED)
    wanted = names or {n: KITTI_CLASSES.get(n, f"class {n}") for n in sorted(numbers)}
    if missing := [f"{name}={n}" for n, name in wanted.items() if n not in numbers]:
        raise SourceError(
            where=str(folder),
            wanted=f"annotations of {', '.join(missing)}",
            got=f"the classes {', '.join(map(str, sorted(numbers))) or 'none'}",
            remedy="Name classes that the ground truth has, with --classes.",
        )
    if not wanted:
        raise SourceError(
            where=str(folder),
            wanted="annotations",
            got="none",
            remedy="Give a ground truth with something in it.",
        )
    return wanted
