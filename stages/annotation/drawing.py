"""Drawing one instance onto a canvas, only inside its box. All arrays are BGR uint8 (H, W, 3)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.masks import Bits

from .palette import DARK, Colour, text_colour

Canvas = NDArray[np.uint8]

Point = tuple[int, int]
"""x, y in px."""

FONT = cv2.FONT_HERSHEY_SIMPLEX
SMALLEST_LABELLED_PX = 48
"""No labels in pictures lower than this: nobody could read them."""


@dataclass(frozen=True)
class Pen:
    """Sizes that suit a picture: width of a line, px, and scale of the font."""

    line_px: int
    font_scale: float

    @property
    def edge_px(self) -> int:
        """Width of the dark line under a line: a rim of 1 px, none in small pictures."""
        return self.line_px + 2 if self.line_px > 1 else self.line_px

    @classmethod
    def for_picture(cls, height: int, width: int, scale: float = 1.0) -> "Pen":
        """``scale`` makes all of it larger or smaller."""
        size = scale * (height * width) ** 0.5
        return cls(max(1, round(size / 350)), max(0.35, size / 1300))


def draw_mask(canvas: Canvas, origin: Point, bits: Bits, colour: Colour, opacity: float) -> None:
    """Tint the pixels of ``bits``, whose upper left corner is at ``origin``."""
    if not bits.size:
        return
    (x, y), (h, w) = origin, bits.shape
    window = canvas[y : y + h, x : x + w]
    tinted = cv2.LUT(window, tint_table(colour, opacity))
    cv2.copyTo(tinted, bits.view(np.uint8), window)


def tint_table(colour: Colour, opacity: float) -> Canvas:
    """What each value becomes under the tint, for each channel: (1, 256, 3)."""
    values = np.arange(256)[:, None] * (1 - opacity) + np.array(colour)[None] * opacity
    return np.rint(values).astype(np.uint8)[None]


def draw_contour(canvas: Canvas, origin: Point, bits: Bits, colour: Colour, pen: Pen) -> None:
    """A line around ``bits``, dark-edged so that it shows on any ground."""
    if not bits.size:
        return
    contours, _ = cv2.findContours(
        bits.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=origin
    )
    cv2.polylines(canvas, contours, True, DARK, pen.edge_px)
    cv2.polylines(canvas, contours, True, colour, pen.line_px)


def draw_box(canvas: Canvas, box: NDArray[np.float32], colour: Colour, pen: Pen) -> None:
    """The dark-edged frame of ``box`` x0 y0 x1 y1 px; its right and lower edges are exclusive."""
    x0, y0, x1, y1 = np.rint(box).astype(int).tolist()
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), DARK, pen.edge_px)
    cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour, pen.line_px)


def draw_label(
    canvas: Canvas, box: NDArray[np.float32], text: str, colour: Colour, pen: Pen
) -> None:
    """``text`` on a filled ground above the box, or inside when there is no room above."""
    height, width = canvas.shape[:2]
    if height < SMALLEST_LABELLED_PX:
        return
    stroke = max(1, round(pen.font_scale * 1.6))
    (text_w, text_h), below = cv2.getTextSize(text, FONT, pen.font_scale, stroke)
    pad = max(2, text_h // 4)
    label_w, label_h = text_w + 2 * pad, text_h + below // 2 + 2 * pad
    x = min(max(round(float(box[0])), 0), max(width - label_w, 0))
    top = round(float(box[1])) - label_h
    y = top if top >= 0 else min(max(round(float(box[1])), 0), max(height - label_h, 0))
    cv2.rectangle(canvas, (x, y), (x + label_w - 1, y + label_h - 1), colour, cv2.FILLED)
    origin = (x + pad, y + pad + text_h)
    cv2.putText(
        canvas, text, origin, FONT, pen.font_scale, text_colour(colour), stroke, cv2.LINE_AA
    )
