"""The lines of a recording as frames, and what the whole of them says.

A recording that was killed may end in the middle of a line: what is whole is played, and said.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import SourceUnavailable, UnsupportedVersion, WireError
from pipeline.frame import Frame, Image, Model
from pipeline.wire import decode_header
from pipeline.wire.decoding import LARGEST_HEADER_BYTES
from pipeline.wire.fields import Fields
from pipeline.wire.instances import LONGEST_SIDE_PX
from pipeline.wire.status import MOST_CLASSES

LABEL = re.compile(rb'"class":\s*(\d{1,6}),\s*"label":\s*("(?:[^"\\]|\\.)*")')
REMEDY = "Give a .jsonl file that run --record wrote"

log = logging.getLogger("maskstream.replay")


class Recording:
    """A file of ``meta`` headers of one stream, a line each, as ``record`` writes it. One thread.

    It is read through once for its ``first`` frame, the number of whole ``lines`` and the names of
    the classes that they mention; ``frames`` then checks line by line.

    :raises SourceUnavailable: when the file cannot be read.
    :raises WireError: when its first line is no such header.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._classes: tuple[str, ...] = ()
        labels: dict[int, str] = {}
        first: Frame | None = None
        for number, line, is_whole in self._read():
            if not is_whole and not self._is_header(line):
                log.warning("%s line %d: cut off; what is before it is played", path, number)
                continue
            first = first or self._decode(number, line)
            self.lines += 1
            _note_labels(line, labels)
        if first is None:
            raise self._wrong(1, "a recorded frame", "no whole line")
        self.first, self.stream = first, first.stream
        self._classes = tuple(labels.get(i, "") for i in range(max(labels, default=-1) + 1))

    def frames(self) -> Iterator[Frame]:
        """Every recorded frame. ``image`` has the picture's size and no pixels.

        :raises WireError: at the first line that is no header, or does not go on from the last.
        """
        last: tuple[int, int] = (0, -1)
        for count, (number, line, _) in enumerate(self._read()):
            if count == self.lines:  # the rest was cut off, or has been written since
                return
            frame = self._decode(number, line)
            if frame.stream != self.stream:
                raise self._wrong(number, f"the stream {self.stream!r}", repr(frame.stream))
            if (frame.epoch, frame.seq) <= last:
                got = f"epoch {frame.epoch} seq {frame.seq} after epoch {last[0]} seq {last[1]}"
                raise self._wrong(number, "frames in the order of their capture", got)
            last = (frame.epoch, frame.seq)
            yield frame

    def _read(self) -> Iterator[tuple[int, bytes, bool]]:
        """Number, content and wholeness of each line that is not empty."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(_pieces(file), 1):
                    if line.strip():
                        is_whole = line.endswith(b"\n") or len(line) > LARGEST_HEADER_BYTES
                        yield number, line.rstrip(b"\r\n"), is_whole
        except OSError as error:
            raise SourceUnavailable(
                where=str(self.path),
                wanted="a readable recording",
                got=error.strerror or str(error),
                remedy="Check the path and its permissions",
            ) from error

    def _decode(self, number: int, line: bytes) -> Frame:
        try:
            frame = decode_header(line).frame
            fields = Fields(json.loads(line), "header")
            if frame is None or fields.text("kind") != "meta":
                raise self._wrong(number, "a header of the kind meta", fields.text("kind"))
            image = _size(fields)
        except UnsupportedVersion as error:
            remedy = "Record it again, or play it with the version that wrote it"
            raise UnsupportedVersion(
                where=self._at(number), wanted=error.wanted, got=error.got, remedy=remedy
            ) from error
        except WireError as error:
            if error.remedy == REMEDY:
                raise
            got = f"{error.got} at {error.where}" if error.where != "header" else error.got
            raise self._wrong(number, error.wanted, got) from error
        model = frame.model and Model(frame.model.name, frame.model.weights, self._all(frame.model))
        return replace(frame, image=image, model=model)

    def _all(self, model: Model) -> tuple[str, ...]:
        """All class names that the recording knows; a line knows those that it mentions."""
        return max(self._classes, model.classes, key=len)

    def _is_header(self, line: bytes) -> bool:
        try:
            decode_header(line)
        except WireError:
            return False
        return True

    def _at(self, number: int) -> str:
        return f"{self.path} line {number}"

    def _wrong(self, number: int, wanted: str, got: str) -> WireError:
        return WireError(where=self._at(number), wanted=wanted, got=got, remedy=REMEDY)


def _note_labels(line: bytes, labels: dict[int, str]) -> None:
    for index, name in LABEL.findall(line):
        if int(index) < MOST_CLASSES and int(index) not in labels:
            with suppress(ValueError):  # the line is refused when its turn comes
                labels[int(index)] = str(json.loads(name))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Lines, none longer than a header may be, so that no file can ask for much memory."""
    while line := file.readline(LARGEST_HEADER_BYTES + 2):
        yield line


def _size(fields: Fields) -> Image | None:
    """The picture's size and the shape of its pixels, as an image without any."""
    if not fields.has("image"):
        return None
    image = fields.inner("image")
    width = image.integer("width", 1, LONGEST_SIDE_PX)
    height = image.integer("height", 1, LONGEST_SIDE_PX)
    if not image.has("sar"):
        return Image("jpeg", (), width, height)
    return Image("jpeg", (), width, height, sample_aspect=image.ratio("sar"))
