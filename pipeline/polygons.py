"""The outline of a bit mask, exactly: polygons along the edges of its pixels, and back.

Vertices are corners of pixels: whole numbers, px, from the picture's upper left corner; pixel
(x, y) covers the square from (x, y) to (x + 1, y + 1). docs/PROTOCOL.md, "Polygons", has the rules
by which every client gets the same ones in the same order.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]
Ring = NDArray[np.int32]


class Polygon(NamedTuple):
    """One connected piece of a mask; pixels that touch at a corner only are two pieces.

    ``outer`` (N, 2) int32: x, y of its corners, clockwise as seen on a screen. ``holes``: the same
    for each hole, counter-clockwise. No ring repeats its first corner at its end.
    """

    outer: Ring
    holes: tuple[Ring, ...]


class _Corners(NamedTuple):
    """Where outlines turn, by (y, x): every one is the end of one level and one upright edge.

    Where two pixels touch at a corner only there are two of them, and ``swapped`` says which
    upright edge belongs to the first: the lower one, or (False) the upper.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    swapped: Bits


def outlines(bits: Bits) -> list[Polygon]:
    """The polygons of a mask (height, width), by their upper left corners: top down, then left to
    right. Filled by the even-odd rule they are the mask (``filled``)."""
    padded = np.pad(bits, 1)
    corners = _corners(padded)
    upright = np.lexsort((_order(corners), corners.y, corners.x))
    ring_of, rings = _rings(_successors(padded, corners, upright))
    tops = upright[::2]
    places = corners.x[tops] * len(padded) + corners.y[tops]  # ascending
    pieces: list[tuple[Ring, list[Ring]]] = []
    piece_of: list[int] = []
    for ring in rings:
        x, y = int(corners.x[ring[0]]), int(corners.y[ring[0]])
        shape = np.stack([corners.x[ring], corners.y[ring]], axis=1).astype(np.int32)
        if bits[y, x]:
            piece_of.append(len(pieces))
            pieces.append((shape, []))
        else:
            # A hole is in the piece whose edge is the nearest to its left: an outline or a hole.
            place = _start_of_run(bits[y], x - 1) * len(padded) + y
            edge = tops[np.searchsorted(places, place, side="right") - 1]
            piece_of.append(piece_of[ring_of[edge]])
            pieces[piece_of[-1]][1].append(shape)
    return [Polygon(outer, tuple(holes)) for outer, holes in pieces]


def filled(polygons: Iterable[Polygon], height: int, width: int) -> Bits:
    """The mask (height, width) of the pixels inside polygons with upright and level edges.

    :raises ValueError: when an edge is slanted or a corner lies outside of the mask.
    """
    turns = np.zeros((height + 1, width + 1), np.int32)
    for ring in _all_rings(polygons):
        following = np.roll(ring, -1, axis=0)
        upright = ring[:, 0] == following[:, 0]
        level = ring[:, 1] == following[:, 1]
        if (
            not (upright | level).all()
            or ring.min() < 0
            or (ring.max(axis=0) > (width, height)).any()
        ):
            raise ValueError(
                f"a polygon must have level and upright edges inside {width}x{height} px"
            )
        np.add.at(turns, (ring[upright, 1], ring[upright, 0]), 1)
        np.add.at(turns, (following[upright, 1], following[upright, 0]), -1)
    inside: Bits = turns.cumsum(axis=0).cumsum(axis=1)[:height, :width] % 2 == 1
    return inside


def signed_area(ring: Ring) -> int:
    """Pixels inside a ring, negative for a hole: those of all rings add up to the mask's."""
    x, y = ring.astype(np.int64).T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) // 2


def _all_rings(polygons: Iterable[Polygon]) -> Iterator[Ring]:
    for polygon in polygons:
        yield polygon.outer
        yield from polygon.holes


def _corners(padded: Bits) -> _Corners:
    """All corners of a mask with an empty border, in the order in which they are read."""
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    odd = upper_left ^ upper_right ^ lower_left ^ lower_right
    touching = (upper_left == lower_right) & (upper_right == lower_left) & (upper_left ^ lower_left)
    y, x = np.nonzero(odd | touching)
    times = np.where(touching[y, x], 2, 1)
    return _Corners(x.repeat(times), y.repeat(times), (touching & lower_left)[y, x].repeat(times))


def _order(corners: _Corners) -> NDArray[np.int64]:
    """Which of two corners at one place comes first on the upright line through it."""
    order = np.arange(len(corners.x))
    return np.where(corners.swapped, -order, order)


def _successors(padded: Bits, corners: _Corners, upright: NDArray[np.int64]) -> list[int]:
    """For each corner the next one, walking with the mask on the right hand.

    On any level or upright line the outline's corners are, two by two, the ends of its edges.
    """
    following = np.empty(len(corners.x), np.int64)
    left, right = np.arange(len(corners.x)).reshape(-1, 2).T
    eastward = padded[corners.y[left] + 1, corners.x[left] + 1]  # the mask is below the edge
    _link(following, left, right, eastward)
    top, bottom = upright.reshape(-1, 2).T
    southward = padded[corners.y[top] + 1, corners.x[top]]  # the mask is left of the edge
    _link(following, top, bottom, southward)
    successors: list[int] = following.tolist()
    return successors


def _link(
    following: NDArray[np.int64], a: NDArray[np.int64], b: NDArray[np.int64], forward: Bits
) -> None:
    following[a[forward]] = b[forward]
    following[b[~forward]] = a[~forward]


def _rings(following: list[int]) -> tuple[list[int], list[list[int]]]:
    """The ring of each corner, and the rings in the order of their first corners."""
    ring_of = [-1] * len(following)
    rings: list[list[int]] = []
    for first in range(len(following)):
        ring = []
        at = first
        while ring_of[at] < 0:
            ring_of[at] = len(rings)
            ring.append(at)
            at = following[at]
        if ring:
            rings.append(ring)
    return ring_of, rings


def _start_of_run(row: Bits, x: int) -> int:
    """Where the run of set pixels begins that ends with the one at ``x``."""
    return x - int(np.append(row[x::-1], False).argmin()) + 1
