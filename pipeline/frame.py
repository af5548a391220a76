"""The record that flows: a Frame, to which each stage adds its column, and its Instances.

Nobody mutates an array that he did not make; a stage adds with ``dataclasses.replace``.
"""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .masks import Masks

PixelFormat = Literal["bgr24", "yuv420p", "jpeg"]
Matrix = Literal["bt601", "bt709", "bt2020"]
ClockName = Literal["rtcp", "arrival", "media"]
"""Which clock a frame's UTC time is from: the camera's (RTCP), ours at arrival, the file's own."""


class TrackState(IntEnum):
    """Where an instance stands in the life of its track."""

    UNTRACKED = 0
    TENTATIVE = 1
    TRACKED = 2


@dataclass(frozen=True, eq=False)
class Image:
    """A picture as it came: the decoder's own planes, or encoded bytes.

    ``bgr24``: one plane (H, W, 3). ``yuv420p``: Y (H, W), U and V (⌈H/2⌉, ⌈W/2⌉).
    ``jpeg``: one plane, the file's bytes; or none, when only the size is known.
    All planes are uint8, row-contiguous, not to be written to.
    ``sample_aspect``: width ÷ height of one pixel as shown.
    ``pipeline.picture.to_bgr`` makes any of them BGR.
    """

    format: PixelFormat
    planes: tuple[NDArray[np.uint8], ...]
    width: int
    height: int
    matrix: Matrix = "bt601"
    full_range: bool = False
    sample_aspect: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        half = ((self.height + 1) // 2, (self.width + 1) // 2)
        size = (self.height, self.width)
        wanted = {"bgr24": ((*size, 3),), "yuv420p": (size, half, half)}.get(self.format)
        shapes = tuple(plane.shape for plane in self.planes)
        if wanted is not None and shapes != wanted:
            raise ValueError(f"planes of {self.format} must have shapes {wanted}, got {shapes}")
        if any(plane.dtype != np.uint8 for plane in self.planes):
            kinds = tuple(str(plane.dtype) for plane in self.planes)
            raise ValueError(f"planes must be uint8, got {kinds}")

    def __repr__(self) -> str:
        return f"Image({self.format} {self.width}x{self.height} px)"

    @classmethod
    def from_bgr(cls, bgr: NDArray[np.uint8]) -> "Image":
        """A BGR array (H, W, 3) uint8 as an image."""
        return cls("bgr24", (bgr,), bgr.shape[1], bgr.shape[0])


@dataclass(frozen=True)
class Model:
    """What segmented a frame: the network's name, the weights' digest, the class names."""

    name: str
    weights: str
    classes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Instances:
    """The instances of one frame, as columns of length N, at source resolution.

    ``boxes`` (N, 4) float32 x0 y0 x1 y1 px · ``scores`` (N,) float32 · ``classes`` (N,) int32 ·
    ``masks`` N crops · ``track_ids`` (N,) int64, -1 = untracked · ``states`` (N,) TrackState.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    masks: Masks
    track_ids: NDArray[np.int64]
    states: NDArray[np.uint8]

    def __post_init__(self) -> None:
        n = len(self.masks)
        for name in ("scores", "classes", "track_ids", "states"):
            shape = getattr(self, name).shape
            if shape != (n,):
                raise ValueError(f"{name} must have shape ({n},), got {shape}")
        if self.boxes.shape != (n, 4):
            raise ValueError(f"boxes must have shape ({n}, 4), got {self.boxes.shape}")

    def __len__(self) -> int:
        return len(self.masks)

    def __repr__(self) -> str:
        return f"Instances({len(self)} in {self.masks.width}x{self.masks.height} px)"

    @classmethod
    def detected(
        cls,
        masks: Masks,
        scores: NDArray[np.float32],
        classes: NDArray[np.int32],
    ) -> "Instances":
        """Instances fresh from a network: boxes from the masks, no tracks yet."""
        n = len(masks)
        return cls(
            boxes=masks.boxes,
            scores=scores,
            classes=classes,
            masks=masks,
            track_ids=np.full(n, -1, np.int64),
            states=np.full(n, TrackState.UNTRACKED, np.uint8),
        )

    @classmethod
    def none(cls, height: int, width: int) -> "Instances":
        """No instances in a picture of that size."""
        return cls.detected(
            Masks.empty(height, width), np.zeros(0, np.float32), np.zeros(0, np.int32)
        )

    def select(self, indices: Iterable[int]) -> "Instances":
        """The instances at ``indices``, in that order.

        :raises TypeError: for a mask of bools: ``np.flatnonzero`` makes indices of it.
        """
        chosen = np.array([operator.index(i) for i in indices], np.intp)
        return Instances(
            boxes=self.boxes[chosen],
            scores=self.scores[chosen],
            classes=self.classes[chosen],
            masks=self.masks.select(chosen),
            track_ids=self.track_ids[chosen],
            states=self.states[chosen],
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """One captured picture and all that is known of it.

    ``epoch`` grows with every (re)connect or change of the picture's size; ``seq`` counts captured
    frames from 0 within it. ``dropped``: frames of this epoch with a lower seq that were lost, by
    reason, so that for the i-th delivered frame of an epoch: seq = i + Σ dropped.
    ``pts`` in units of ``time_base`` s. ``captured_ns`` is monotonic, ``captured_utc_ns`` from
    ``clock``. ``stages_ms``: how long each stage held the frame.
    """

    stream: str
    epoch: int
    seq: int
    pts: int | None
    time_base: Fraction
    captured_ns: int
    captured_utc_ns: int
    clock: ClockName
    image: Image | None
    instances: Instances | None = None
    ended: tuple[int, ...] = ()
    canvas: Image | None = None
    model: Model | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    stages_ms: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        parts = [f"{self.stream} epoch {self.epoch} seq {self.seq}", repr(self.image)]
        if self.instances is not None:
            parts.append(repr(self.instances))
        return f"Frame({', '.join(parts)})"

    @property
    def media_time_s(self) -> float | None:
        """Presentation time, s; None when the source gave no timestamp."""
        return None if self.pts is None else float(self.pts * self.time_base)
