"""Folders of tracked sequences, a file each: MOTS text, or our JSON lines. And their moments."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.errors import SourceError, WireError
from pipeline.frame import Frame
from pipeline.wire.decoding import decode_header

from .mots import IGNORED, Seen, check_apart, read, refused, unreadable
from .track_score import Moment
from .tracked import FrameNumbers, tracked

Frames = dict[int, list[Seen]]
"""What is seen in each frame, counted from 0."""
INNER = ("label_02", "instances_txt", "data")
"""Where data sets and trackers keep their text files, below the folder that one names."""


def truth_of(folder: Path) -> dict[str, Frames]:
    """The ground truth of each sequence: ``<sequence>.txt`` in the folder, or one level below.

    :raises SourceError: when there is none, or a line of it cannot be used.
    """
    for place in (folder, *(folder / name for name in INNER)):
        if files := sorted(place.glob("*.txt")):
            return {file.stem: read(file) for file in files}
    raise SourceError(
        where=str(folder),
        wanted="the ground truth as MOTS text, <sequence>.txt",
        got="no such files" if folder.is_dir() else "no such folder",
        remedy="Give the folder of the .txt files.",
    )


def results_of(
    folder: Path, sequences: Collection[str], names: Mapping[int, str]
) -> dict[str, Frames]:
    """The results of each sequence, ``<sequence>.txt`` or ``.jsonl``, likewise.

    ``names``: of the classes by number, for lines that know names only. Overlaps of JSON lines go
    to the surest, as the format demands; in text they are refused.

    :raises SourceError: for a sequence that is unknown or missing, or a line that cannot be used.
    """
    found = _result_files(folder)
    strange, missing = sorted(set(found) - set(sequences)), sorted(set(sequences) - set(found))
    if strange or missing:
        raise SourceError(
            where=str(folder),
            wanted=f"results of the sequences {', '.join(sequences)}",
            got=f"of {', '.join(strange)} too" if strange else f"none of {', '.join(missing)}",
            remedy="Give one file each, an empty one where nothing was found.",
        )
    labels: set[str] = set()
    results = {name: _results(file, names, labels) for name, file in found.items()}
    if labels and labels.isdisjoint(names.values()):
        raise SourceError(
            where=str(folder),
            wanted=f"one of the classes {', '.join(names.values())}",
            got=", ".join(sorted(labels)),
            remedy="Name the numbers of the ground truth, such as --classes car=1,person=2.",
        )
    return results


def _result_files(folder: Path) -> dict[str, Path]:
    for place in (folder, *(folder / name for name in INNER)):
        files = sorted([*place.glob("*.jsonl"), *place.glob("*.txt")])
        if files:
            return {file.stem: file for file in files}
    raise SourceError(
        where=str(folder),
        wanted="results as <sequence>.txt or <sequence>.jsonl",
        got="no such files" if folder.is_dir() else "no such folder",
        remedy="Give the folder that they are in.",
    )


def _results(file: Path, names: Mapping[int, str], labels: set[str]) -> Frames:
    if file.suffix == ".jsonl":
        return _json_lines(file, names, labels)
    frames = read(file)
    check_apart(file, frames)
    return frames


def _json_lines(file: Path, names: Mapping[int, str], labels: set[str]) -> Frames:
    """What a recording holds; ``labels`` is added to. Tracks of different epochs are different."""
    numbers, frames = FrameNumbers(), Frames()
    categories = {name: number for number, name in names.items()}
    identities: dict[tuple[int, int], int] = {}
    for frame in recorded(file):
        if frame.instances is None or frame.model is None:
            continue
        classes = frame.model.classes
        labels.update(classes[index] for index in frame.instances.classes.tolist())
        seen = tracked(frame.instances, [categories.get(name, -1) for name in classes])
        frames[numbers.of(frame.epoch, frame.seq)] = [
            replace(
                one,
                identity=identities.setdefault((frame.epoch, one.identity), len(identities)),
            )
            for one in seen
        ]
    return frames


def recorded(file: Path) -> Iterator[Frame]:
    """The frames of a recording, ``<stream>.jsonl``, without pictures.

    :raises SourceError: naming the file and the line that is none of a recording.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise unreadable(file, error) from error
    for number, line in enumerate(lines, start=1):
        try:
            frame = decode_header(line).frame
        except WireError as error:
            raise refused(file, number, error.wanted, f"{error.got} ({error.where})") from error
        if frame is not None:
            yield frame


def moments_of(where: str, truth: Frames, found: Frames, frames: Iterable[int]) -> list[Moment]:
    """Truth beside results in these frames.

    :raises SourceError: when a result is of another picture size than the truth.
    """
    moments = []
    for frame in frames:
        there, seen = truth.get(frame, []), found.get(frame, [])
        sizes = {tuple(one.mask["size"]) for one in (*there, *seen)}
        if len(sizes) > 1:
            raise SourceError(
                where=f"{where}: frame {frame}",
                wanted="results of the truth's picture size [height, width]",
                got=" and ".join(str(list(size)) for size in sorted(sizes)),
                remedy="Run on the pictures that the ground truth belongs to.",
            )
        things = [one for one in there if one.category != IGNORED]
        ignored = [one.mask for one in there if one.category == IGNORED]
        moments.append(Moment(things, seen, ignored))
    return moments
