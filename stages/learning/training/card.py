"""The card of a training: what it learnt from, how, and how good it became; for people and JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FIGURES = ("mask.AP", "mask.AP50", "mask.AP75", "box.AP", "mask.AR100")


@dataclass(kw_only=True)
class Record:
    """What is known of a training so far; it is part of the saved state."""

    best_ap: float | None = None
    best_iteration: int | None = None
    measured: list[dict[str, Any]] = field(default_factory=list)
    """Each measurement on the way, as ``Measured.plain`` gives it."""
    losses: list[tuple[int, float, float]] = field(default_factory=list)
    """Now and then: iteration, class loss, mask loss."""
    spoilt: list[str] = field(default_factory=list)
    """Pictures that were skipped, a message each."""
    skips: int = 0
    """How often one was."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that the card says. ``final``: the best weights on all validation pictures."""

    network: str
    classes: Sequence[str]
    data: Sequence[str]
    start: Sequence[str]
    settings: Mapping[str, Any]
    facts: Mapping[str, str]
    """Iterations, minutes, seed, versions."""
    record: Record
    left_out: Sequence[str]
    """Validation pictures that were not measured on, a message each."""
    final: Mapping[str, Any] | None
    missed_files: int

    def write_json(self, path: Path) -> None:
        """Everything."""
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False))

    def write_markdown(self, path: Path) -> None:
        """What a person wants to know."""
        path.write_text("\n".join(self._lines()) + "\n")

    def _lines(self) -> list[str]:
        weights = f"`best.safetensors`: {self.network} for {', '.join(self.classes)}."
        use = "Use: `run_stream.py run SOURCE --weights best.safetensors`."
        return [
            f"# {self.network}: {', '.join(self.classes[:6])}", "", weights, use, "",
            "## How good it is", "", *self._figures(), "",
            "## What it learnt from", "", *(f"- {line}" for line in self.data), "",
            "## How", "", *(f"- {line}" for line in self.start),
            *(f"- {name}: {value}" for name, value in self.facts.items()), "",
            *self._losses(), "", *self._trouble(),
            "Settings that differ from the defaults, and all others, are in `card.json`.",
        ]  # fmt: skip

    def _figures(self) -> list[str]:
        if self.final is None:
            return ["It was not measured on validation pictures."]
        head = ["class", *FIGURES]
        rows = [
            [name, *(_percent(figures[one]) for one in FIGURES)]
            for name, figures in self.final["classes"].items()
        ]
        about = (
            f"On {self.final['pictures']} validation pictures, in percent, as pycocotools counts. "
            f"The weights are those of iteration {self.record.best_iteration}."
        )
        return [about, "", *_table(head, rows), "", *self._curve()]

    def _curve(self) -> list[str]:
        rows = [
            [str(one["iteration"]), *(_percent(c["mask.AP"]) for c in one["classes"].values())]
            for one in self.record.measured
        ]
        return ["Mask AP on the way:", "", *_table(["iteration", *self.classes], rows)]

    def _losses(self) -> list[str]:
        rows = [[str(n), f"{one:.3f}", f"{two:.3f}"] for n, one, two in self.record.losses[-20:]]
        return _table(["iteration", "class loss", "mask loss"], rows)

    def _trouble(self) -> list[str]:
        lines = []
        if self.record.skips:
            lines.append(f"{self.record.skips} times a training picture could not be decoded:")
            lines += [f"- {message}" for message in self.record.spoilt[:20]]
        if self.left_out:
            lines.append(f"{len(self.left_out)} validation pictures could not be decoded:")
            lines += [f"- {message}" for message in self.left_out[:20]]
        if self.missed_files:
            lines.append(f"{self.missed_files} files could not be written: the disk was full.")
        return [*lines, ""] if lines else []


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
