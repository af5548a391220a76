"""How sure a network must be before it reports an instance."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Thresholds:
    """mmdetection's test settings by our names (theirs in brackets), and one of our own."""

    score: float = 0.1
    """Class score that a cell must exceed (score_thr)."""
    mask: float = 0.5
    """Soft value that a pixel must exceed (mask_thr)."""
    filter: float = 0.3
    """Final score that an instance must reach (filter_thr, 0.05 there); 0 lets all pass."""
    candidates: int = 500
    """Masks, best first, that enter Matrix NMS (nms_pre)."""
    max_instances: int = 100
    """Most instances of one picture (max_per_img)."""
    kernel: Literal["gaussian", "linear"] = "gaussian"
    """How overlap lowers a score in Matrix NMS."""
    sigma: float = 2.0
    """Strength of the gaussian kernel."""
    products: int = 500
    """Pairs of class and cell, best class score first, whose masks are computed; mmdetection: all.

    Nothing is lost while no more of them exceed the score and filter thresholds. mmdetection's own
    reference pictures have up to 213 above its 0.1, and 735 above 0.01. A CPU computes only those
    that exceed; on a device all are, with 4 bytes for each and each pixel of a quarter of the
    canvas (43 MB a picture at 448x768).
    """
