"""Random views of a sample: scaled, mirrored, cut to a canvas, recoloured, blurred."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from .cutouts import Matrix
from .sample import Picture, Sample

Canvas = tuple[int, int]
"""Height and width, px."""

LEAST_AREA_PX = 32
"""A visible mask of fewer pixels teaches nothing at a quarter of the resolution."""
LEAST_VISIBLE = 0.3
"""A thing of which less lies inside the canvas is not asked for."""
UNCHANGED_SHARE = 0.25
PADDING = (104, 116, 124)
"""BGR of what lies outside: about the networks' mean, as at use, where padding is normalised 0."""
ZOOM = (0.8, 2.0)


def random_view(rng: np.random.Generator, size: Canvas, canvas: Canvas) -> Matrix:
    """Scale, mirror and place a picture of ``size``.

    A share fits the canvas as at use; the others are scaled from somewhere between fitting and
    covering it. What is larger than the canvas is cut at a random place; what is smaller lies in
    the upper left corner (as at use) or anywhere.
    """
    fitting, covering = sorted((canvas[0] / size[0], canvas[1] / size[1]))
    scale = fitting
    if rng.random() >= UNCHANGED_SHARE:
        scale *= (covering / fitting) ** rng.random() * np.exp(rng.uniform(*np.log(ZOOM)))
    at_corner = rng.random() < 0.5
    offsets = []
    for length, room in zip(size, canvas, strict=True):
        spare = room - length * scale
        offsets.append(0.0 if spare > 0 and at_corner else rng.uniform(0, 1) * spare)
    half = (scale - 1) / 2  # pixel centres lie at whole numbers
    view = np.array([[scale, 0, offsets[1] + half], [0, scale, offsets[0] + half]])
    if rng.random() < 0.5:
        view = view @ np.array([[-1, 0, size[1] - 1], [0, 1, 0], [0, 0, 1]])
    return view


def warp(sample: Sample, view: Matrix, canvas: Canvas) -> Sample:
    """``sample`` seen through ``view``; masks cut off or tiny go to ``ignore``."""
    factor = abs(float(np.linalg.det(view[:, :2])))
    image = _warp(sample.image, view, canvas, PADDING)
    ignore = _warp(sample.ignore.view(np.uint8) * np.uint8(255), view, canvas) > 127
    masks = [_warp(mask * np.uint8(255), view, canvas) > 127 for mask in sample.masks]
    wholes = [factor * np.count_nonzero(mask) for mask in sample.masks]
    return settle(image, masks, sample.classes.tolist(), ignore, wholes=wholes)


def settle(
    image: Picture,
    masks: Sequence[NDArray[np.bool_]],
    labels: Sequence[int],
    ignore: NDArray[np.bool_],
    *,
    wholes: Sequence[float],
    least_visible: float = LEAST_VISIBLE,
) -> Sample:
    """A sample of what is visible enough; the rest of the (H, W) ``masks`` joins ``ignore``.

    ``wholes``: the area of each thing if nothing hid it, px².
    """
    kept: list[int] = []
    ignore = ignore.copy()
    for index, (mask, whole) in enumerate(zip(masks, wholes, strict=True)):
        if np.count_nonzero(mask) >= max(LEAST_AREA_PX, least_visible * whole):
            kept.append(index)
        else:
            ignore |= mask
    stack = np.zeros((len(kept), *ignore.shape), np.uint8)
    for row, index in enumerate(kept):
        stack[row] = masks[index]
        ignore &= ~masks[index]
    return Sample(image, stack, np.array([labels[index] for index in kept], np.int64), ignore)


def recolour(rng: np.random.Generator, image: Picture) -> Picture:
    """Another exposure, contrast, white balance and saturation."""
    gain = rng.uniform(0.8, 1.2) * rng.uniform(0.94, 1.06, 3)
    gamma, lift = rng.uniform(0.8, 1.25), rng.uniform(-15, 15)
    levels = (np.arange(256) / 255.0)[:, None] ** gamma * 255 * gain + lift
    table = np.clip(levels, 0, 255).astype(np.uint8)[:, None]
    toned = np.asarray(cv2.LUT(image, table), np.uint8)
    saturation = rng.uniform(0.4, 1.3)
    grey = cv2.cvtColor(cv2.cvtColor(toned, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    mixed = cv2.addWeighted(toned, saturation, grey, 1 - saturation, 0)
    return np.asarray(mixed, np.uint8)


def degrade(rng: np.random.Generator, image: Picture) -> Picture:
    """Sometimes blurred, noisy or compressed, as cameras and networks do."""
    if rng.random() < 0.2:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4)), np.uint8)
    if rng.random() < 0.15:
        reach = int(rng.integers(4, 16))
        noise = rng.integers(-reach, reach + 1, image.shape, np.int8)
        image = np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)
    if rng.random() < 0.25:
        image = compress(image, int(rng.integers(25, 85)))
    return image


def compress(image: Picture, quality: int) -> Picture:
    """What is left of a picture after JPEG of a quality (1 to 100)."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _warp(
    array: NDArray[np.uint8], view: Matrix, canvas: Canvas, outside: Sequence[int] = (0,)
) -> NDArray[np.uint8]:
    warped = cv2.warpAffine(array, view, (canvas[1], canvas[0]), borderValue=tuple(outside))
    return np.asarray(warped, np.uint8)
