"""From recordings to a run that re-publishes them: no network, no torch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

from pipeline.clock import Clock, SystemClock
from pipeline.demand import Demand
from pipeline.errors import ConfigError, Mistake, UnsupportedMedia
from pipeline.metrics import Metrics
from pipeline.report import Failures
from pipeline.supervisor import Supervisor

from .program import Program, ProgramSettings, facts_from
from .publish import PublishStage
from .replay import Reel, Replay, ReplaySettings
from .replaying.lines import Recording
from .replaying.pace import Steps
from .replaying.pictures import Pictures, Video, parts_of

log = logging.getLogger("maskstream.replay")


@dataclass(frozen=True)
class Tape:
    """What to play: a ``.jsonl`` file and videos of it.

    ``video``: the annotated one; None: the one beside the lines, if there is one; "none": none.
    ``image``: the source's own, without anything drawn in it.
    """

    lines: Path
    video: Path | Literal["none"] | None = None
    image: Path | None = None


def tapes(files: Sequence[Path], videos: Sequence[str], images: Sequence[Path]) -> list[Tape]:
    """What the command line says: no videos and images, or one for each file, in order.

    :raises ConfigError: when there are more or fewer.
    """
    counts = {"--video": len(videos), "--image": len(images)}
    wrong = [
        Mistake(option, f"one for each of {len(files)} files, or none at all", str(count))
        for option, count in counts.items()
        if count not in (0, len(files))
    ]
    if wrong:
        raise ConfigError("play", wrong, "Give them in the order of the files")
    return [
        Tape(
            file,
            _video(videos[index]) if videos else None,
            images[index] if images else None,
        )
        for index, file in enumerate(files)
    ]


def _video(name: str) -> Path | Literal["none"]:
    return "none" if name == "none" else Path(name)


def assemble_playback(
    tapes: Sequence[Tape],
    settings: ProgramSettings,
    *,
    keys: int | None = None,
    clock: Clock | None = None,
) -> Program:
    """Open the recordings, check what can be checked, and bind.

    ``keys``: the file descriptor that asks for frames, when ``replay.step``.

    :raises StreamError: for whatever of it fails; nothing is left bound.
    """
    clock, demand = clock or SystemClock(), Demand()
    metrics = Metrics(clock, settings.publish.stalled_after_s)
    reels = [open_reel(tape) for tape in tapes]
    names = [reel.lines.stream for reel in reels]
    _check_names(names)
    steps = Steps(keys) if settings.replay.step and keys is not None else None
    sources = [
        Replay(reel, settings.replay, demand=demand, clock=clock, steps=steps) for reel in reels
    ]
    publish = PublishStage(
        settings.publish, demand=demand, clock=clock, streams=names, facts=facts_from(metrics)
    )
    metrics.watch_traffic(publish.traffic)
    supervisor = Supervisor(
        sources, [publish], settings.run, clock=clock, metrics=metrics, failures=Failures(clock)
    )
    if steps is not None:
        steps.start()
    return Program(settings, supervisor, metrics, _does(reels, settings), publish)


def open_reel(tape: Tape) -> Reel:
    """The files of one recording, opened and compared.

    :raises StreamError: when one cannot be read, or they do not belong together.
    """
    lines = Recording(tape.lines)
    shown = _shown(tape, lines)
    plain = Pictures([Video(tape.image)]) if tape.image else None
    for pictures in (shown, plain):
        if pictures and len(pictures) and lines.first.image:
            pictures.at(0, lines.first.image)  # raises for another size
    return Reel(lines, shown, plain)


def _shown(tape: Tape, lines: Recording) -> Pictures | None:
    if tape.video == "none":
        return None
    beside = tape.lines.with_suffix(".mp4")
    first = tape.video or (beside if beside.exists() else None)
    if first is None:
        return None
    pictures = Pictures([Video(part) for part in parts_of(first)])
    _check_length(first, pictures, lines)
    return pictures


def _check_length(first: Path, pictures: Pictures, lines: Recording) -> None:
    """A recording that was killed lacks its last second of video, and may lack its last line."""
    if len(pictures) > lines.lines + 1:
        raise UnsupportedMedia(
            where=str(first),
            wanted=f"a picture for each of the {lines.lines} lines of {lines.path}",
            got=f"{len(pictures)} pictures",
            remedy="Give the video that belongs to the recording, or --video none",
        )
    if len(pictures) < lines.lines:
        log.warning(
            "%s ends with the picture of line %d of %s; the other %d lines have none",
            first,
            len(pictures),
            lines.path,
            lines.lines - len(pictures),
        )


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        wrong = Mistake("FILE", "recordings of different streams", f"{', '.join(twice)} twice")
        none = Mistake("FILE", "at least one recording", "none")
        raise ConfigError("play", [wrong if twice else none], "Play them one after the other")


def _does(reels: Sequence[Reel], settings: ProgramSettings) -> str:
    frames = sum(reel.lines.lines for reel in reels)
    names = ", ".join(reel.lines.stream for reel in reels)
    return f"playing {frames} frames of {names}, {_how(settings.replay)}"


def _how(settings: ReplaySettings) -> str:
    if settings.step:
        return "one for each press of Enter"
    known = {1.0: "in their own time", inf: "as fast as possible"}
    return known.get(settings.speed, f"{settings.speed:g} times as fast")
