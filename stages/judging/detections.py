"""Masks without identities, as files of JSON lines: what a tracker is tried and tuned on.

A line a frame: ``seq``, ``frame``, ``time_s``, ``size`` [height, width] and ``dets``, each with
``rle`` (COCO's compressed counts), ``score``, ``class`` and perhaps ``gt``, who is behind it.
"""

import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SourceError
from pipeline.frame import Instances
from pipeline.masks import RLE, Masks, decode

from .mots import LARGEST_SIDE_PX, refused, unreadable

Side = Annotated[int, Field(gt=0, le=LARGEST_SIDE_PX)]


@dataclass(frozen=True, eq=False)
class Detected:
    """A frame of a sequence. ``behind`` (N,): the true identity, 0 for none; no tracker sees it."""

    sequence: str
    frame: int
    time_s: float
    instances: Instances
    behind: NDArray[np.int64]


class _Detection(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    rle: str
    score: float = Field(ge=0, le=1)
    category: int = Field(alias="class", ge=0)
    gt: int = 0


class _Record(BaseModel):
    seq: str
    frame: int = Field(ge=0)
    time_s: float = Field(allow_inf_nan=False)
    size: tuple[Side, Side]
    dets: list[_Detection]


def detection_files(place: Path) -> list[Path]:
    """The file ``place``, or the ``.jsonl`` and ``.jsonl.xz`` files of the folder.

    :raises SourceError: when there are none.
    """
    if place.is_file():
        return [place]
    files = sorted([*place.glob("*.jsonl"), *place.glob("*.jsonl.xz")])
    if not files:
        raise SourceError(
            where=str(place),
            wanted="a file of detections, or a folder of .jsonl or .jsonl.xz files",
            got="neither",
            remedy="Give the path of the detections.",
        )
    return files


def read_detections(files: Sequence[Path]) -> Iterator[Detected]:
    """The frames of all files, in their order; each sequence is in one file.

    :raises SourceError: naming file, line and what is wrong, or a sequence that comes twice.
    """
    owners: dict[str, Path] = {}
    latest: dict[str, float] = {}
    for path in files:
        for number, record in _records(path):
            owner = owners.setdefault(record.seq, path)
            if owner != path:
                raise refused(path, number, "each sequence in one file", f"{record.seq} again")
            if record.time_s <= latest.get(record.seq, -np.inf):
                raise refused(path, number, "times that grow", f"{record.time_s} s")
            latest[record.seq] = record.time_s
            yield _detected(path, number, record)


def _records(path: Path) -> Iterator[tuple[int, _Record]]:
    for number, line in enumerate(_lines(path), start=1):
        if line.strip():
            yield number, _record(path, number, line)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with (lzma.open if path.suffix == ".xz" else open)(path, "rb") as lines:
            yield from lines
    except OSError as error:
        raise unreadable(path, error) from error
    except (EOFError, lzma.LZMAError) as error:
        raise SourceError(
            where=str(path),
            wanted="a whole .xz file",
            got=str(error),
            remedy="Fetch or write it again.",
        ) from error


def _record(path: Path, number: int, line: bytes) -> _Record:
    try:
        return _Record.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the line"
        raise refused(path, number, "a frame of detections", f"{place}: {first['msg']}") from error


def _detected(path: Path, number: int, record: _Record) -> Detected:
    height, width = record.size
    rles = [RLE(size=[height, width], counts=one.rle) for one in record.dets]
    try:
        masks = Masks.from_crops(height, width, ((0, 0, decode(rle)) for rle in rles))
    except (ValueError, UnicodeEncodeError) as error:
        raise refused(path, number, f"masks of {height}x{width} px", str(error)) from error
    instances = Instances.detected(
        masks,
        np.array([one.score for one in record.dets], np.float32),
        np.array([one.category for one in record.dets], np.int32),
    )
    behind = np.array([one.gt for one in record.dets], np.int64)
    return Detected(record.seq, record.frame, record.time_s, instances, behind)
