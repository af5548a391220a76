"""Tracked instances as the MOTS format holds them: frames and ids by number, no overlaps."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RecordError
from pipeline.frame import Instances, TrackState
from pipeline.masks import Masks

from .mots import INSTANCES_A_CLASS, Seen


class FrameNumbers:
    """Numbers of frames that go on from one epoch to the next; in the first one, they are seq."""

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._first = self._next = 0

    def of(self, epoch: int, seq: int) -> int:
        """The number of a frame; frames come in order."""
        if epoch != self._epoch:
            self._epoch, self._first = epoch, self._next
        self._next = self._first + seq + 1
        return self._first + seq


class InstanceIds:
    """Ids of the format, class · 1000 + instance, for tracks in the order of their coming."""

    def __init__(self, path: Path) -> None:
        """``path``: the file that they are for."""
        self._path = path
        self._ids: dict[tuple[int, int, int], int] = {}
        self._count: Counter[int] = Counter()

    def of(self, epoch: int, category: int, track: int) -> int:
        """The id of a track; tracks of different epochs are different.

        :raises RecordError: for the first one of a class that there is no room for.
        """
        key = (epoch, category, track)
        if key not in self._ids:
            number = self._count[category]
            if number >= INSTANCES_A_CLASS:
                raise RecordError(
                    where=str(self._path),
                    wanted=f"at most {INSTANCES_A_CLASS} tracks of a class, the room of MOTS ids",
                    got=f"one more of class {category}",
                    remedy="It ends here; the JSON lines go on. Record shorter pieces",
                )
            self._count[category] += 1
            self._ids[key] = category * INSTANCES_A_CLASS + number
        return self._ids[key]


def tracked(instances: Instances, categories: Sequence[int] | None = None) -> list[Seen]:
    """The tracked instances, each pixel left to the surest, and nobody without pixels.

    ``categories``: the number of each class, -1 for one that does not count; by default its index.
    """
    kept = [
        row
        for row, category in enumerate(instances.classes.tolist())
        if instances.states[row] == TrackState.TRACKED
        and (categories is None or categories[category] >= 0)
    ]
    chosen = instances.select(kept)
    masks = parted(chosen.masks, chosen.scores)
    return [
        Seen(
            int(chosen.track_ids[row]),
            category if categories is None else categories[category],
            masks.to_coco(row),
        )
        for row, category in enumerate(chosen.classes.tolist())
        if masks.crops[row].size
    ]


def parted(masks: Masks, scores: NDArray[np.float32]) -> Masks:
    """The same masks, each pixel left to the surest only; a mask may end up empty."""
    owner = np.full((masks.height, masks.width), -1, np.int32)
    windows = [
        owner[y : y + crop.shape[0], x : x + crop.shape[1]]
        for (x, y), crop in zip(masks.origins.tolist(), masks.crops, strict=True)
    ]
    for row in np.argsort(scores, kind="stable"):
        windows[row][masks.crops[row]] = row
    crops = [
        (x, y, window == row)
        for row, ((x, y), window) in enumerate(zip(masks.origins.tolist(), windows, strict=True))
    ]
    return Masks.from_crops(masks.height, masks.width, crops)
