"""Invented things: outlines of many kinds, patterned and shaded, as cut-outs."""

import colorsys
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .cutouts import Cutout
from .sample import Picture

Generator = np.random.Generator
Angles = NDArray[np.float64]
Plane = NDArray[np.float32]
CORNERS = 96
"""Points of an outline."""


@dataclass(frozen=True)
class Look:
    """An outline and a pattern by name, and a hue (0 to 1)."""

    outline: str
    pattern: str
    hue: float


def random_look(rng: Generator) -> Look:
    """Any look."""
    return Look(rng.choice(list(OUTLINES)), rng.choice(list(PATTERNS)), rng.random())


def make_thing(rng: Generator, look: Look, side_px: int, label: int) -> Cutout:
    """A thing in a square of ``side_px``, reaching to about its edges; ``rng`` decides the rest."""
    alpha = _fill(OUTLINES[look.outline](rng), side_px)
    v, u = np.meshgrid(*[np.linspace(-1, 1, side_px, dtype=np.float32)] * 2, indexing="ij")
    share = PATTERNS[look.pattern](rng, u, v)[..., None]
    first, second = _colours(rng, look.hue)
    bgr = first + share * (second - first)
    return Cutout(_shade(rng, bgr, alpha, (u, v)), alpha, label)


def _fill(points: NDArray[np.float64], side_px: int) -> NDArray[np.uint8]:
    """A smooth-edged polygon; ``points`` (n, 2) in [-1, 1]."""
    alpha: NDArray[np.uint8] = np.zeros((side_px, side_px), np.uint8)
    middle, reach = (side_px - 1) / 2, side_px / 2 - 1.5
    fixed = np.round((points * reach + middle) * 256).astype(np.int32)
    cv2.fillPoly(alpha, [fixed], 255, cv2.LINE_AA, 8)
    return alpha


def _colours(rng: Generator, hue: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    other = hue + rng.uniform(0.15, 0.85)
    first = colorsys.hsv_to_rgb(hue, rng.uniform(0.55, 1), rng.uniform(0.6, 1))
    pale, vivid, deep = (0.08, 0.95), (0.7, 0.95), (0.75, 0.35)
    second = colorsys.hsv_to_rgb(other % 1, *(pale, vivid, deep)[rng.integers(3)])
    return np.array(first[::-1], np.float32) * 255, np.array(second[::-1], np.float32) * 255


def _shade(
    rng: Generator, bgr: NDArray[np.float32], alpha: NDArray[np.uint8], at: tuple[Plane, Plane]
) -> Picture:
    """Lit from one side, darker at the rim, with a soft highlight."""
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.5)
    off = (at[0] - reach * np.float32(np.cos(angle))) ** 2
    off += (at[1] - reach * np.float32(np.sin(angle))) ** 2
    light = 1.12 - rng.uniform(0.15, 0.4) * off
    inside = np.asarray(cv2.distanceTransform(alpha, cv2.DIST_L2, 3), np.float32)
    rim = np.clip(inside / (rng.uniform(0.03, 0.1) * alpha.shape[0]), 0, 1)
    darkest = rng.uniform(0.4, 0.8)
    light *= darkest + (1 - darkest) * rim
    highlight = rng.uniform(0, 70) * np.exp(-12 * off)
    lit = np.clip(bgr * light[..., None] + highlight[..., None], 0, 255)
    return np.asarray(lit, np.uint8)


def _angles(count: int = CORNERS) -> Angles:
    return np.linspace(0, 2 * np.pi, count, endpoint=False)


def _polar(angles: Angles, radii: Angles) -> NDArray[np.float64]:
    points = np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    return np.asarray(points / np.abs(points).max(), np.float64)


def _ellipse(rng: Generator) -> NDArray[np.float64]:
    aspect = rng.uniform(0.5, 1)
    return np.column_stack([np.cos(_angles()), aspect * np.sin(_angles())])


def _polygon(rng: Generator) -> NDArray[np.float64]:
    corners = int(rng.integers(3, 8))
    angles = _angles(corners) + rng.uniform(-0.25, 0.25, corners) * (2 * np.pi / corners)
    return _polar(angles, rng.uniform(0.8, 1, corners))


