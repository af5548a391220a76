"""A sheet of pictures: the truth on the left, what the network says on the right."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.masks import Masks
from stages.networks.segmenter import Found

from ..coco import Annotation
from ..sample import Picture

CELL = (480, 320)
"""Width and height of one picture on the sheet, px."""
LEAST_SCORE = 0.3
"""What scores lower is not drawn, as it is not reported at use."""
_CROWD = (128, 128, 128)
_GAP_PX = 4
_QUALITY = 88


def row(
    picture: Picture, truths: Sequence[Annotation], found: Found, classes: Sequence[str]
) -> Picture:
    """One picture twice, side by side: with its truth, with what was found."""
    height, width = picture.shape[:2]
    true, said = picture.copy(), picture.copy()
    for number, truth in enumerate(truths):
        name = "crowd" if truth.is_crowd else classes[truth.label]
        colour = _CROWD if truth.is_crowd else _colour(number)
        _draw(true, truth.mask.view(np.bool_), name, colour)
    masks = Masks.from_crops(height, width, found.crops)
    for number, (score, label) in enumerate(zip(found.scores, found.classes, strict=True)):
        if score >= LEAST_SCORE:
            text = f"{classes[int(label)]} {score:.2f}"
            _draw(said, masks.dense(number), text, _colour(number))
    gap = np.full((CELL[1], _GAP_PX, 3), 255, np.uint8)
    return np.hstack([_fit(true), gap, _fit(said)])


def write(path: Path, rows: Sequence[Picture]) -> None:
    """Write rows below one another as a JPEG.

    :raises OSError: when that is not possible.
    """
    _, data = cv2.imencode(".jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    path.write_bytes(data.tobytes())


def _colour(number: int) -> tuple[int, int, int]:
    hue = np.array([[[number * 47 % 180, 220, 255]]], np.uint8)
    b, g, r = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return b, g, r


def _draw(
    picture: Picture, mask: NDArray[np.bool_], text: str, colour: tuple[int, int, int]
) -> None:
    """Tint what the mask covers, draw its outline and a word, in place."""
    picture[mask] = (0.55 * picture[mask] + 0.45 * np.array(colour)).astype(np.uint8)
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    cv2.drawContours(picture, outlines, -1, colour, 1)
    if outlines:
        x, y, _, _ = cv2.boundingRect(max(outlines, key=len))
        for shade, width in (((0, 0, 0), 3), (colour, 1)):
            cv2.putText(
                picture, text, (x + 2, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, shade, width,
                cv2.LINE_AA,
            )  # fmt: skip


def _fit(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    factor = min(CELL[0] / width, CELL[1] / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    cell = np.full((CELL[1], CELL[0], 3), 255, np.uint8)
    cell[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return cell
