"""What was measured on pictures, as tables and as ``metrics.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.judging.mask_score import KINDS, ClassScore, Curve, Kind

from .report import percent, print_table

SHOWN = ("AP", "AP50", "AP75", "APsmall", "APmedium", "APlarge", "AR1", "AR100")
HEADER = ("instances", "AP", "AP50", "AP75", "small", "medium", "large", "AR1", "AR100")
PARTS = ("prepare", "network", "collect")


@dataclass(frozen=True)
class Judged:
    """One network, or one file of results: its figures, ``classes`` one by one, and its speed."""

    name: str
    overall: ClassScore
    classes: tuple[ClassScore, ...]
    curves: tuple[Curve, ...]
    frames_per_s: float | None = None
    parts_ms: Mapping[str, float] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """As in ``metrics.json``."""
        speed = {f"speed.{part}_ms": spent for part, spent in self.parts_ms.items()}
        if self.frames_per_s is not None:
            speed["speed.frames_per_s"] = self.frames_per_s
        classes = {one.name: {"instances": one.instances} | one.figures() for one in self.classes}
        overall = {"instances": self.overall.instances} | self.overall.figures()
        return overall | speed | {"classes": classes}

    def row(self, kind: Kind, score: ClassScore) -> list[str]:
        """A line of a table: one class, or all."""
        figures = getattr(score, kind)
        return [score.name, str(score.instances), *(percent(figures[name]) for name in SHOWN)]

    def trade(self) -> list[str]:
        """A line of the table that puts networks side by side."""
        figures = self.overall.figures()
        rates = [percent(figures[name]) for name in ("mask.AP", "mask.AP50", "box.AP")]
        speed = "–" if self.frames_per_s is None else f"{self.frames_per_s:.1f}"
        parts = (f"{self.parts_ms[p]:.1f} ms" if p in self.parts_ms else "–" for p in PARTS)
        return [self.name, *rates, speed, *parts]


def print_judged(title: str, judged: Sequence[Judged]) -> None:
    """Masks and boxes of each network, then the networks side by side."""
    for each in judged:
        for kind in KINDS:
            rows = [each.row(kind, score) for score in (each.overall, *each.classes)]
            what = {"mask": "masks", "box": "boxes"}[kind]
            print_table(f"{each.name}, {what}, {title}", ("class", *HEADER), rows)
    print_table(
        "accuracy and speed, one picture at a time",
        ("network", "mask AP", "AP50", "box AP", "frames/s", *PARTS),
        [each.trade() for each in judged],
    )


def metrics_of(judged: Sequence[Judged]) -> dict[str, Any]:
    """The figures of one network; of several, by their names under ``networks``."""
    if len(judged) == 1:
        return judged[0].metrics()
    return {"networks": {each.name: each.metrics() for each in judged}}
