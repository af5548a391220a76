"""Data of users: everything wrong is told together, classes and held-out pictures are chosen."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import SourceError
from stages.learning.augment import LEAST_AREA_PX
from stages.learning.datasets import open_set, prepare
from stages.learning.order import PictureOrder
from stages.learning.pictures import LabelledPictures
from stages.learning.targets import picture_targets
from stages.learning.training.settings import AugmentSettings
from stages.learning.views import Views
from stages.networks.solov2.nano import NANO
from tests.labelled import CLASSES, SIZE, content, labelled, write

Edit = tuple[tuple[str | int, ...], object]
"""Where in a COCO document, and what is put there."""

GONE: Edit = ("images", 0, "file_name"), "gone.png"
EMPTY: Edit = ("annotations", 11, "segmentation"), []
CATEGORY: Edit = ("annotations", 7, "category_id"), 77
BOX: Edit = ("annotations", 8, "bbox"), [1.0, 1.0, 10.0, 90.0]
OUTSIDE = [[5.0, 5.0, 140.0, 5.0, 30.0, 40.0]]
MISTAKES: list[tuple[Edit, str]] = [
    (GONE, "missing picture (gone.png)"),
    ((("images", 2, "width"), 98), "picture of another size (3.png: 96x80, not 98x80)"),
    ((("images", 4, "id"), 4), "picture id twice (4)"),
    ((("annotations", 9, "id"), 9), "annotation id twice (9)"),
    ((("categories", 1, "id"), 1), "category id twice (1)"),
    ((("categories", 1, "name"), "square"), "category name twice ('square')"),
    (CATEGORY, "unknown category (annotation 8: category 77)"),
    (
        (("annotations", 8, "image_id"), 99),
        "annotation of an unknown picture (annotation 9: picture 99)",
    ),
    ((("annotations", 10, "segmentation"), OUTSIDE), "mask outside the picture (annotation 11)"),
    (EMPTY, "empty mask (annotation 12)"),
    (BOX, "box that is not the mask's (annotation 9: box [1.0, 1.0, 10.0, 90.0])"),
    (
        (("annotations", 8, "segmentation"), [[1.0, 2.0, 3.0]]),
        "broken mask (annotation 9: a polygon that is not three or more points x, y)",
    ),
]


def spoilt(folder: Path, *edits: Edit) -> Path:
    labelled(folder)
    document, _ = content()
    for (*path, last), value in edits:
        place: Any = document
        for part in path:
            place = place[part]
        place[last] = value
    return write(folder, document)


@pytest.mark.parametrize(("edit", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_every_mistake_has_a_name_and_an_example(tmp_path: Path, edit: Edit, said: str) -> None:
    findings = open_set(str(spoilt(tmp_path, edit))).inspection.findings
    assert f"1 × {said}" in map(str, findings)


def test_a_picture_without_a_header_is_a_mistake_too(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    (tmp_path / "2.png").write_bytes(b"no picture")
    (finding,) = open_set(str(path)).inspection.findings
    assert str(finding) == "1 × picture that cannot be read (2.png)"


def test_all_mistakes_of_all_files_are_told_together(tmp_path: Path) -> None:
    first = spoilt(tmp_path / "one", GONE, EMPTY, BOX)
    second = spoilt(tmp_path / "two", CATEGORY)
    with pytest.raises(SourceError) as told:
        prepare([str(first), str(second)], None, (), share=0, seed=0, drop_mistakes=False)
    for said in ("1 × missing picture", "1 × empty mask", "1 × box that", "1 × unknown category"):
        assert said in str(told.value)
    assert "data.mistakes=drop" in str(told.value)


def test_what_is_wrong_can_be_left_out(tmp_path: Path) -> None:
    path = spoilt(tmp_path, GONE, EMPTY, CATEGORY)
    data = prepare([str(path)], None, (), share=0, seed=0, drop_mistakes=True)
    pictures = data.training[0]
    assert len(pictures) == 5
    assert sum(len(pictures.annotations(index)) for index in range(5)) == 8
    assert any("empty mask" in remark for remark in data.remarks)


def test_counts_come_with_a_few_examples(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    document, _ = content()
    for annotation in document["annotations"][:5]:
        annotation["segmentation"] = []
    (finding,) = open_set(str(write(tmp_path, document))).inspection.findings
    assert str(finding) == "5 × empty mask (annotation 1, annotation 2, annotation 3, …)"
    assert path.exists()


@pytest.mark.parametrize("layout", ["images", "../images", "../train2017", "../images/train2017"])
def test_pictures_are_found_where_tools_put_them(tmp_path: Path, layout: str) -> None:
    labels = tmp_path / "annotations"
    labels.mkdir()
    labelled((labels / layout).resolve())
    path = write(labels, content()[0], "instances_train2017.json")
    assert open_set(str(path)).inspection.mistakes == 0


def test_pictures_that_are_nowhere_are_said_and_a_folder_may_be_named(tmp_path: Path) -> None:
    path = labelled(tmp_path / "here")
    alone = write(tmp_path, content()[0], "alone.json")
    with pytest.raises(SourceError, match=r"its pictures, such as 1\.png.*FILE=FOLDER"):
        open_set(str(alone))
    assert open_set(f"{alone}={path.parent}").inspection.mistakes == 0


def test_classes_are_taken_or_chosen(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    document, _ = content()
    document["categories"].append({"id": 9, "name": "never seen"})
    write(tmp_path, document)

    def classes(*wanted: str) -> tuple[str, ...]:
        return prepare([str(path)], None, wanted, share=0, seed=0, drop_mistakes=False).classes

    assert classes() == CLASSES
    assert classes("disc") == ("disc",)
    for wrong in (("dics",), ("disc", "disc"), ("never seen",)):
        with pytest.raises(SourceError, match="each once, of those with instances: square, disc"):
            classes(*wrong)
    with pytest.raises(SourceError, match="Did you mean disc"):
        classes("dics")


def test_held_out_pictures_are_never_learnt_from(tmp_path: Path) -> None:
    path = labelled(tmp_path, count=10)
    given = [str(path), str(path)]  # twice: its pictures come twice as often
    data = prepare(given, None, (), share=0.3, seed=0, drop_mistakes=False)
    held = {image.id for image in data.validation[0].images}
    assert len(data.validation) == 1
    assert len(held) == 3
    for one in data.training:
        assert held.isdisjoint(image.id for image in one.images)
        assert len(one) == 7


def test_of_a_rare_class_something_is_left_to_learn_from(tmp_path: Path) -> None:
    labelled(tmp_path)
    document, _ = content()
    document["annotations"] = document["annotations"][::2] + document["annotations"][1:2]
    path = write(tmp_path, document)  # a disc in the first picture only
    for seed in range(8):
        data = prepare([str(path)], None, (), share=0.9, seed=seed, drop_mistakes=False)
        (learnt,), (held,) = data.training, data.validation
        assert {label for n in range(len(learnt)) for label in learnt.labels(n)} == {0, 1}
        assert len(learnt) + len(held) == 6
    alone = prepare([str(path)], None, ("disc",), share=0.9, seed=0, drop_mistakes=False)
    assert not alone.validation


def test_a_validation_set_without_instances_of_the_classes_is_refused(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    document, _ = content()
    document["annotations"] = []
    empty = write(tmp_path, document, "empty.json")
    with pytest.raises(SourceError, match="square, disc to measure on, got no annotations"):
        prepare([str(path)], str(empty), (), share=0, seed=0, drop_mistakes=False)
    with pytest.raises(SourceError, match="instances to learn from, got none"):
        prepare([str(empty)], None, (), share=0, seed=0, drop_mistakes=False)


def test_a_class_that_a_file_does_not_know_is_not_background_there(tmp_path: Path) -> None:
    both, one = labelled(tmp_path / "both"), labelled(tmp_path / "one")
    document, _ = content()
    document["categories"] = document["categories"][:1]
    document["annotations"] = [a for a in document["annotations"] if a["category_id"] == 1]
    write(one.parent, document)
    data = prepare([str(both), str(one)], None, (), share=0, seed=0, drop_mistakes=False)
    assert [pictures.unlabelled for pictures in data.training] == [(), (1,)]
    sample = data.training[1].sample(0)
    targets = picture_targets(sample.masks, sample.classes, NANO, unlabelled=sample.unlabelled)
    assert targets.unlabelled == (1,)
    assert any("no category disc: not learnt" in remark for remark in data.remarks)


def test_an_epoch_has_each_picture_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    path = labelled(tmp_path, count=8)
    document, _ = content(8)
    document["annotations"] = document["annotations"][:8]  # four pictures show nothing
    data = prepare([str(write(tmp_path, document))], None, (), share=0, seed=0, drop_mistakes=False)
    order = PictureOrder(data.training, seed=3, empty_share=0.34)
    assert len(order) == 6
    epochs = [[order.at(6 * epoch + step)[1] for step in range(6)] for epoch in range(3)]
    for epoch in epochs:
        assert {0, 1, 2, 3} < set(epoch)
        assert len(set(epoch)) == 6
    assert epochs[0] != epochs[1]
    assert order.at(4)[1] == epochs[0][4]
    assert path.exists()


def test_pictures_of_a_rare_class_come_more_often(tmp_path: Path) -> None:
    labelled(tmp_path, count=8)
    document, _ = content(8)
    discs = [one for one in document["annotations"] if one["category_id"] == 2]
    document["annotations"] = [
        one for one in document["annotations"] if one["category_id"] == 1 or one is discs[2]
    ]
    data = prepare([str(write(tmp_path, document))], None, (), share=0, seed=0, drop_mistakes=False)
    order = PictureOrder(data.training, seed=0, empty_share=0, balance=0.5)
    epoch = [order.at(step)[1] for step in range(len(order))]
    assert sorted(epoch) == [0, 1, 2, 2, 3, 4, 5, 6, 7]  # √(0.5 ÷ 0.125) = 2
    rng = np.random.default_rng(0)
    drawn = [order.of_any_class(rng) for _ in range(40)]
    assert 10 < sum(label == 1 for label, _ in drawn) < 30
    assert {place for label, place in drawn if label == 1} == {(0, 2)}


def samples(path: Path, *, skip: bool = False, **settings: object) -> LabelledPictures:
    data = prepare([str(path)], None, (), share=0, seed=0, drop_mistakes=False)
    order = PictureOrder(data.training, 0, 0.0)
    augment = AugmentSettings.model_validate({"scales": (0.2, 0.3), **settings})
    return LabelledPictures(
        data.training, NANO, order, augment, batch=3, seed=0, skip=skip, world=1
    )


def test_a_batch_is_a_function_of_seed_and_iteration(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    first, again = samples(path), samples(path)
    again.batch(7)
    torch.manual_seed(99)
    for number in (0, 5):
        for one, other in zip(first.batch(number), again.batch(number), strict=True):
            np.testing.assert_array_equal(one.image, other.image)
            np.testing.assert_array_equal(one.masks, other.masks)
            assert one.name == other.name
            assert Path(one.name).parent == tmp_path


def test_views_keep_masks_on_their_things(tmp_path: Path) -> None:
    """Squares are bright and discs dark: what a mask covers must still be so."""
    source = samples(
        labelled(tmp_path), paste=1.0, colour=0.1, blur=0.0, compress=0.0, flip_vertical=0.5
    )
    seen = 0
    for sample in (one for number in range(6) for one in source.batch(number)):
        height, width = sample.ignore.shape
        assert (height % 32, width % 32) == (0, 0)
        for mask, label in zip(sample.masks, sample.classes, strict=True):
            inside = cv2.erode(mask, np.ones((3, 3), np.uint8))
            if np.count_nonzero(inside) < LEAST_AREA_PX:
                continue
            seen += 1
            brightness = float(sample.image[inside > 0].mean())
            assert brightness > 170 if label == 0 else brightness < 70
    assert seen > 20


def test_a_view_without_variation_is_the_picture_as_at_use(tmp_path: Path) -> None:
    data = prepare([str(labelled(tmp_path))], None, (), share=0, seed=0, drop_mistakes=False)
    sample = data.training[0].sample(0)
    still = AugmentSettings(unzoomed=1, flip=0, colour=0, blur=0, compress=0)
    canvas = (2 * SIZE[0], 2 * SIZE[1])
    viewed = Views(still).view(sample, canvas)
    expected = cv2.resize(sample.image, canvas[::-1], interpolation=cv2.INTER_LINEAR)
    assert float(np.abs(viewed.image.astype(int) - expected).mean()) < 4
    np.testing.assert_array_equal(viewed.masks[:, ::2, ::2], sample.masks)


def test_a_picture_that_breaks_meanwhile_is_named_or_skipped_and_counted(tmp_path: Path) -> None:
    path = labelled(tmp_path)
    stopping, skipping = samples(path), samples(path, skip=True)
    (tmp_path / "3.png").write_bytes(b"cut off")
    with pytest.raises(SourceError, match=r"3\.png.*cannot be decoded"):
        [stopping.batch(number) for number in range(2)]
    names = [Path(one.name).name for number in range(2) for one in skipping.batch(number)]
    assert len(names) == 6
    assert "3.png" not in names
    assert len(skipping.spoilt) == 1
    assert "3.png" in skipping.spoilt[0]
