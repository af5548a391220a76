"""Data sets of users: where their pictures lie, what is wrong, which classes, what is held out."""

import difflib
import hashlib
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import SourceError, SourceUnavailable

from .coco import CocoPictures, InstanceFile, read_instances
from .inspection import Inspection, inspect

FOLDER_TRIES = 20
"""Pictures that are looked for to find out which folder they are in."""


@dataclass(frozen=True)
class DataSet:
    """A COCO instance file that was inspected, and the folder of its pictures."""

    path: Path
    folder: Path
    inspection: Inspection

    @property
    def content(self) -> InstanceFile:
        """What is sound of it."""
        return self.inspection.sound

    def counts(self) -> Counter[str]:
        """Instances (no crowds) of each class that has any."""
        names = {category.id: category.name for category in self.content.categories}
        single = (one for one in self.content.annotations if not one.iscrowd)
        return Counter(names[one.category_id] for one in single)


def open_set(address: str, *, unseen: bool = False) -> DataSet:
    """Read and inspect ``FILE`` or ``FILE=FOLDER``. ``unseen``: nobody will look at the pictures.

    :raises SourceError: the file is no COCO instance file, or the pictures are nowhere.
    """
    file, _, folder = address.partition("=")
    if Path(address).is_file():
        file, folder = address, ""
    path = Path(file)
    content = read_instances(path)
    if unseen:
        return DataSet(path, path.parent, inspect(path, None, content))
    place = Path(folder) if folder else _folder_of(path, content)
    return DataSet(path, place, inspect(path, place, content))


def _folder_of(path: Path, content: InstanceFile) -> Path:
    """Where most of the first pictures are, in the layouts of COCO and of labelling tools."""
    above = path.parent.parent
    places = [
        path.parent,
        path.parent / "images",
        above,
        above / "images",
        above / path.stem.removeprefix("instances_"),
        above / "images" / path.stem.removeprefix("instances_"),
    ]
    names = [image.file_name for image in content.images[:FOLDER_TRIES]]
    there = [sum((place / name).is_file() for name in names) for place in places]
    if names and not max(there):
        raise SourceUnavailable(
            where=str(path),
            wanted=f"its pictures, such as {names[0]}",
            got=f"none of the first {len(names)} in {', '.join(str(place) for place in places)}",
            remedy="Give their folder: FILE=FOLDER.",
        )
    return places[int(np.argmax(there))]


def refuse_mistakes(sets: Sequence[DataSet]) -> None:
    """Stop for what is wrong in any of the sets.

    :raises SourceError: with all of it, counted, with examples.
    """
    wrong = [one for one in sets if one.inspection.mistakes]
    if wrong:
        raise SourceError(
            where=", ".join(str(one.path) for one in wrong),
            wanted="data without mistakes",
            got="; ".join(
                f"in {one.path.name}: " + ", ".join(map(str, one.inspection.findings))
                for one in wrong
            ),
            remedy="Correct them, or leave them out with --set data.mistakes=drop.",
        )


def choose_classes(sets: Sequence[DataSet], wanted: Sequence[str]) -> tuple[str, ...]:
    """The classes to learn: those ``wanted``, else all with instances, in the files' order.

    :raises SourceError: a class that is wanted twice, or that no file has an instance of.
    """
    counts: Counter[str] = sum((one.counts() for one in sets), Counter())
    named = [category.name for one in sets for category in one.content.categories]
    found = tuple(name for name in dict.fromkeys(named) if counts[name])
    if not found:
        raise SourceError(
            where=", ".join(str(one.path) for one in sets),
            wanted="instances to learn from",
            got="none",
            remedy="Label some pictures, or give other files.",
        )
    missing = [name for name in wanted if name not in found]
    if missing or len(set(wanted)) < len(wanted):
        raise SourceError(
            where="data.classes",
            wanted=f"each once, of those with instances: {_listed(found)}",
            got=_listed(missing or wanted),
            remedy=_guess(missing, found),
        )
    return tuple(wanted) or found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _guess(missing: Sequence[str], found: Sequence[str]) -> str:
    near = [match for name in missing for match in difflib.get_close_matches(name, found, 1)]
    guess = f"Did you mean {', '.join(near)}? " if near else ""
    return f"{guess}Names count, with upper and lower case; numbers of categories don't."


