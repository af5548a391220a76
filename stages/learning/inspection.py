"""Everything that is wrong with a COCO data set, found before it is learnt from."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from .coco import AnnotationRecord, CategoryRecord, ImageRecord, InstanceFile
from .segmentation import decode_segmentation
from .targets import mask_boxes

Numbered = TypeVar("Numbered", ImageRecord, CategoryRecord)

SHOWN = 3
"""Examples of each kind of mistake."""
BOX_SLACK_PX, BOX_SLACK = 3.0, 0.05
"""How far a side of a box may be off its mask: px, or a share of the box's side if that is more."""
OUTSIDE_PX = 2.0
"""Rounding takes polygons this far over the edge."""


@dataclass(frozen=True)
class Finding:
    """One kind of mistake: how often, and the first few of them."""

    kind: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.count} × {self.kind} ({', '.join(self.examples)}{more})"


@dataclass(frozen=True)
class Inspection:
    """What was found in one file, and what of the file is left without the mistakes."""

    path: Path
    findings: tuple[Finding, ...]
    sound: InstanceFile

    @property
    def mistakes(self) -> int:
        """All of them."""
        return sum(finding.count for finding in self.findings)


class _Notes:
    """Mistakes as they are met."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, example: str) -> None:
        self._counts[kind] += 1
        if len(self._examples[kind]) < SHOWN:
            self._examples[kind].append(example)

    def findings(self) -> tuple[Finding, ...]:
        return tuple(
            Finding(kind, count, tuple(self._examples[kind]))
            for kind, count in self._counts.items()
        )


def inspect(path: Path, folder: Path | None, content: InstanceFile) -> Inspection:
    """Look at every picture's header and every annotation's mask of what ``path`` holds.

    Without a ``folder`` the pictures are taken to be as the file says. Sound is what has no
    mistake: pictures that are there, annotations of such pictures.
    """
    notes = _Notes()
    categories = tuple(_unique(content.categories, "category id twice", notes))
    names = Counter(category.name for category in categories)
    for name in (name for name, count in names.items() if count > 1):
        notes.add("category name twice", repr(name))
    images = tuple(
        image
        for image in _unique(content.images, "picture id twice", notes)
        if folder is None or _picture_is_sound(image, folder, notes)
    )
    sizes = {image.id: (image.height, image.width) for image in images}
    known = {image.id for image in content.images}
    ids = {category.id for category in categories}
    sound = []
    for where, record in _unique_annotations(content.annotations, notes):
        if record.image_id not in known:
            notes.add("annotation of an unknown picture", f"{where}: picture {record.image_id}")
        elif record.category_id not in ids:
            notes.add("unknown category", f"{where}: category {record.category_id}")
        elif record.image_id in sizes and _is_sound(record, sizes[record.image_id], where, notes):
            sound.append(record)
    left = InstanceFile(images=images, annotations=tuple(sound), categories=categories)
    return Inspection(path, notes.findings(), left)


def _unique(records: Iterable[Numbered], kind: str, notes: _Notes) -> Iterator[Numbered]:
    seen: set[int] = set()
    for record in records:
        if record.id in seen:
            notes.add(kind, str(record.id))
        else:
            seen.add(record.id)
            yield record


def _unique_annotations(
    records: Iterable[AnnotationRecord], notes: _Notes
) -> Iterator[tuple[str, AnnotationRecord]]:
    """Each with its name for messages; those without a number are known by their position."""
    seen: set[int] = set()
    for position, record in enumerate(records):
        if record.id is None:
            yield f"annotations.{position}", record
        elif record.id in seen:
            notes.add("annotation id twice", str(record.id))
        else:
            seen.add(record.id)
            yield f"annotation {record.id}", record


def _picture_is_sound(image: ImageRecord, folder: Path, notes: _Notes) -> bool:
    path = folder / image.file_name
    try:
        with Image.open(path) as picture:  # reads the header only
            size = picture.size
    except FileNotFoundError:
        notes.add("missing picture", image.file_name)
        return False
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        notes.add("picture that cannot be read", image.file_name)
        return False
    if size != (image.width, image.height):
        said = f"{image.width}x{image.height}"
        notes.add("picture of another size", f"{image.file_name}: {size[0]}x{size[1]}, not {said}")
        return False
    return True


def _is_sound(record: AnnotationRecord, size: tuple[int, int], where: str, notes: _Notes) -> bool:
    try:
        mask = decode_segmentation(record.segmentation, size)
    except (ValueError, TypeError, KeyError) as error:
        notes.add("broken mask", f"{where}: {error}")
        return False
    if _reaches_outside(record, size):
        notes.add("mask outside the picture", where)
        return False
    if not mask.any():
        notes.add("empty mask", where)
        return False
    if record.bbox is not None and not record.iscrowd and not _fits(record.bbox, mask):
        notes.add("box that is not the mask's", f"{where}: box {list(record.bbox)}")
        return False
    return True


def _reaches_outside(record: AnnotationRecord, size: tuple[int, int]) -> bool:
    """Whether a polygon has a point beyond the picture; a run-length mask cannot."""
    if isinstance(record.segmentation, dict):
        return False
    points = np.concatenate(
        [np.reshape(polygon, (-1, 2)) for polygon in record.segmentation or [[]]]
    )
    limits = np.array([size[1], size[0]]) + OUTSIDE_PX
    return bool((points < -OUTSIDE_PX).any() or (points > limits).any())


def _fits(bbox: tuple[float, ...], mask: NDArray[np.uint8]) -> bool:
    x, y, width, height = bbox
    said = np.array([x, y, x + width, y + height])
    slack = np.maximum(BOX_SLACK_PX, BOX_SLACK * np.array([width, height, width, height]))
    return bool((np.abs(mask_boxes(mask[None])[0] - said) <= slack).all())
