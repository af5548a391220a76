"""Precision-recall curves as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError, Mistake
from stages.judging.mask_score import Curve

from .report import writing

MOST_LINES = 12
"""More are not told apart: the best by area are drawn."""


def draw_curves(path: Path, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Precision over recall, a line a class and network, as a PNG.

    :raises ConfigError: when matplotlib is not installed.
    :raises RecordError: when the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  (only a picture needs it)
    except ImportError as error:
        mistake = Mistake("matplotlib", "the package matplotlib", "no such package")
        raise ConfigError("evaluate", [mistake], "Run `uv sync --group learn`") from error
    every = [(network, curve) for network, mine in curves.items() for curve in mine]
    best = sorted(every, key=lambda one: -float(one[1].precision.mean()))[:MOST_LINES]
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.add_subplot()
    for network, curve in best:
        name = f"{network}: {curve.name}" if len(curves) > 1 else curve.name
        area = 100 * float(curve.precision.mean())
        axes.plot(np.linspace(0, 1, 101), curve.precision, label=f"{name} {area:.1f}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    iou = best[0][1].iou if best else 0.5
    left_out = f", the best {MOST_LINES} of {len(every)}" if len(every) > len(best) else ""
    axes.set_title(f"masks at IoU {iou:.2f}: AP in percent{left_out}")
    axes.grid(alpha=0.3)
    if best:
        axes.legend(loc="lower left", fontsize="small")
    with writing(path):
        figure.savefig(path, dpi=120)
