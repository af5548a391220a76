"""Outlines are exact: filled again they are the mask, in one order, whatever its shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.masks import Masks
from pipeline.polygons import Polygon, filled, outlines, signed_area

Bits = NDArray[np.bool_]
Corners = list[list[int]]
Pieces = list[tuple[Corners, list[Corners]]]
ANY_MASK = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=12))
ALL_AROUND = np.ones((3, 3), np.bool_)


def bits(*rows: str) -> Bits:
    return np.array([[mark == "#" for mark in row] for row in rows], np.bool_)


def plain(polygons: list[Polygon]) -> Pieces:
    return [(outer.tolist(), [hole.tolist() for hole in holes]) for outer, holes in polygons]


@given(ANY_MASK)
@settings(max_examples=300)
def test_filled_again_they_are_the_mask(mask: Bits) -> None:
    assert np.array_equal(filled(outlines(mask), *mask.shape), mask)


@given(ANY_MASK)
def test_a_polygon_is_a_piece_and_has_the_holes_of_that_piece(mask: Bits) -> None:
    polygons = outlines(mask)
    labels, count = ndimage.label(mask) if mask.size else (mask, 0)
    assert len(polygons) == count
    for polygon in polygons:
        piece = filled([polygon], *mask.shape)
        x, y = polygon.outer[0]
        assert np.array_equal(piece, labels == labels[y, x])
        empty = np.pad(~piece, 1, constant_values=True)
        assert len(polygon.holes) == ndimage.label(empty, ALL_AROUND)[1] - 1


@given(ANY_MASK)
def test_rings_have_an_order_a_start_and_a_direction(mask: Bits) -> None:
    polygons = outlines(mask)
    for rings in ([p.outer for p in polygons], *(p.holes for p in polygons)):
        starts = [tuple(ring[0, ::-1].tolist()) for ring in rings]
        assert starts == sorted(set(starts))
    for outer, holes in polygons:
        for ring in (outer, *holes):
            assert ring[0, ::-1].tolist() == min(ring[:, ::-1].tolist())
            steps = np.diff(ring, axis=0, append=ring[:1])
            assert ((steps == 0).sum(axis=1) == 1).all()
            assert ((steps[:, 0] == 0) ^ (np.roll(steps, 1, axis=0)[:, 0] == 0)).all()
        assert signed_area(outer) > 0
        assert all(signed_area(hole) < 0 for hole in holes)
    total = sum(signed_area(ring) for outer, holes in polygons for ring in (outer, *holes))
    assert total == np.count_nonzero(mask)


def test_known_shapes() -> None:
    square: Corners = [[0, 0], [2, 0], [2, 2], [0, 2]]
    assert plain(outlines(bits("##", "##"))) == [(square, [])]
    ring = ([[0, 0], [3, 0], [3, 3], [0, 3]], [[[1, 1], [1, 2], [2, 2], [2, 1]]])
    assert plain(outlines(bits("###", "#.#", "###"))) == [ring]
    touching: Pieces = [
        ([[1, 0], [2, 0], [2, 1], [1, 1]], []),
        ([[0, 1], [1, 1], [1, 2], [0, 2]], []),
    ]
    assert plain(outlines(bits(".#", "#."))) == touching
    # A hole that touches the outside at a corner is none: the outline passes there twice.
    notch: Corners = [
        [0, 0],
        [3, 0],
        [3, 2],
        [2, 2],
        [2, 1],
        [1, 1],
        [1, 2],
        [2, 2],
        [2, 3],
        [0, 3],
    ]
    assert plain(outlines(bits("###", "#.#", "##."))) == [(notch, [])]


def test_an_island_in_a_hole_is_a_piece_of_its_own() -> None:
    mask = bits("#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######")
    outside, island = outlines(mask)
    assert [len(polygon.holes) for polygon in (outside, island)] == [1, 1]
    assert island.holes[0].tolist() == [[3, 3], [3, 4], [4, 4], [4, 3]]


@pytest.mark.parametrize("mask", [np.zeros((0, 0), np.bool_), np.zeros((3, 4), np.bool_)])
def test_nothing_has_no_outline(mask: Bits) -> None:
    assert outlines(mask) == []
    assert not filled([], *mask.shape).any()


def test_large_noise_takes_no_square_of_time() -> None:
    mask = np.random.default_rng(3).random((400, 400)) < 0.6
    assert np.array_equal(filled(outlines(mask), 400, 400), mask)


@given(arrays(np.bool_, st.tuples(st.integers(0, 4), st.just(9), st.just(7))))
def test_masks_have_them_where_they_lie_in_the_picture(full: Bits) -> None:
    masks = Masks.from_dense(full)
    assert np.array_equal(masks.to_dense(), full)
    shapes = [masks.polygons(i) for i in range(len(masks))]
    for mask, shape in zip(full, shapes, strict=True):
        assert plain(shape) == plain(outlines(mask))
    assert np.array_equal(Masks.from_polygons(9, 7, shapes).to_dense(), full)


@pytest.mark.parametrize(
    "ring",
    [
        [[0, 0], [3, 0], [3, 5], [0, 5]],
        [[0, 0], [2, 0], [0, 2]],
        [[-1, 0], [1, 0], [1, 1], [-1, 1]],
    ],
)
def test_polygons_that_are_no_pixels_are_refused(ring: Corners) -> None:
    with pytest.raises(ValueError, match="level and upright edges inside 4x4 px"):
        Masks.from_polygons(4, 4, [[Polygon(np.array(ring, np.int32), ())]])
