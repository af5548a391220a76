"""COCO instance files: pictures with masks of the classes that are asked for.

Masks may be polygons, compressed or uncompressed RLE. Crowd regions become the sample's
``ignore``; categories that are not asked for are background.
"""

import io
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SourceError, SourceUnavailable, UnsupportedMedia

from .sample import Picture, Sample
from .segmentation import decode_segmentation

Choice = Literal["all", "with", "without"]

REMEDY = "Correct the file or give another."
OUTLINES = "Outline the things in your labelling program: boxes alone teach no masks."


class ImageRecord(BaseModel):
    """One picture: ``file_name`` is relative to the picture folder, sizes in px."""

    model_config = ConfigDict(frozen=True)

    id: int
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class AnnotationRecord(BaseModel):
    """One instance, or (``iscrowd``) a region with many of them."""

    model_config = ConfigDict(frozen=True)

    image_id: int
    category_id: int
    segmentation: list[list[float]] | dict[str, Any]
    iscrowd: int = 0
    id: int | None = None
    bbox: tuple[float, float, float, float] | None = None
    """x, y, width, height, px; read only to be checked."""


class CategoryRecord(BaseModel):
    """A category's number and name in this file."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str


class InstanceFile(BaseModel):
    """The parts of a COCO instance file that we use."""

    model_config = ConfigDict(frozen=True)

    images: tuple[ImageRecord, ...]
    annotations: tuple[AnnotationRecord, ...]
    categories: tuple[CategoryRecord, ...]


@dataclass(frozen=True, eq=False)
class Annotation:
    """``label``: index into the class names; ``mask`` (H, W) uint8, 0 or 1."""

    label: int
    mask: NDArray[np.uint8]
    is_crowd: bool


_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
KEPT_BYTES = 2**29
"""Decoded pictures that one ``CocoPictures`` keeps in memory; later ones are read again."""


class CocoPictures:
    """The pictures of a COCO instance file as samples; the first decoded ones stay in memory.

    ``classes``: the network's class names, found in the file by name (a name that the file lacks
    simply has no instances there). ``choose``: all pictures, or only those with, or without, an
    instance (or crowd) of these classes. ``unlabelled``: classes that the file has no category for.
    ``content``: what the file holds, where it was read before. Use an object from one thread at a
    time.

    :raises SourceError: when the file is missing, is not a COCO instance file, or has none of the
        classes.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        classes: Sequence[str],
        *,
        choose: Choice = "all",
        content: InstanceFile | None = None,
    ) -> None:
        self.path, self.folder = path, folder
        content = content or read_instances(path)
        self._indices = _match(content, classes, path)
        found = set(self._indices.values())
        self.unlabelled = tuple(n for n in range(len(classes)) if n not in found)
        self._annotations: dict[int, list[AnnotationRecord]] = defaultdict(list)
        for record in content.annotations:
            if record.category_id in self._indices:
                self._annotations[record.image_id].append(record)
        self.images = tuple(image for image in content.images if self._is_chosen(image, choose))
        self._pictures: dict[int, Picture] = {}
        self._room_bytes = KEPT_BYTES

    def __len__(self) -> int:
        return len(self.images)

    def _is_chosen(self, image: ImageRecord, choose: Choice) -> bool:
        return choose == "all" or (choose == "with") == (image.id in self._annotations)

    def is_empty(self, index: int) -> bool:
        """Whether a picture has neither instance nor crowd of the classes."""
        return self.images[index].id not in self._annotations

    def labels(self, index: int) -> frozenset[int]:
        """The classes that a picture has an instance of; crowds do not count."""
        records = self._annotations.get(self.images[index].id, ())
        return frozenset(self._indices[one.category_id] for one in records if not one.iscrowd)

    def picture(self, index: int) -> Picture:
        """One picture, BGR uint8 (H, W, 3); not to be written to.

        :raises SourceError: when it is missing, broken or of another size than the file says.
        """
        if index in self._pictures:
            return self._pictures[index]
        picture = read_picture(self.folder, self.images[index])
        if self._room_bytes >= picture.nbytes:
            self._room_bytes -= picture.nbytes
            self._pictures[index] = picture
        return picture

    def annotations(self, index: int) -> list[Annotation]:
        """What the file says of one picture, instances and crowds of the classes, in its order.

        :raises SourceError: when a mask is broken or of another size than the picture.
        """
        image = self.images[index]
        records = self._annotations.get(image.id, ())
        return [
            Annotation(
                self._indices[record.category_id],
                self._decode(record, (image.height, image.width)),
                bool(record.iscrowd),
            )
            for record in records
        ]

    def sample(self, index: int) -> Sample:
        """One picture with its masks, at its own resolution; its image is not to be written to."""
        image = self.picture(index)
        size = image.shape[:2]
        ignore = np.zeros(size, np.bool_)
        found = [one for one in self.annotations(index) if one.mask.any()]
        for one in found:
            if one.is_crowd:
                ignore |= one.mask.view(np.bool_)
        single = [one for one in found if not one.is_crowd]
        masks = np.stack([one.mask for one in single]) if single else np.zeros((0, *size), np.uint8)
        labels = np.array([one.label for one in single], np.int64)
        name = str(self.folder / self.images[index].file_name)
        return Sample(image, masks, labels, ignore, self.unlabelled, name)

    def _decode(self, record: AnnotationRecord, size: tuple[int, int]) -> NDArray[np.uint8]:
        try:
            return decode_segmentation(record.segmentation, size)
        except (ValueError, TypeError, KeyError) as error:
            raise SourceError(
                where=f"{self.path}: picture {record.image_id}",
                wanted=f"polygons or an RLE for a picture of {list(size)} px",
                got=str(error),
                remedy="Correct or remove this annotation.",
            ) from error


