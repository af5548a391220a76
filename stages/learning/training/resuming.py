"""Going on with a training that was stopped, if it is the same one."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .card import Record
from .keeping import load_state, not_this_training
from .settings import TrainSettings
from .trainer import Trainer

log = logging.getLogger("maskstream.learning")
FREE = frozenset(
    {
        "device",
        "threads",
        "workers",
        "watch",
        "save",
        "data.bad_pictures",
        "learn.iterations",
        "learn.epochs",
        "learn.minutes",
    }
)
"""Settings that may change when a training goes on."""


@dataclass(frozen=True)
class Prints:
    """What a training is known by: its ``fingerprint`` of settings, the digest of its labels."""

    settings: str
    labels: str


def resume(trainer: Trainer, prints: Prints, path: Path) -> Record:
    """The record of the training whose state lies at ``path``, or a new one.

    :raises CheckpointMismatch: the state is broken, or of other settings or labels.
    """
    if not path.exists():
        return Record()
    state = load_state(path, trainer.device)
    try:
        other = _differences(json.loads(state["settings"]), json.loads(prints.settings))
        if not other:
            trainer.restore(state["trainer"])
            record = Record(**state["record"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise not_this_training(path, error) from error
    if other:
        raise not_this_training(path, f"that of one with other settings: {', '.join(other)}")
    if state.get("labels", prints.labels) != prints.labels:
        raise not_this_training(path, "that of one from other labels: a file of them was changed")
    if trainer.ranks.leads:
        log.info("going on from iteration %d", trainer.iteration)
    return record


def fingerprint(settings: TrainSettings) -> str:
    """All settings as JSON; to go on, those that are not ``FREE`` must be the same."""
    return json.dumps(settings.model_dump(mode="json"), sort_keys=True)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted({*before, *now}):
        if prefix + key in FREE:
            continue
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += _differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} was {old}, is {new}")
    return found
