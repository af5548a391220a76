"""The whole program on a synthetic scene: what it reports beside the truth, and how late."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from pipeline.config import load
from pipeline.errors import ConfigError, Mistake
from pipeline.frame import Frame
from pipeline.report import Report as RunReport
from pipeline.summary import ProgressLine
from stages.assembly import assemble
from stages.judging.mask_score import ClassScore, Finding, Scoring, Thing
from stages.judging.mots import Seen
from stages.judging.sequences import recorded
from stages.judging.track_score import RATES, Figures, Moment, TrackJudge
from stages.judging.tracked import tracked
from stages.learning.augment import LEAST_AREA_PX
from stages.learning.evaluate import open_segmenter
from stages.learning.moving import LABEL, Scene, Truth
from stages.program import ProgramSettings
from stages.sources.synthetic import scene_at
from stages.weights.bar import download_progress
from stages.weights.download import Report

from .report import percent, print_table

STREAM = "scene"


@dataclass(frozen=True)
class StreamScores:
    """What the program reported, frame by frame, against the truth; and how the run went."""

    masks: ClassScore
    tracks: Figures
    frames: int
    captured: int
    dropped: int
    age_p50_s: float
    age_p95_s: float
    frames_per_s: float

    def metrics(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        return (
            self.masks.figures()
            | {f"track.{name}": value for name, value in self.tracks.items()}
            | {
                "stream.frames": self.frames,
                "stream.captured": self.captured,
                "stream.dropped": self.dropped,
                "age.p50_ms": 1e3 * self.age_p50_s,
                "age.p95_ms": 1e3 * self.age_p95_s,
                "speed.frames_per_s": self.frames_per_s,
            }
        )


def score_stream(
    address: str, config: Path | None, overrides: Sequence[str], line: ProgressLine
) -> StreamScores:
    """Run the program on a scene to its end, as it would run on a video, and score its record.

    It publishes on a free port and records without pictures; other settings are as given.

    :raises StreamError: for an address, a setting or weights that are wrong, or a run that failed.
    """
    scene = _scene(address)
    with TemporaryDirectory(prefix="maskstream-") as folder:
        ours = [
            f"sources={json.dumps([f'{STREAM}={address}'])}",
            "record.enabled=true",
            f"record.directory={json.dumps(folder)}",
            "record.video=false",
            'publish.endpoint="tcp://127.0.0.1:*"',
        ]
        settings = load(ProgramSettings, config, [*overrides, *ours])
        with download_progress(Console(stderr=True)) as download:
            _check_classes(settings, scene, download)
            program = assemble(settings, download)
        report = program.supervisor.run(line)
        if report.errors:
            raise report.errors[0]
        return _scored(scene, list(recorded(Path(folder) / f"{STREAM}.jsonl")), report)


def print_stream(scene: str, scores: StreamScores) -> None:
    """Everything in one table."""
    rates = [(f"mask {name}", scores.masks.mask[name]) for name in ("AP", "AP50", "AP75")]
    rates += [(name, scores.tracks[name]) for name in RATES]
    rows = [(name, percent(value)) for name, value in rates]
    rows += [
        ("identity switches", str(int(scores.tracks["IDSW"]))),
        ("age of results, median", f"{1e3 * scores.age_p50_s:.0f} ms"),
        ("age of results, 95 %", f"{1e3 * scores.age_p95_s:.0f} ms"),
        ("frames reported", f"{scores.frames} of {scores.captured}, {scores.dropped} dropped"),
        ("frames/s", f"{scores.frames_per_s:.1f}"),
    ]
    print_table(f"the program on {scene}", ("figure", "value"), rows)


def _scene(address: str) -> Scene:
    if not address.startswith("synthetic:"):
        mistake = Mistake("SCENE", "synthetic:NAME, whose truth is known", address)
        raise ConfigError("evaluate stream", [mistake], "For videos: `evaluate tracks`.")
    return scene_at(address.removeprefix("synthetic:"))


def _check_classes(settings: ProgramSettings, scene: Scene, download: Report) -> None:
    weights = settings.segment.weights
    known = settings.segment.classes or open_segmenter(weights, report=download).classes
    labels = set(scene.render(0)[1].labels)
    if not labels <= set(known):
        mistake = Mistake("segment.weights", f"a network that knows {LABEL}", ", ".join(known[:8]))
        raise ConfigError("evaluate stream", [mistake], "Give weights such as solov2-nano.")


def _scored(scene: Scene, frames: Sequence[Frame], report: RunReport) -> StreamScores:
    scoring, moments = Scoring((LABEL,)), []
    for frame in frames:
        truth = scene.render(frame.seq)[1]
        scoring.add((scene.height, scene.width), _things(truth), _findings(frame))
        moments.append(_moment(truth, frame))
    judge = TrackJudge()
    counts = report.streams[STREAM]
    return StreamScores(
        masks=scoring.overall(),
        tracks=judge.combined([judge.raw(moments, 0)]),
        frames=len(frames),
        captured=counts.captured,
        dropped=sum(counts.dropped.values()),
        age_p50_s=report.ages.p50_s,
        age_p95_s=report.ages.p95_s,
        frames_per_s=len(frames) / max(report.wall_s, 1e-9),
    )


def _things(truth: Truth) -> list[Thing]:
    """What is to be found; slivers count neither as found nor as missed."""
    slivers = (truth.masks.areas < LEAST_AREA_PX).tolist()
    return [Thing(0, truth.masks.to_coco(row), sliver) for row, sliver in enumerate(slivers)]


def _rows(frame: Frame) -> list[int]:
    """The instances of a frame that are of the scene's class."""
    if frame.instances is None or frame.model is None:
        return []
    classes = frame.model.classes
    return [
        row for row, label in enumerate(frame.instances.classes.tolist()) if classes[label] == LABEL
    ]


def _findings(frame: Frame) -> list[Finding]:
    if frame.instances is None:
        return []
    found = frame.instances
    return [Finding(0, found.masks.to_coco(row), float(found.scores[row])) for row in _rows(frame)]


def _moment(truth: Truth, frame: Frame) -> Moment:
    things = _things(truth)
    seen = [
        Seen(int(identity), 0, thing.mask)
        for identity, thing in zip(truth.identities, things, strict=True)
        if not thing.is_crowd
    ]
    ignored = [thing.mask for thing in things if thing.is_crowd]
    if frame.instances is None:
        return Moment(seen, [], ignored)
    mine = frame.instances.select(_rows(frame))
    same = replace(mine, classes=np.zeros_like(mine.classes))
    return Moment(seen, tracked(same), ignored)
