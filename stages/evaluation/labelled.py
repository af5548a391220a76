"""Pictures whose truth is known, of a COCO file or a scene, and which classes count."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import SourceError
from stages.learning.coco import CocoPictures
from stages.learning.datasets import DataSet, open_set
from stages.learning.evaluate import Example, coco_examples, scene_examples
from stages.learning.moving import LABEL
from stages.learning.scenes import scene_of

SCENE = "synthetic:"
EVERY = 5
"""Of a scene, one frame in so many: its neighbours look the same."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """``count`` pictures; ``classes`` have instances there. ``remarks`` are worth a line each.

    ``examples``: the pictures one by one, their labels being indices of the classes it is given.
    """

    where: str
    name: str
    count: int
    classes: tuple[str, ...]
    remarks: tuple[str, ...]
    examples: Callable[[Sequence[str]], Iterable[Example]]


def labelled(address: str) -> Labelled:
    """The pictures of ``FILE``, ``FILE=FOLDER`` or ``synthetic:SCENE``.

    :raises StreamError: when there are none there.
    """
    if not address.startswith(SCENE):
        return labelled_set(open_set(address))
    scene = scene_of(address)
    count = len(range(0, scene.frames, EVERY))
    classes = (LABEL,) if scene.things else ()
    return Labelled(
        address,
        address,
        count,
        classes,
        (f"one frame in {EVERY} of the scene",),
        lambda chosen: scene_examples(scene, chosen, EVERY),
    )


def labelled_set(data: DataSet) -> Labelled:
    """The pictures of a data set, without what is wrong with it."""
    counts = data.counts()
    names = dict.fromkeys(category.name for category in data.content.categories)
    return Labelled(
        str(data.path),
        data.path.name,
        len(data.content.images),
        tuple(name for name in names if counts[name]),
        tuple(f"left out of {data.path}: {finding}" for finding in data.inspection.findings),
        lambda chosen: coco_examples(pictures_of(data, chosen)),
    )


def pictures_of(data: DataSet, classes: Sequence[str]) -> CocoPictures:
    """The pictures with what the file says of these classes."""
    return CocoPictures(data.path, data.folder, classes, content=data.content)


def shared_classes(
    data: Labelled, known: Mapping[str, Sequence[str]], wanted: Sequence[str]
) -> tuple[str, ...]:
    """The classes that count: ``wanted``, else those with instances that every network knows.

    :raises SourceError: when there are none, or the data or a network lacks one that is wanted.
    """
    named = data.classes
    if not named:
        raise mismatch(data.where, "annotated instances", "none", "Give labelled pictures.")
    if missing := [name for name in wanted if name not in named]:
        raise mismatch(
            data.where,
            f"instances of {', '.join(missing)}",
            f"only of {_listed(named)}",
            "Name classes that the data has, with --classes.",
        )
    for network, classes in known.items():
        if lacking := [name for name in wanted if name not in classes]:
            raise mismatch(
                network,
                f"a network that knows {', '.join(lacking)}",
                f"one of {_listed(classes)}",
                "Name classes that it knows, or give other weights.",
            )
    common = [name for name in named if all(name in classes for classes in known.values())]
    if not common:
        networks = "; ".join(f"{name}: {_listed(classes)}" for name, classes in known.items())
        raise mismatch(
            data.where,
            f"a class that the networks know ({networks})",
            _listed(named),
            "Give data and weights of the same class names.",
        )
    return tuple(wanted) or tuple(common)


def mismatch(where: str, wanted: str, got: str, remedy: str) -> SourceError:
    """The error of things that do not belong together."""
    return SourceError(where=where, wanted=wanted, got=got, remedy=remedy)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
