"""The MOTS text format: a line an instance, ``frame id class height width counts``.

``id`` is class · 1000 + number of the instance, so a class has room for 1000 of them. Class 10 of
a ground truth is a region that does not count. The masks of a frame do not overlap.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pycocotools import mask as coco

from pipeline.errors import SourceError, SourceUnavailable
from pipeline.masks import RLE, run_lengths

INSTANCES_A_CLASS = 1000
IGNORED = 10
KITTI_CLASSES = {1: "car", 2: "pedestrian"}
MOST_DIGITS = 9
LARGEST_SIDE_PX = 2**15
"""pycocotools counts the pixels of a mask in 32 bits."""
FIELDS = ("frame", "id", "class", "height", "width")


def class_numbers(texts: Iterable[str]) -> dict[str, int]:
    """Numbers of classes by name, from ``car=1``, ``person=2``.

    :raises ValueError: for what is no such list, or a number that the format gives to something.
    """
    numbers: dict[str, int] = {}
    for text in texts:
        name, _, number = (part.strip() for part in text.partition("="))
        if not (name and number.isdigit()) or name in numbers:
            raise ValueError(f"each class once, such as car=1, got {text!r}")
        if int(number) in (0, IGNORED, *numbers.values()):
            raise ValueError(f"each number once, but neither 0 nor {IGNORED}, got {text!r}")
        numbers[name] = int(number)
    return numbers


@dataclass(frozen=True)
class Seen:
    """An instance in a frame: who it is, the number of its class, its mask."""

    identity: int
    category: int
    mask: RLE


@dataclass(frozen=True)
class Line:
    """A line of a file: ``seen`` in ``frame``, which counts from 0."""

    frame: int
    seen: Seen

    def __str__(self) -> str:
        height, width = self.seen.mask["size"]
        counts = self.seen.mask["counts"]
        text = counts.decode("ascii") if isinstance(counts, bytes) else counts
        who = f"{self.seen.identity} {self.seen.category}"
        return f"{self.frame} {who} {height} {width} {text}"


def read(path: Path) -> dict[int, list[Seen]]:
    """The instances of a file, by frame.

    :raises SourceError: naming the file, the line and what is wrong with it.
    """
    frames: dict[int, list[Seen]] = {}
    for number, line in _lines(path):
        there = frames.setdefault(line.frame, [])
        who = line.seen
        if who.category != IGNORED and any(one.identity == who.identity for one in there):
            raise refused(path, number, "each id once a frame", f"{who.identity} again")
        if there and there[0].mask["size"] != who.mask["size"]:
            raise refused(path, number, "one picture size a frame", str(who.mask["size"]))
        there.append(who)
    return frames


def check_apart(path: Path, frames: dict[int, list[Seen]]) -> None:
    """See that the masks of a frame do not overlap, as the format demands.

    :raises SourceError: naming the file, the frame and the two.
    """
    for frame, seen in frames.items():
        taken: RLE | None = None
        for one in seen:
            if taken is not None and coco.area(coco.merge([taken, one.mask], intersect=True)):
                raise SourceError(
                    where=f"{path}: frame {frame}",
                    wanted="masks that do not overlap",
                    got=f"instance {one.identity} over another",
                    remedy="Give each pixel to one instance, as the MOTS format demands.",
                )
            taken = one.mask if taken is None else coco.merge([taken, one.mask])


def refused(path: Path, number: int, wanted: str, got: str) -> SourceError:
    """The error of a line that cannot be used: which one, what was wanted, what is there."""
    return SourceError(
        where=f"{path}: line {number}",
        wanted=wanted,
        got=got,
        remedy="Correct the line, or write the file again.",
    )


def unreadable(path: Path, error: OSError) -> SourceError:
    """The error of a file that cannot be read."""
    return SourceUnavailable(
        where=str(path),
        wanted="a readable file",
        got=error.strerror or str(error),
        remedy="Give the path of a file that is there.",
    )


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _parsed(path, number, line)


def _parsed(path: Path, number: int, line: bytes) -> Line:
    parts = line.split()
    if len(parts) != 6:
        wanted = "six fields: frame id class height width counts"
        raise refused(path, number, wanted, f"{len(parts)}")
    values = []
    for name, part in zip(FIELDS, parts, strict=False):
        if not part.isdigit() or len(part) > MOST_DIGITS:
            wanted = f"a whole number as {name}"
            raise refused(path, number, wanted, repr(part[:40].decode(errors="replace")))
        values.append(int(part))
    frame, identity, category, height, width = values
    if not (0 < height <= LARGEST_SIDE_PX and 0 < width <= LARGEST_SIDE_PX):
        wanted = f"a height and a width of 1 to {LARGEST_SIDE_PX} px"
        raise refused(path, number, wanted, f"{height} and {width}")
    if not _fills(parts[5], height * width):
        raise refused(path, number, f"runs that fill {height}x{width} px", "others")
    return Line(frame, Seen(identity, category, RLE(size=[height, width], counts=parts[5])))


def _fills(counts: bytes, pixels: int) -> bool:
    """Whether ``counts`` are runs of a picture of so many px: pycocotools checks nothing."""
    if any(not 48 <= byte < 112 for byte in counts) or (counts[-1] - 48) & 0x20:
        return False
    runs = run_lengths(counts)
    return bool(runs.min() >= 0) and int(runs.sum()) == pixels
