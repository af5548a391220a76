"""Reference numbers made by mmdetection: where they lie and how they are read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.networks.segmenter import Crop
from stages.networks.solov2.spec import SPECS, ResNetSpec, Spec
from stages.networks.thresholds import Thresholds

HERE = Path(__file__).parent / "data" / "golden"
SHARED = Path(__file__).parents[2] / "shared" / "golden"
EVERY_CELL = 400_000  # pairs of class and cell: more than any network has


@dataclass(frozen=True, eq=False)
class Golden:
    """The arrays of one file and what it says about them."""

    arrays: dict[str, NDArray[Any]]
    meta: dict[str, Any]

    def masks(self, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Packed masks as bool (N, H, W)."""
        packed = self.arrays[name]
        bits = np.unpackbits(packed, axis=1)[:, : shape[-2] * shape[-1]]
        return bits.reshape(len(packed), *shape[-2:]).astype(np.bool_)


def read_golden(name: str) -> Golden:
    """A file of the reference; those that are not in the repository may be beside it."""
    with np.load(_find(f"{name}.npz")) as stored:
        arrays = {key: stored[key] for key in stored.files if key != "meta"}
        return Golden(arrays, json.loads(str(stored["meta"])))


def key_table(spec: ResNetSpec) -> dict[str, Any]:
    """mmdetection's state dict, hyper-parameters and digests of a configuration."""
    table: dict[str, Any] = json.loads((HERE / f"{config_name(spec)}.json").read_text())
    return table


def config_name(spec: ResNetSpec) -> str:
    """``solov2-light-r18`` is mmdetection's ``solov2-light_r18_fpn``."""
    stem, _, backbone = spec.name.partition("-light-" if "light" in spec.name else "-")
    return f"{stem}{'-light' if 'light' in spec.name else ''}_{backbone}_fpn"


def spec_of(config: str) -> ResNetSpec:
    """The opposite of ``config_name``."""
    return next(spec for spec in SPECS if config_name(spec) == config)


def learning_spec(meta: dict[str, Any]) -> Spec:
    """The network whose targets and losses the reference has."""
    return Spec(
        name="golden",
        classes=tuple("abcdef"),
        grids=tuple(meta["num_grids"]),
        kernel_channels=32,
        long_px=224,
        short_px=160,
        scale_ranges=tuple((low, high) for low, high in meta["scale_ranges"]),
    )


def thresholds_of(test_cfg: dict[str, Any], products: int = EVERY_CELL) -> Thresholds:
    """mmdetection's settings by our names."""
    return Thresholds(
        score=test_cfg["score_thr"],
        mask=test_cfg["mask_thr"],
        filter=test_cfg["filter_thr"],
        candidates=test_cfg["nms_pre"],
        max_instances=test_cfg["max_per_img"],
        kernel=test_cfg["kernel"],
        sigma=test_cfg["sigma"],
        products=products,
    )


def dense(crop: Crop, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """A crop at the place where it belongs, bool (H, W)."""
    x, y, bits = crop
    mask = np.zeros(shape, np.bool_)
    mask[y : y + bits.shape[0], x : x + bits.shape[1]] = bits
    return mask


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union; of two empty masks 1."""
    union = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / union if union else 1.0


def _find(name: str) -> Path:
    for path in (HERE / name, *SHARED.glob(f"*/{name}")):
        if path.is_file():
            return path
    pytest.skip(f"{name} is neither in {HERE} nor below {SHARED}")
