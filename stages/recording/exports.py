"""What a recording can also be written as: COCO results, and tracks as MOTS text."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from pipeline.frame import Frame, Instances, Model
from stages.judging.mots import Line
from stages.judging.tracked import FrameNumbers, InstanceIds, tracked

from .lines import LineWriter, failed

ExportName = Literal["coco", "mots"]


class Export(Protocol):
    """A file in somebody else's format. One thread."""

    path: Path

    def write(self, frame: Frame) -> None:
        """Add a frame; one that was not segmented adds nothing.

        :raises RecordError: when it cannot be written, or the format has no room for it.
        """
        ...

    def close(self) -> None:
        """Close the file.

        :raises RecordError: when the file system only now says that it failed.
        """
        ...


def export(name: ExportName, path: Path, numbers: Mapping[str, int]) -> Export:
    """The export of that name; ``numbers``: of the classes in MOTS text, by default from 1."""
    return CocoExport(path) if name == "coco" else MotsExport(path, numbers)


class CocoExport:
    """COCO results: a JSON array with an entry an instance, whole after every frame.

    ``image_id`` is the number of the frame, ``category_id`` COCO's own for its 80 classes, else
    the class's place, from 1.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = FrameNumbers()
        self._file: int | None = None
        self._end_bytes = 0  # where the closing bracket is

    def write(self, frame: Frame) -> None:
        """Put the entries of a frame in front of the array's end, in one piece."""
        number = self._numbers.of(frame.epoch, frame.seq)
        try:
            file = self._open()
            if frame.instances is not None and frame.model is not None and len(frame.instances):
                entries = _entries(number, frame.instances, frame.model)
                self._put(file, ",\n".join(json.dumps(e, separators=(",", ":")) for e in entries))
        except OSError as error:
            raise failed(self.path, "COCO results", error) from error

    def close(self) -> None:
        """Close the file; writing again goes on in it. Closing again does nothing."""
        file, self._file = self._file, None
        try:
            if file is not None:
                os.close(file)
        except OSError as error:
            raise failed(self.path, "COCO results", error) from error

    def _open(self) -> int:
        if self._file is None:
            # not for appending: that would write behind the bracket, wherever one seeks
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            if not self._end_bytes:
                os.pwrite(self._file, b"[\n]\n", 0)
                self._end_bytes = len(b"[\n")
        return self._file

    def _put(self, file: int, text: str) -> None:
        """``text`` and the bracket, over the bracket; without room the file stays as it was."""
        first = self._end_bytes == len(b"[\n")
        data = f"{'' if first else ','}{text}\n]\n".encode("ascii")
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(file, data[done:], self._end_bytes + done)
        except OSError:
            # Before the rest is cut off: afterwards there might be no room for it.
            os.pwrite(file, b"]\n", self._end_bytes)
            os.ftruncate(file, self._end_bytes + len(b"]\n"))
            raise
        self._end_bytes += len(data) - len(b"]\n")


class MotsExport:
    """MOTS text: a line a tracked instance, in frames that count from 0; no overlaps."""

    def __init__(self, path: Path, numbers: Mapping[str, int]) -> None:
        """``numbers``: of the classes by name, others are left out; empty: their place, from 1."""
        self.path = path
        self._categories = numbers
        self._numbers = FrameNumbers()
        self._ids = InstanceIds(path)
        self._lines: LineWriter | None = None

    def write(self, frame: Frame) -> None:
        """Add the lines of a frame, in one piece."""
        number = self._numbers.of(frame.epoch, frame.seq)
        self._lines = self._lines or LineWriter(self.path)
        if frame.instances is None or frame.model is None:
            return
        lines = []
        for one in tracked(frame.instances, self._numbered(frame.model.classes)):
            identity = self._ids.of(frame.epoch, one.category, one.identity)
            lines.append(str(Line(number, replace(one, identity=identity))))
        if lines:
            self._lines.write("\n".join(lines).encode("ascii"))

    def close(self) -> None:
        """Close the file; writing again goes on in it. Closing again does nothing."""
        lines, self._lines = self._lines, None
        if lines is not None:
            lines.close()

    def _numbered(self, classes: Sequence[str]) -> list[int]:
        if self._categories:
            return [self._categories.get(name, -1) for name in classes]
        return list(range(1, len(classes) + 1))


def _entries(number: int, instances: Instances, model: Model) -> list[dict[str, object]]:
    # The room of the networks brings torch, which is there when something is segmented
    from stages.networks.coco_classes import COCO_CATEGORY_IDS, COCO_CLASSES  # noqa: PLC0415

    published = model.classes == COCO_CLASSES
    entries = []
    for row, label in enumerate(instances.classes.tolist()):
        mask = instances.masks.to_coco(row)
        counts = mask["counts"]
        text = counts.decode("ascii") if isinstance(counts, bytes) else counts
        x0, y0, x1, y1 = (round(float(side), 2) for side in instances.boxes[row])
        entries.append(
            {
                "image_id": number,
                "category_id": COCO_CATEGORY_IDS[label] if published else label + 1,
                "score": round(float(instances.scores[row]), 4),
                "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
                "segmentation": {"size": mask["size"], "counts": text},
            }
        )
    return entries
