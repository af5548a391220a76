"""COCO results that are written already, beside the truth that they belong to."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from pipeline.masks import encode
from stages.judging.mask_score import Finding, Scoring, Thing
from stages.judging.mots import unreadable
from stages.learning.coco import InstanceFile
from stages.learning.datasets import DataSet
from stages.learning.segmentation import decode_segmentation

from .labelled import mismatch, pictures_of


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
        raise mismatch(str(path), wanted, got, "Write the file again.") from error
    images = {image.id for image in content.images}
    categories = {category.id for category in content.categories}
    _refuse_unknown(path, "pictures", [one.image_id for one in found], images)
    _refuse_unknown(path, "categories", [one.category_id for one in found], categories)
    return found


def _refuse_unknown(path: Path, what: str, numbers: Iterable[int], known: set[int]) -> None:
    strange = sorted(set(numbers) - known)
    if strange:
        few = ", ".join(map(str, strange[:5])) + (", …" if len(strange) > 5 else "")
        raise mismatch(
            str(path),
            f"results of {what} that the data has",
            f"{len(strange)} unknown: {few}",
            "Give the results that belong to this data.",
        )


def beside_truth(data: DataSet, classes: Sequence[str], found: Sequence[ResultRecord]) -> Scoring:
    pictures = pictures_of(data, classes)
    names = {category.id: category.name for category in data.content.categories}
    labels = {number: classes.index(name) for number, name in names.items() if name in classes}
    mine: dict[int, list[ResultRecord]] = defaultdict(list)
    for one in found:
        if one.category_id in labels:
            mine[one.image_id].append(one)
    scoring = Scoring(classes)
    for index, image in enumerate(pictures.images):
        size = image.height, image.width
        truths = (
            Thing(one.label, encode(one.mask.view("bool")), one.is_crowd)
            for one in pictures.annotations(index)
        )
        scoring.add(size, truths, _findings(mine[image.id], size, labels))
    return scoring


def _findings(
    found: Iterable[ResultRecord], size: tuple[int, int], labels: Mapping[int, int]
) -> Iterator[Finding]:
    for one in found:
        try:
            mask = decode_segmentation(one.segmentation, size)
        except (ValueError, TypeError, KeyError) as error:
            raise mismatch(
                f"results of picture {one.image_id}",
                f"masks of {list(size)} px",
                str(error),
                "Give the results that belong to this data.",
            ) from error
        yield Finding(labels[one.category_id], encode(mask.view("bool")), one.score)
