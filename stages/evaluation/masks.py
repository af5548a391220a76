"""Mask and box AP of networks, or of results that are written already, on labelled pictures."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pipeline.device import DeviceName, open_lane
from pipeline.errors import SourceError
from pipeline.masks import encode
from stages.judging.mask_score import Finding, Scoring, Thing
from stages.judging.mots import unreadable
from stages.learning.coco import CocoPictures, InstanceFile, decode_segmentation
from stages.learning.datasets import DataSet, open_set
from stages.learning.evaluate import Spent, coco_examples, judge, open_segmenter
from stages.networks.segmenter import Segmenter

from .judged import Judged
from .report import shown


def judge_networks(
    address: str,
    networks: Sequence[str],
    wanted: Sequence[str],
    *,
    device: DeviceName,
    size: tuple[int, int] | None,
    threads: int,
) -> tuple[DataSet, list[Judged]]:
    """Each of the networks on the pictures of ``FILE`` or ``FILE=FOLDER``, one after another.

    ``wanted``: the classes that count; by default those of the data that every network knows.

    :raises StreamError: for data, weights or classes that do not fit one another.
    """
    data = open_set(address)
    place = open_lane(device).device
    if threads:
        torch.set_num_threads(threads)
    segmenters = [open_segmenter(name, size=size, device=place) for name in networks]
    known = {name: each.classes for name, each in zip(networks, segmenters, strict=True)}
    classes = shared_classes(data, known, wanted)
    judged = []
    for name, segmenter in zip(networks, segmenters, strict=True):
        title = Path(name).stem if Path(name).exists() else name
        judged.append(_judged(title, segmenter, data, classes, place))
    return data, judged


def _judged(
    name: str, segmenter: Segmenter, data: DataSet, classes: Sequence[str], device: torch.device
) -> Judged:
    pictures, spent = CocoPictures(data.path, data.folder, classes, content=data.content), Spent()
    examples = shown(coco_examples(pictures), len(pictures), name)
    scoring = judge(segmenter, examples, classes=classes, device=device, spent=spent)
    return _scored(name, scoring, spent)


def judge_results(
    address: str, results: Sequence[Path], wanted: Sequence[str]
) -> tuple[DataSet, list[Judged]]:
    """Files of COCO results on the pictures that they are of.

    :raises SourceError: for files that cannot be used, or do not belong to the data.
    """
    data = open_set(address)
    classes = shared_classes(data, {}, wanted)
    return data, [
        _scored(path.stem, _beside_truth(data, classes, read_results(path, data.content)))
        for path in results
    ]


def shared_classes(
    data: DataSet, known: Mapping[str, Sequence[str]], wanted: Sequence[str]
) -> tuple[str, ...]:
    """The classes that count: ``wanted``, else those with instances that every network knows.

    :raises SourceError: when there are none, or the data or a network lacks one that is wanted.
    """
    counts = data.counts()
    named = [category.name for category in data.content.categories if counts[category.name]]
    if not named:
        raise _mismatch(str(data.path), "annotated instances", "none", "Give labelled pictures.")
    if missing := [name for name in wanted if name not in named]:
        raise _mismatch(
            str(data.path),
            f"instances of {', '.join(missing)}",
            f"only of {_listed(named)}",
            "Name classes that the data has, with --classes.",
        )
    for network, classes in known.items():
        if lacking := [name for name in wanted if name not in classes]:
            raise _mismatch(
                network,
                f"a network that knows {', '.join(lacking)}",
                f"one of {_listed(classes)}",
                "Name classes that it knows, or give other weights.",
            )
    common = [name for name in named if all(name in classes for classes in known.values())]
    if not common:
        networks = "; ".join(f"{name}: {_listed(classes)}" for name, classes in known.items())
        raise _mismatch(
            str(data.path),
            f"a class that the networks know ({networks})",
            _listed(named),
            "Give data and weights of the same class names.",
        )
    return tuple(wanted) or tuple(dict.fromkeys(common))


def _mismatch(where: str, wanted: str, got: str, remedy: str) -> SourceError:
    return SourceError(where=where, wanted=wanted, got=got, remedy=remedy)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _scored(name: str, scoring: Scoring, spent: Spent | None = None) -> Judged:
    scores = tuple(scoring.scores())
    curves = tuple(scoring.curves())
    if spent is None:
        return Judged(name, scoring.overall(), scores, curves)
    speed, parts = spent.frames_per_s(), spent.median_ms()
    return Judged(name, scoring.overall(), scores, curves, speed, parts)


class ResultRecord(BaseModel):
    """One entry of a file of COCO results."""

    image_id: int
    category_id: int
    segmentation: list[list[float]] | dict[str, Any]
    score: float = Field(allow_inf_nan=False)


def read_results(path: Path, content: InstanceFile) -> list[ResultRecord]:
    """The entries of a file of COCO results, all of pictures and categories of ``content``.

    :raises SourceError: naming what is wrong, with how many, and the first.
    """
    try:
        found = TypeAdapter(list[ResultRecord]).validate_python(json.loads(path.read_text()))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValidationError, ValueError) as error:
        first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        wanted = "COCO results: a list of image_id, category_id, segmentation, score"
        raise _mismatch(str(path), wanted, got, "Write the file again.") from error
    images = {image.id for image in content.images}
    categories = {category.id for category in content.categories}
    _refuse_unknown(path, "pictures", [one.image_id for one in found], images)
    _refuse_unknown(path, "categories", [one.category_id for one in found], categories)
    return found


def _refuse_unknown(path: Path, what: str, numbers: Iterable[int], known: set[int]) -> None:
    strange = sorted(set(numbers) - known)
    if strange:
        few = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
        raise _mismatch(
            str(path),
            f"results of {what} that the data has",
            f"{len(strange)} unknown: {few}",
            "Give the results that belong to this data.",
        )


def _beside_truth(data: DataSet, classes: Sequence[str], found: Sequence[ResultRecord]) -> Scoring:
    pictures = CocoPictures(data.path, data.folder, classes, content=data.content)
    names = {category.id: category.name for category in data.content.categories}
    labels = {number: classes.index(name) for number, name in names.items() if name in classes}
    scoring = Scoring(classes)
    for index, image in enumerate(pictures.images):
        size = image.height, image.width
        truths = (
            Thing(one.label, encode(one.mask.view("bool")), one.is_crowd)
            for one in pictures.annotations(index)
        )
        mine = (one for one in found if one.image_id == image.id and one.category_id in labels)
        scoring.add(size, truths, _findings(mine, size, labels))
    return scoring


def _findings(
    found: Iterable[ResultRecord], size: tuple[int, int], labels: Mapping[int, int]
) -> Iterator[Finding]:
    for one in found:
        try:
            mask = decode_segmentation(one.segmentation, size)
        except (ValueError, TypeError, KeyError) as error:
            raise _mismatch(
                f"results of picture {one.image_id}",
                f"masks of {list(size)} px",
                str(error),
                "Give the results that belong to this data.",
            ) from error
        yield Finding(labels[one.category_id], encode(mask.view("bool")), one.score)
