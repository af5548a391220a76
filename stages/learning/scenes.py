"""Synthetic scenes: moving, overlapping things with the truth about every pixel.

A scene is a function of (name, size, fps, seed): any frame can be rendered at any time, alone.
"""

import zlib
from collections.abc import Callable
from urllib.parse import parse_qsl

import numpy as np

from pipeline.errors import ConfigError, Mistake

from .backdrop import calm_backdrop
from .cutouts import Cutout
from .moving import Motion, Scene, Swing
from .things import Look, make_thing, random_look

MOST_PX = 8192
Cast = tuple[float, list[tuple[Look, Motion]]]
"""Duration in seconds, and what appears, from back to front."""


def scene(
    name: str, width: int = 640, height: int = 360, fps: float = 25.0, seed: int = 0
) -> Scene:
    """Make a scene by name.

    :raises ConfigError: for an unknown name or an impossible size or rate, all at once.
    """
    mistakes = _mistakes(name, (width, height), fps, seed)
    if mistakes:
        raise ConfigError(f"synthetic:{name}", mistakes, "Correct the address of the source.")
    rng = np.random.default_rng((zlib.crc32(name.encode()), seed))
    duration_s, cast = SCENES[name](rng)
    things = tuple((_embody(rng, look, motion, height), motion) for look, motion in cast)
    backdrop = calm_backdrop(rng, width, height, period_s=24)  # last: its draws depend on the size
    return Scene(name, width, height, fps, duration_s, backdrop, things)


def _embody(rng: np.random.Generator, look: Look, motion: Motion, height: int) -> Cutout:
    """A thing with enough pixels for the largest size of its motion in a picture of ``height``."""
    side_px = round((motion.size.middle + motion.size.reach) * height)
    return make_thing(rng, look, max(side_px, 12), label=0)


def scene_of(address: str) -> Scene:
    """The scene of ``synthetic:NAME[?size=640x360&fps=25&seed=0]``; the prefix may be left out.

    :raises ConfigError: naming every part of the address that is wrong, and what is known.
    """
    name, _, query = address.removeprefix("synthetic:").partition("?")
    values: dict[str, float] = {}
    mistakes = []
    for key, text in parse_qsl(query, keep_blank_values=True):
        try:
            values.update(OPTIONS[key](text))
        except KeyError:
            mistakes.append(Mistake(key, f"one of the options {', '.join(OPTIONS)}", "this name"))
        except ValueError:
            mistakes.append(Mistake(key, WANTED[key], text or "nothing"))
    if mistakes:
        mistakes += _mistakes(name, (640, 360), 25, 0)
        raise ConfigError(f"synthetic:{name}", mistakes, "Correct the address of the source.")
    size = int(values.get("width", 640)), int(values.get("height", 360))
    return scene(name, *size, values.get("fps", 25.0), int(values.get("seed", 0)))


def _size(text: str) -> dict[str, float]:
    width, height = text.lower().split("x")
    return {"width": int(width), "height": int(height)}


OPTIONS: dict[str, Callable[[str], dict[str, float]]] = {
    "size": _size,
    "fps": lambda text: {"fps": float(text)},
    "seed": lambda text: {"seed": int(text)},
}
WANTED = {
    "size": f"WIDTHxHEIGHT of 16 to {MOST_PX} px",
    "fps": "frames a second, above 0 and at most 1000",
    "seed": "a whole number of at least 0",
}


def _mistakes(name: str, size: tuple[int, int], fps: float, seed: int) -> list[Mistake]:
    found = []
    if name not in SCENES:
        found.append(Mistake("name", f"one of the scenes {', '.join(SCENES)}", name or "nothing"))
    if not all(16 <= side <= MOST_PX for side in size):
        found.append(Mistake("size", WANTED["size"], f"{size[0]}x{size[1]}"))
    if not 0 < fps <= 1000:
        found.append(Mistake("fps", WANTED["fps"], f"{fps:g}"))
    if seed < 0:
        found.append(Mistake("seed", WANTED["seed"], str(seed)))
    return found