def read_instances(path: Path) -> InstanceFile:
    """Read and check a COCO instance file.

    :raises SourceError: naming what is wrong with it.
    """
    try:
        return InstanceFile.model_validate(json.loads(path.read_text()))
    except OSError as error:
        raise SourceUnavailable(
            where=str(path),
            wanted="a COCO instance file",
            got=error.strerror or type(error).__name__,
            remedy="Give the path of the annotation file.",
        ) from error
    except ValidationError as error:
        first, *_ = mistakes = error.errors()
        got = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        boxes = any(one["type"] == "missing" and "segmentation" in one["loc"] for one in mistakes)
        remedy = OUTLINES if boxes else REMEDY
        raise _not_coco(path, f"{len(mistakes)} mistakes, first {got}", remedy) from error
    except ValueError as error:  # JSON and text decoding
        raise _not_coco(path, str(error)) from error


def read_picture(folder: Path, image: ImageRecord) -> Picture:
    """Decode a picture as it is stored, without turning it by its EXIF flag.

    :raises SourceError: when it is missing, broken or of another size than announced.
    """
    path = folder / image.file_name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceUnavailable(
            where=str(path),
            wanted="a picture named by the annotation file",
            got=error.strerror or type(error).__name__,
            remedy="Give the folder that the file names are relative to.",
        ) from error
    decoded = _decoded(data) if _is_whole(data) else None
    got = "bytes that cannot be decoded" if decoded is None else list(decoded.shape[:2])
    if decoded is None or got != [image.height, image.width]:
        raise UnsupportedMedia(
            where=str(path),
            wanted=f"a picture of [height, width] {[image.height, image.width]} px",
            got=str(got),
            remedy="Use the pictures that belong to this annotation file.",
        )
    return np.asarray(decoded, np.uint8)


def _decoded(data: bytes) -> NDArray[Any] | None:
    pixels = np.frombuffer(data, np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(pixels, flags) if len(pixels) else None


def _is_whole(data: bytes) -> bool:
    """Whether a JPEG has its end: OpenCV makes up what is missing. It refuses others itself."""
    if not data.startswith(_JPEG_START) or data.endswith(_JPEG_END):
        return True
    try:  # cameras put this and that behind the end
        with PIL.Image.open(io.BytesIO(data)) as picture:
            picture.load()
    except OSError:
        return False
    return True


def _match(content: InstanceFile, classes: Sequence[str], path: Path) -> dict[int, int]:
    indices = {c.id: classes.index(c.name) for c in content.categories if c.name in classes}
    if not indices:
        raise SourceError(
            where=str(path),
            wanted=f"one of the classes {', '.join(classes)}",
            got=", ".join(category.name for category in content.categories) or "no categories",
            remedy="Name classes that the file has.",
        )
    return indices


def _not_coco(path: Path, got: str, remedy: str = REMEDY) -> SourceError:
    return SourceError(
        where=str(path),
        wanted="a COCO instance file: images, annotations, categories",
        got=got,
        remedy=remedy,
    )
