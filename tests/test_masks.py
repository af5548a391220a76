"""Cropped masks are exactly the full ones, for less."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from pipeline.masks import RLE, Masks, decode, encode, intersection, pairwise_iou

Bits = NDArray[np.bool_]


def blobs(seed: int, n: int = 12, height: int = 37, width: int = 53) -> Bits:
    """Random masks: rectangles with holes, single pixels, full, empty."""
    dice = np.random.default_rng(seed)
    masks = np.zeros((n, height, width), np.bool_)
    for mask in masks[2:]:
        y0, x0 = dice.integers(0, height), dice.integers(0, width)
        y1, x1 = y0 + dice.integers(1, height), x0 + dice.integers(1, width)
        window = mask[y0:y1, x0:x1]
        window[...] = dice.random(window.shape) < dice.choice([0.05, 0.5, 1.0])
    masks[0] = True
    return masks


def dense(masks: Masks) -> Bits:
    return np.array([masks.dense(i) for i in range(len(masks))], np.bool_)


@pytest.mark.parametrize("seed", range(5))
def test_crops_hold_the_whole_mask(seed: int) -> None:
    full = blobs(seed)
    masks = Masks.from_dense(full)
    np.testing.assert_array_equal(dense(masks), full)
    np.testing.assert_array_equal(masks.areas, full.sum(axis=(1, 2)))
    for crop in masks.crops:
        edges = [crop[0], crop[-1], crop[:, 0], crop[:, -1]] if crop.size else []
        assert all(edge.any() for edge in edges), "tight"


@pytest.mark.parametrize("seed", range(5))
def test_coco_reads_and_writes_the_same_masks(seed: int) -> None:
    full = blobs(seed)
    masks = Masks.from_dense(full)
    theirs: list[RLE] = [coco.encode(np.asfortranarray(mask.view(np.uint8))) for mask in full]
    assert [masks.to_coco(i) for i in range(len(masks))] == theirs
    np.testing.assert_array_equal(dense(Masks.from_coco(37, 53, theirs)), full)
    texts: list[RLE] = [
        {"size": rle["size"], "counts": bytes(rle["counts"]).decode()}  # type: ignore[arg-type]
        for rle in theirs
    ]
    np.testing.assert_array_equal(dense(Masks.from_coco(37, 53, texts)), full)
    boxes = coco.toBbox(theirs)
    np.testing.assert_array_equal(masks.boxes[:, 2:] - masks.boxes[:, :2], boxes[:, 2:])
    np.testing.assert_array_equal(masks.boxes[:, :2], boxes[:, :2])


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_run_lengths_are_those_of_pycocotools(share: float) -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        h, w = rng.integers(1, 30, 2).tolist()
        bits = rng.random((h, w)) < share
        turned = bits[::-1, ::-1]  # not as it lies in memory
        for mask in (bits, turned, np.asfortranarray(bits)):
            assert encode(mask) == coco.encode(np.asfortranarray(mask, np.uint8))


@pytest.mark.parametrize("seed", range(5))
def test_iou_of_crops_is_iou_of_full_masks(seed: int) -> None:
    first, second = blobs(seed), blobs(seed + 100, n=9)
    shared = (first[:, None] & second).sum(axis=(2, 3))
    union = (first[:, None] | second).sum(axis=(2, 3))
    iou = pairwise_iou(Masks.from_dense(first), Masks.from_dense(second))
    assert iou.shape == (12, 9)
    assert iou.dtype == np.float32
    np.testing.assert_allclose(iou, shared / np.maximum(union, 1), rtol=1e-6)


def test_a_mask_shares_all_with_itself_and_nothing_with_what_only_touches_it() -> None:
    left = np.zeros((4, 6), np.bool_)
    left[1:3, 1:3] = True
    masks = Masks.from_dense(np.stack([left, np.roll(left, 2, axis=1)]))
    assert intersection(masks, 0, masks, 0) == 4
    assert intersection(masks, 0, masks, 1) == 0
    np.testing.assert_array_equal(pairwise_iou(masks, masks), np.eye(2, dtype=np.float32))


def test_no_masks_and_empty_masks_have_shapes() -> None:
    none = Masks.empty(4, 6)
    assert (len(none), none.boxes.shape, none.areas.shape) == (0, (0, 4), (0,))
    assert none.select([]).origins.shape == (0, 2)
    assert len(Masks.from_dense(np.zeros((0, 4, 6), np.bool_))) == 0
    empty = Masks.from_dense(np.zeros((1, 4, 6), np.bool_))
    assert empty.crop_rle(0) == {"size": [0, 0], "counts": b""}
    assert decode(empty.crop_rle(0)).shape == (0, 0)
    assert empty.boxes.tolist() == [[0, 0, 0, 0]]
    assert not empty.dense(0).any()
    assert pairwise_iou(none, empty).shape == (0, 1)
    assert pairwise_iou(empty, empty).tolist() == [[0]]


def test_a_crop_goes_over_the_wire_and_back() -> None:
    masks = Masks.from_dense(blobs(7))
    for at, crop in enumerate(masks.crops):
        rle = masks.crop_rle(at)
        assert rle["size"] == list(crop.shape)
        np.testing.assert_array_equal(decode(rle), crop)


def test_long_runs_are_read() -> None:
    large = np.zeros((3000, 4000), np.bool_)
    large[10:, 3] = large[:5, 3999] = True
    np.testing.assert_array_equal(decode(encode(large)), large)
    np.testing.assert_array_equal(decode(encode(~large)), ~large)


def test_windows_need_not_be_tight_nor_contiguous() -> None:
    canvas = np.zeros((8, 8), np.bool_)
    canvas[::2, ::2][1:3, 2] = True
    window = canvas[::2, ::2]
    masks = Masks.from_crops(20, 20, [(10, 12, window)])
    assert masks.origins.tolist() == [[12, 13]]
    assert masks.crops[0].shape == (2, 1)
    np.testing.assert_array_equal(decode(encode(window)), window)


def test_masks_are_chosen_by_index() -> None:
    full = blobs(3)
    masks = Masks.from_dense(full)
    np.testing.assert_array_equal(dense(masks.select([5, 0, 5])), full[[5, 0, 5]])
    np.testing.assert_array_equal(dense(masks.select(np.array([-1, 2]))), full[[-1, 2]])
    with pytest.raises(TypeError):
        masks.select(np.array([True, False]))


def test_wrong_shapes_are_told() -> None:
    bits = np.ones((2, 3), np.bool_)
    with pytest.raises(ValueError, match=r"^a crop of 3x2 px at \(4, 0\) leaves the 6x4 px"):
        Masks.from_crops(4, 6, [(4, 0, bits)])
    with pytest.raises(ValueError, match=r"leaves the 6x4 px picture$"):
        Masks.from_crops(4, 6, [(0, -1, bits)])
    with pytest.raises(ValueError, match=r"^origins must have shape \(1, 2\), got \(2, 2\)$"):
        Masks(4, 6, np.zeros((2, 2), np.int32), (bits,))
    with pytest.raises(ValueError, match=r"^an RLE must have size \[4, 6\], got \[2, 3\]$"):
        Masks.from_coco(4, 6, [encode(bits)])
    with pytest.raises(ValueError, match=r"^the runs of an RLE must fill 24 px, got 6 px$"):
        decode({"size": [4, 6], "counts": encode(bits)["counts"]})
    assert repr(Masks.empty(4, 6)) == "Masks(0 of 6x4 px)"


def test_a_crops_runs_in_the_picture_are_those_of_all_pixels() -> None:
    rng = np.random.default_rng(3)
    for _ in range(300):
        shape = (1, *rng.integers(1, 12, 2))
        dense = rng.random(shape) < rng.choice([0, 0.1, 0.5, 0.9, 1])
        assert Masks.from_dense(dense).to_coco(0) == encode(dense[0])
