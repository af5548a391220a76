"""A colour for every track: the same as long as the track lives, unlike its neighbours'."""

import colorsys
from functools import lru_cache

Colour = tuple[int, int, int]
"""Blue, green, red, 0 to 255."""

UNTRACKED: Colour = (170, 170, 170)
DARK: Colour = (20, 20, 20)
LIGHT: Colour = (255, 255, 255)

GOLDEN_RATIO = 0.618033988749895
"""Hues this far apart (mod 1) stay well spread, however many there are."""

SHADES = ((0.85, 1.00), (0.65, 0.95), (0.95, 0.78))
"""Saturation and value, taken in turn: neighbours in hue differ in these."""


@lru_cache(maxsize=1024)
def track_colour(track_id: int) -> Colour:
    """The colour of a track; grey for the untracked (below 0)."""
    if track_id < 0:
        return UNTRACKED
    saturation, value = SHADES[track_id % len(SHADES)]
    red, green, blue = colorsys.hsv_to_rgb(track_id * GOLDEN_RATIO % 1.0, saturation, value)
    return round(blue * 255), round(green * 255), round(red * 255)


def text_colour(background: Colour) -> Colour:
    """Dark or light, whichever reads better on ``background`` (luma of ITU-R BT.601)."""
    blue, green, red = background
    return DARK if 0.114 * blue + 0.587 * green + 0.299 * red > 115 else LIGHT
