"""Deterministic weights and pictures of the reference numbers in ``data/golden``, numpy only.

Every tensor depends on its key, its shape and the seed alone. Floats are rounded to multiples of
2⁻²⁰, so that the last bits of the platform's libm do not matter.
"""

import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Shapes = Mapping[str, Sequence[int]]
Array = NDArray[np.generic]

SEED = 20240817
_QUANTUM = 2.0**-20
_RESIDUAL_SCALE = 0.3  # keeps the sums of a deep random network from exploding
_CONVOLUTIONS = (  # of the key without its leaf: gain of the weight, shift of the bias
    (re.compile(r"^mask_head\.conv_cls$"), 3.2, -13.5),
    (re.compile(r"^mask_head\.conv_kernel$"), 0.25, -0.02),
    (re.compile(r"\.conv_offset$"), 0.5, 0.0),
    (re.compile(r""), 1.0, 0.0),
)


def make_weights(shapes: Shapes, seed: int = SEED) -> dict[str, Array]:
    """A state dict for a table of keys and shapes: float32, counters int64."""
    return {key: _tensor(key, shapes, seed) for key in shapes}


def weights_sha256(tensors: Mapping[str, Array]) -> str:
    """The digest by which two implementations of the recipe are compared."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        array = np.ascontiguousarray(tensors[key])  # makes (1,) of a counter, as the digests did
        digest.update(key.encode() + b"\0" + repr(array.shape).encode() + b"\0")
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def pseudo_image(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of smooth gradients, discs, boxes and an integer texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = (x + 0.5) / width, (y + 0.5) / height
    image = np.stack([40.0 + 120.0 * u, 60.0 + 100.0 * v, 150.0 - 100.0 * u * v], axis=-1)
    for index in range(24):
        cx, cy, size, aspect = rng.random(4)
        colour = 255.0 * rng.random(3)
        dx, dy = x - cx * width, y - cy * height
        r = (0.02 + 0.18 * size * size) * min(height, width)
        disc = dx**2 + dy**2 <= r * r
        box = (abs(dx) <= r * (0.5 + aspect)) & (abs(dy) <= r * (1.5 - aspect))
        inside = box if index % 2 else disc
        image[inside] = 0.25 * image[inside] + 0.75 * colour
    texture = rng.integers(-12, 13, size=image.shape)
    picture: NDArray[np.uint8] = np.clip(np.floor(image) + texture, 0, 255).astype(np.uint8)
    return picture


def _tensor(key: str, shapes: Shapes, seed: int) -> Array:
    shape = tuple(shapes[key])
    module, leaf = key.rsplit(".", 1)
    rng = np.random.default_rng(zlib.crc32(key.encode()) ^ seed)
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf == "running_var":
        values = 0.5 + rng.random(shape)
    elif leaf == "running_mean":
        values = 0.1 * rng.standard_normal(shape)
    elif leaf == "weight":
        values = _scale(key, shapes, rng) if len(shape) == 1 else _filters(module, shape, rng)
    else:
        values = 0.1 * rng.standard_normal(shape)
        if len(shapes.get(f"{module}.weight", ())) == 4:
            values = _rule(module)[1] + values
    return (np.round(values / _QUANTUM) * _QUANTUM).astype(np.float32)


def _scale(key: str, shapes: Shapes, rng: np.random.Generator) -> NDArray[np.float64]:
    values = 0.5 + rng.random(tuple(shapes[key]))
    block = re.match(r"^(backbone\.layer\d+\.\d+)\.bn([23])\.weight$", key)
    if block and (block[2] == "3" or f"{block[1]}.bn3.weight" not in shapes):
        return values * _RESIDUAL_SCALE  # the last norm of a residual block
    return values


def _filters(module: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    values = rng.standard_normal(shape)
    values = values - values.mean(axis=(1, 2, 3), keepdims=True)
    fan_in = shape[1] * shape[2] * shape[3]
    scaled: NDArray[np.float64] = values * (_rule(module)[0] * np.sqrt(2.0 / fan_in))
    return scaled


def _rule(module: str) -> tuple[float, float]:
    return next((gain, shift) for rule, gain, shift in _CONVOLUTIONS if rule.search(module))