def _star(rng: Generator) -> NDArray[np.float64]:
    tips = int(rng.integers(4, 9))
    radii = np.tile([1, rng.uniform(0.45, 0.72)], tips)
    return _polar(_angles(2 * tips), radii)


def _blob(rng: Generator) -> NDArray[np.float64]:
    radii = np.ones(CORNERS)
    for waves in range(2, 6):
        size = rng.uniform(0, 0.5) / waves
        radii += size * np.cos(waves * _angles() + rng.uniform(0, 2 * np.pi))
    return _polar(_angles(), radii)


def _box(rng: Generator) -> NDArray[np.float64]:
    """A rectangle, more or less rounded."""
    power = 2 / rng.uniform(3, 12)
    cos, sin = np.cos(_angles()), np.sin(_angles())
    x, y = np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power
    return np.column_stack([x, y * rng.uniform(0.4, 1)])


def _cross(rng: Generator) -> NDArray[np.float64]:
    arm = rng.uniform(0.25, 0.5)
    quarter = np.array([(1, -arm), (1, arm), (arm, arm)])
    turns = [quarter @ np.array([[c, s], [-s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    return np.concatenate(turns)


def _gear(rng: Generator) -> NDArray[np.float64]:
    teeth = int(rng.integers(6, 13))
    depth = rng.uniform(0.06, 0.16)
    return _polar(_angles(), 1 + depth * np.tanh(4 * np.sin(teeth * _angles())))


def _wave(value: Plane, sharpness: float) -> Plane:
    """Two colours with soft edges from a phase."""
    return np.asarray(0.5 + 0.5 * np.tanh(sharpness * np.sin(value)), np.float32)


def _turned(rng: Generator, u: Plane, v: Plane) -> tuple[Plane, Plane]:
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * u + sin * v, cos * v - sin * u


def _stripes(rng: Generator, u: Plane, v: Plane) -> Plane:
    return _wave(_turned(rng, u, v)[0] * rng.uniform(6, 18) + rng.uniform(0, 6), 4)


def _checks(rng: Generator, u: Plane, v: Plane) -> Plane:
    a, b = _turned(rng, u, v)
    frequency = rng.uniform(5, 12)
    return np.asarray(0.5 + 0.5 * np.tanh(6 * np.sin(a * frequency) * np.sin(b * frequency)))


def _dots(rng: Generator, u: Plane, v: Plane) -> Plane:
    a, b = _turned(rng, u, v)
    frequency = rng.uniform(6, 14)
    heap = np.cos(a * frequency) + np.cos(b * frequency)
    return np.asarray(0.5 + 0.5 * np.tanh(4 * (heap - rng.uniform(0.2, 1))))


def _rings(rng: Generator, u: Plane, v: Plane) -> Plane:
    distance = np.hypot(u - rng.uniform(-0.3, 0.3), v - rng.uniform(-0.3, 0.3))
    return _wave(np.asarray(distance, np.float32) * rng.uniform(8, 20), 4)


def _patches(rng: Generator, u: Plane, v: Plane) -> Plane:
    grid = rng.normal(size=(int(rng.integers(4, 9)),) * 2).astype(np.float32)
    smooth = cv2.resize(grid, (u.shape[1], v.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(0.5 + 0.5 * np.tanh(rng.uniform(1, 6) * smooth), np.float32)


def _slope(rng: Generator, u: Plane, v: Plane) -> Plane:
    return np.asarray(np.clip(0.5 + 0.5 * _turned(rng, u, v)[0], 0, 1), np.float32)


def _plain(rng: Generator, u: Plane, v: Plane) -> Plane:
    return np.full(np.broadcast_shapes(u.shape, v.shape), rng.random() < 0.5, np.float32)


OUTLINES: dict[str, Callable[[Generator], NDArray[np.float64]]] = {
    "ellipse": _ellipse,
    "polygon": _polygon,
    "star": _star,
    "blob": _blob,
    "box": _box,
    "cross": _cross,
    "gear": _gear,
}
PATTERNS: dict[str, Callable[[Generator, Plane, Plane], Plane]] = {
    "stripes": _stripes,
    "checks": _checks,
    "dots": _dots,
    "rings": _rings,
    "patches": _patches,
    "slope": _slope,
    "plain": _plain,
}
