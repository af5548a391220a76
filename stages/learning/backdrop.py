"""Textured backgrounds that drift and change slowly."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .sample import Picture

Generator = np.random.Generator
Plane = NDArray[np.float32]
MARGIN = 0.06
"""How far a backdrop may drift, relative to the picture."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """Two textures larger than the picture, one fading into the other and back while drifting."""

    first: Picture
    second: Picture
    width: int
    height: int
    period_s: float

    def at(self, time_s: float) -> Picture:
        """The background at a time, BGR uint8 (height, width, 3), owned by the caller."""
        phase = 2 * np.pi * time_s / self.period_s
        share = 0.5 - 0.5 * np.cos(phase)
        mixed = cv2.addWeighted(
            self._drifted(self.first, phase), 1 - share,
            self._drifted(self.second, phase + 2), share, 0,
        )  # fmt: skip
        return np.asarray(mixed, np.uint8)

    def _drifted(self, texture: Picture, phase: float) -> Picture:
        spare_x = (texture.shape[1] - self.width) / 2
        spare_y = (texture.shape[0] - self.height) / 2
        centre = (
            (texture.shape[1] - 1) / 2 + 0.9 * spare_x * float(np.sin(phase)),
            (texture.shape[0] - 1) / 2 + 0.9 * spare_y * float(np.sin(0.7 * phase)),
        )
        return np.asarray(cv2.getRectSubPix(texture, (self.width, self.height), centre), np.uint8)


def calm_backdrop(rng: Generator, width: int, height: int, period_s: float) -> Backdrop:
    """Dim clouds in neighbouring hues with fine grain: what things stand out from."""
    hue = rng.uniform(85, 125)
    size = _with_margin(width, height)
    textures = []
    for turn in (0.0, rng.uniform(12, 30)):
        low = _hsv((hue + turn) % 180, 110, 62)
        high = _hsv((hue + turn + 14) % 180, 70, 150)
        plane = 0.85 * clouds(rng, *size) + 0.15 * tiles(rng, *size)
        textures.append(_paint(rng, plane, (low, high), grain=5))
    return Backdrop(textures[0], textures[1], width, height, period_s)


def random_texture(rng: Generator, width: int, height: int) -> Picture:
    """Any of the planes, mixed, in any two colours."""
    names = rng.choice(list(PLANES), 2)
    share = rng.uniform(0.3, 1)
    plane = share * PLANES[names[0]](rng, width, height)
    plane = plane + (1 - share) * PLANES[names[1]](rng, width, height)
    colours = [_hsv(rng.uniform(0, 180), rng.uniform(0, 200), rng.uniform(20, 240)) for _ in "ab"]
    return _paint(rng, plane, (colours[0], colours[1]), grain=int(rng.integers(0, 14)))


def clouds(rng: Generator, width: int, height: int) -> Plane:
    """Smooth noise of four octaves, about 0 to 1."""
    plane = np.zeros((height, width), np.float32)
    for octave in range(4):
        cells = int(3 * 2**octave * rng.uniform(0.8, 1.25))
        grid = rng.uniform(-1, 1, (cells, round(cells * max(width / height, 0.5)))).astype("f4")
        smooth = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
        plane += smooth * np.float32(0.55**octave)
    return np.asarray(np.clip(0.5 + 0.42 * plane, 0, 1), np.float32)


def tiles(rng: Generator, width: int, height: int) -> Plane:
    """Bricks of slightly different brightness with dark joints."""
    across, down = int(rng.integers(5, 14)), int(rng.integers(4, 12))
    tone = rng.uniform(0.35, 1, (down, 2 * across)).astype(np.float32)
    tone[::2] = np.roll(np.repeat(tone[::2, ::2], 2, axis=1), 1, axis=1)
    tone[1::2] = np.repeat(tone[1::2, ::2], 2, axis=1)
    plane = cv2.resize(tone, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(cv2.blur(plane, (3, 3)), np.float32)


def planks(rng: Generator, width: int, height: int) -> Plane:
    """Stripes of uneven brightness at any angle."""
    angle, count = rng.uniform(0, np.pi), rng.uniform(10, 60)
    x = np.linspace(0, np.cos(angle) * width / height, width, dtype=np.float32)
    y = np.linspace(0, np.sin(angle), height, dtype=np.float32)
    phase = (x[None] + y[:, None]) * np.float32(count) + np.float32(rng.uniform(0, 9))
    return np.asarray(0.5 + 0.35 * np.sin(phase) + 0.15 * np.sin(0.37 * phase), np.float32)


def slope(rng: Generator, width: int, height: int) -> Plane:
    """An even change across the picture."""
    corners = rng.uniform(0, 1, (2, 2)).astype(np.float32)
    plane = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(plane, np.float32)


PLANES: dict[str, Callable[[Generator, int, int], Plane]] = {
    "clouds": clouds,
    "tiles": tiles,
    "planks": planks,
    "slope": slope,
}


def _with_margin(width: int, height: int) -> tuple[int, int]:
    return width + round(2 * MARGIN * width) + 4, height + round(2 * MARGIN * height) + 4


def _hsv(hue: float, saturation: float, value: float) -> NDArray[np.float32]:
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0], np.float32)


def _paint(
    rng: Generator, plane: Plane, colours: tuple[NDArray[np.float32], ...], grain: int
) -> Picture:
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    table = (colours[0] + ramp * (colours[1] - colours[0])).astype(np.uint8)[:, None]
    levels = np.clip(plane * 255, 0, 255).astype(np.uint8)
    picture = cv2.LUT(cv2.cvtColor(levels, cv2.COLOR_GRAY2BGR), table)
    noise = rng.integers(-grain, grain + 1, plane.shape, np.int8)
    return np.asarray(cv2.add(picture, cv2.merge([noise] * 3), dtype=cv2.CV_8U), np.uint8)
