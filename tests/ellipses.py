"""Instances for the tests of tracking: ellipses of 40x60 px at given places."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Instances
from pipeline.masks import Masks

HEIGHT, WIDTH = 200, 400


def ellipse(width: int = 40, height: int = 60) -> NDArray[np.bool_]:
    y, x = np.mgrid[:height, :width]
    bits: NDArray[np.bool_] = (
        ((x - width / 2 + 0.5) / width * 2) ** 2 + ((y - height / 2 + 0.5) / height * 2) ** 2
    ) <= 1
    return bits


Thing = tuple[float, float] | tuple[float, float, float] | tuple[float, float, float, int]


def seen(things: Sequence[Thing]) -> Instances:
    """Ellipses at (x, y[, score[, class]]), upper left corners; cut at the picture's border."""
    crops, scores, classes = [], [], []
    for x, y, *rest in things:
        mask = np.zeros((HEIGHT + 200, WIDTH + 200), np.bool_)
        i, j = round(y) + 100, round(x) + 100
        mask[i : i + 60, j : j + 40] = ellipse()
        crops.append((0, 0, mask[100:-100, 100:-100]))
        scores.append(rest[0] if rest else 0.9)
        classes.append(rest[1] if len(rest) > 1 else 0)
    return Instances.detected(
        Masks.from_crops(HEIGHT, WIDTH, crops),
        np.array(scores, np.float32),
        np.array(classes, np.int32),
    )


def ids(instances: Instances) -> list[int]:
    return [int(track) for track in instances.track_ids]