def hold_out(
    data: DataSet, classes: Sequence[str], share: float, seed: int
) -> tuple[InstanceFile, InstanceFile]:
    """Two parts: to learn from, and ``share`` of the pictures with instances to measure on.

    What shows ``classes`` is parted, and of each of them a picture is left to learn from. The same
    file is always parted in the same way for the same seed and classes.
    """
    content = data.content
    shown = _shown(content, classes)
    left = Counter(label for labels in shown.values() for label in labels)
    rng = np.random.default_rng((seed, zlib.crc32(data.path.name.encode())))
    most, held = round(share * len(shown)), set[int]()
    for number in rng.permutation(sorted(shown)).tolist():
        if len(held) < most and all(left[label] > 1 for label in shown[number]):
            held.add(number)
            left.subtract(shown[number])
    learnt = frozenset(image.id for image in content.images) - held
    return _only(content, learnt), _only(content, frozenset(held))


def _shown(content: InstanceFile, classes: Sequence[str]) -> dict[int, set[int]]:
    """The categories of ``classes`` that a picture has an instance of, where it has any."""
    chosen = {category.id for category in content.categories if category.name in classes}
    shown: dict[int, set[int]] = defaultdict(set)
    for one in content.annotations:
        if one.category_id in chosen and not one.iscrowd:
            shown[one.image_id].add(one.category_id)
    return shown


def _only(content: InstanceFile, images: frozenset[int]) -> InstanceFile:
    return InstanceFile.model_construct(
        images=tuple(one for one in content.images if one.id in images),
        annotations=tuple(one for one in content.annotations if one.image_id in images),
        categories=content.categories,
    )


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a training learns from and what it is measured on.

    ``remarks`` are worth a line each; ``digest`` is that of the files that are learnt from.
    """

    classes: tuple[str, ...]
    training: tuple[CocoPictures, ...]
    validation: tuple[CocoPictures, ...]
    remarks: tuple[str, ...]
    digest: str


def prepare(
    training: Sequence[str],
    validation: str | None,
    wanted: Sequence[str],
    *,
    share: float,
    seed: int,
    drop_mistakes: bool,
) -> Prepared:
    """Open, inspect and part everything.

    :raises SourceError: naming all that is wrong with the data.
    """
    sets = [open_set(address) for address in training]
    judged = [open_set(validation)] if validation else []
    if not drop_mistakes:
        refuse_mistakes([*sets, *judged])
    classes = choose_classes(sets, wanted)
    parts = [(one.content, None) if judged else hold_out(one, classes, share, seed) for one in sets]
    learnt = tuple(
        _pictures(one, classes, part) for one, (part, _) in zip(sets, parts, strict=True)
    )
    if judged:
        held: tuple[CocoPictures, ...] = (_judged(judged[0], classes),)
    else:
        unique = {one.path: (one, part) for one, (_, part) in zip(sets, parts, strict=True)}
        held = tuple(
            _pictures(one, classes, part) for one, part in unique.values() if part and part.images
        )
    remarks = tuple(_remarks([*sets, *judged], classes))
    return Prepared(classes, learnt, held, remarks, _digest(sets))


def _digest(sets: Sequence[DataSet]) -> str:
    whole = hashlib.sha256()
    for one in sets:
        whole.update(hashlib.sha256(one.path.read_bytes()).digest())
    return whole.hexdigest()


def _pictures(data: DataSet, classes: Sequence[str], part: InstanceFile) -> CocoPictures:
    return CocoPictures(data.path, data.folder, classes, content=part)


def _judged(data: DataSet, classes: Sequence[str]) -> CocoPictures:
    counts = data.counts()
    if not any(counts[name] for name in classes):
        raise SourceError(
            where=str(data.path),
            wanted=f"instances of {_listed(classes)} to measure on",
            got=_listed(list(counts)) or "no annotations",
            remedy="Give another validation set, or none: then a part is held out.",
        )
    return _pictures(data, classes, data.content)


def _remarks(sets: Sequence[DataSet], classes: Sequence[str]) -> list[str]:
    remarks = []
    for one in sets:
        counts = one.counts()
        shown = ", ".join(f"{counts[name]} {name}" for name in classes[:8])
        remarks.append(f"{one.path}: {len(one.content.images)} pictures, {shown}")
        remarks += [f"left out of {one.path}: {found}" for found in one.inspection.findings]
        named = {category.name for category in one.content.categories}
        unknown = [name for name in classes if name not in named]
        if unknown:
            remarks.append(f"{one.path} has no category {_listed(unknown)}: not learnt from it")
        other = [name for name in counts if name not in classes]
        if other:
            remarks.append(f"{one.path}: background there: {_listed(other)}")
    return remarks