def _demo(rng: np.random.Generator) -> Cast:
    """Ten seconds: two travellers that leave and come back, two that cross, some that turn."""
    looks = [
        Look(outline, pattern, hue / 8)
        for outline, pattern, hue in (
            ("blob", "checks", 4), ("gear", "rings", 0), ("ellipse", "stripes", 6),
            ("star", "slope", 1), ("box", "dots", 3), ("polygon", "patches", 7),
            ("cross", "stripes", 2), ("star", "dots", 5),
        )
    ]  # fmt: skip
    j = rng.uniform(-0.03, 0.03, 4).tolist()
    motions = [
        Motion(Swing(0.24), Swing(0.34, 0.06, 0.11), Swing(0.46, 0.05, 0.09), 0.045),
        Motion(Swing(0.78, 0.05, 0.1), Swing(0.66 + j[0]), Swing(0.42, 0.06, 0.13, 0.3), -0.06),
        Motion(Swing(0.5, 0.72, 0.1, 0.1), Swing(0.3 + j[1], 0.08, 0.2), Swing(0.3), 0.12),
        Motion(Swing(0.5, 0.4, 0.13, 0.55), Swing(0.74, 0.1, 0.17), Swing(0.34, 0.05, 0.2), -0.1),
        Motion(Swing(0.4, 0.42, 0.09, 0.85), Swing(0.52 + j[2], 0.12, 0.15), Swing(0.26), 0.2),
        Motion(Swing(0.62 + j[3], 0.1, 0.16), Swing(0.5, 0.75, 0.1, 0.4), Swing(0.28), -0.15),
        Motion(Swing(0.12, 0.06, 0.2), Swing(0.8, 0.08, 0.14), Swing(0.22, 0.03, 0.3), 0.25),
        Motion(Swing(0.88, 0.05, 0.15), Swing(0.2, 0.07, 0.21, 0.2), Swing(0.2, 0.02, 0.25), -0.3),
    ]
    return 10.0, list(zip(looks, motions, strict=True))


def _crowd(rng: np.random.Generator) -> Cast:
    """Ten seconds of thirty small things everywhere."""
    return 10.0, [(random_look(rng), _wandering(rng, (0.09, 0.2))) for _ in range(30)]


def _crossing(rng: np.random.Generator) -> Cast:
    """Six seconds: two things start at the sides, pass in the middle (at 3 s) and go on."""
    y, size, hue = 0.5 + rng.uniform(-0.05, 0.05), rng.uniform(0.3, 0.36), rng.random()
    left = Motion(Swing(0.5, 0.34, 1 / 12, 0.75), Swing(y - 0.04), Swing(size), 0.05)
    right = Motion(Swing(0.5, 0.34, 1 / 12, 0.25), Swing(y + 0.04), Swing(size), -0.05)
    looks = Look("ellipse", "dots", hue), Look("box", "stripes", (hue + 0.4) % 1)
    return 6.0, list(zip(looks, (left, right), strict=True))


def _empty(_: np.random.Generator) -> Cast:
    """Ten seconds of background alone."""
    return 10.0, []


def _wandering(rng: np.random.Generator, sizes: tuple[float, float]) -> Motion:
    """Some way of moving about; ``sizes``: range relative to the picture's height."""
    size = float(np.exp(rng.uniform(*np.log(sizes))))
    x, y = (
        Swing(rng.uniform(0.1, 0.9), rng.uniform(0, 0.5), rng.uniform(0.03, 0.15), rng.random())
        for _ in "xy"
    )
    pulse = Swing(size, rng.uniform(0, 0.2) * size, rng.uniform(0.05, 0.3), rng.random())
    return Motion(x, y, pulse, rng.uniform(-0.3, 0.3), rng.random())


SCENES: dict[str, Callable[[np.random.Generator], Cast]] = {
    "demo": _demo,
    "crowd": _crowd,
    "crossing": _crossing,
    "empty": _empty,
}
