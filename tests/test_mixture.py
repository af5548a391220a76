"""The training mixture: the same batches for the same seed, in any order."""

from pathlib import Path

import numpy as np
import pytest

from stages.learning.augment import Canvas
from stages.learning.invented import InventedScenes, ThingCutouts
from stages.learning.mixture import CANVASES, CLASSES, Mixture, bundled_mixture
from stages.learning.paste import Paster
from stages.learning.sample import Sample

MEDIA = Path(__file__).parents[1].parent / "shared" / "media"


class Plain:
    """Samples of one brightness."""

    def __init__(self, level: int) -> None:
        self.level = level

    def draw(self, rng: np.random.Generator, canvas: Canvas) -> Sample:
        noise = rng.integers(0, 10)
        return Sample.of(np.full((*canvas, 3), self.level + noise, np.uint8))


def same(first: list[Sample], second: list[Sample]) -> bool:
    return all(
        np.array_equal(a.image, b.image) and np.array_equal(a.masks, b.masks)
        for a, b in zip(first, second, strict=True)
    )


def invented() -> InventedScenes:
    return InventedScenes([(1.0, Paster([(1.0, ThingCutouts(1))], turn_rad=2.0, shadow=0.5))])


def test_a_batch_is_a_function_of_seed_and_iteration() -> None:
    first = Mixture([(1, invented())], [(64, 96), (48, 48)], 3, seed=4)
    resumed = Mixture([(1, invented())], [(64, 96), (48, 48)], 3, seed=4)
    straight = [first.batch(iteration) for iteration in range(4)]
    assert same(resumed.batch(3), straight[3])
    assert same(resumed.batch(1), straight[1])
    assert not same(straight[0][:1], straight[0][1:2])
    other = Mixture([(1, invented())], [(64, 96)], 3, seed=5)
    assert not same(other.batch(0), Mixture([(1, invented())], [(64, 96)], 3, seed=4).batch(0))


def test_all_of_a_batch_have_one_canvas_and_all_canvases_come() -> None:
    mixture = Mixture([(1, Plain(9))], CANVASES, 2, seed=0)
    seen = set()
    for iteration in range(40):
        sizes = {sample.image.shape[:2] for sample in mixture.batch(iteration)}
        assert sizes == {mixture.canvas(iteration)}
        seen |= sizes
    assert seen == set(CANVASES)


def test_parts_come_by_their_weight() -> None:
    mixture = Mixture([(3, Plain(0)), (1, Plain(200))], [(8, 8)], 10, seed=1)
    levels = [sample.image.mean() for i in range(40) for sample in mixture.batch(i)]
    assert np.mean(np.array(levels) > 100) == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize(("parts", "canvases", "batch"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_impossible_mixture_is_refused(parts: int, canvases: int, batch: int) -> None:
    with pytest.raises(ValueError, match="needs parts, canvases and a batch"):
        Mixture([(1, Plain(0))] * parts, [(8, 8)] * canvases, batch, 0)


def test_invented_scenes_show_what_the_masks_say() -> None:
    for seed in range(10):
        sample = invented().draw(np.random.default_rng(seed), (96, 128))
        assert sample.image.shape == (96, 128, 3)
        assert set(sample.classes.tolist()) <= {1}
        assert sample.masks.sum(axis=0).max(initial=0) <= 1


def test_the_bundled_mixture_shows_both_classes() -> None:
    if not (MEDIA / "coco_mini").is_dir():
        pytest.skip("the training pictures of ../shared/media are not here")
    mixture = bundled_mixture(MEDIA, batch=6, seed=0)
    samples = [sample for iteration in range(3) for sample in mixture.batch(iteration)]
    labels = np.concatenate([sample.classes for sample in samples])
    assert set(labels.tolist()) == set(range(len(CLASSES)))
    assert all(sample.masks.any(axis=(1, 2)).all() for sample in samples)
    assert same(mixture.batch(2), samples[12:])
