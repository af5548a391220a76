"""What training frameworks put around the tensors: where the state dict is, what ``meta`` says."""

from pathlib import Path
from typing import Any

from pipeline.errors import CheckpointMismatch

from .pickles import Placeholder, TensorRef

_MAX_FACT_CHARACTERS = 80


def state_dict(path: Path, content: Any) -> dict[str, TensorRef]:
    """The state dict: ``content`` itself or a member of it, without a wrapper's ``module.``.

    :raises CheckpointMismatch: there is none.
    """
    state = content
    for member in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(member), dict):
            state = content[member]
            break
    entries = state if isinstance(state, dict) else {}
    strange = [
        f"{key} ({_kind(value)})"
        for key, value in entries.items()
        if not (isinstance(key, str) and isinstance(value, TensorRef))
    ]
    if strange or not entries:
        raise CheckpointMismatch(
            where=str(path),
            wanted="a state dict: names and their tensors",
            got=f"entries like {', '.join(strange[:3])}" if strange else _kind(state),
            remedy="Save the network's state_dict() with torch.save.",
        )
    if all(key.startswith("module.") for key in entries):
        return {key.removeprefix("module."): ref for key, ref in entries.items()}
    return dict(entries)


def _kind(value: object) -> str:
    if isinstance(value, Placeholder):
        return value.origin
    return "an empty dictionary" if value == {} else type(value).__name__


def class_names(meta: Any) -> tuple[str, ...] | None:
    """Class names where mmdetection 3 (``dataset_meta``) or 2 and the original put them."""
    if not isinstance(meta, dict):
        return None
    dataset = meta.get("dataset_meta")
    for place in (dataset if isinstance(dataset, dict) else {}, meta):
        names = place.get("classes", place.get("CLASSES"))
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            return tuple(names)
    return None


def short_facts(meta: Any) -> dict[str, str]:
    """The short facts of a training's ``meta``: epoch, versions, time; not its configuration."""
    facts = meta.items() if isinstance(meta, dict) else ()
    texts = {str(key): str(value) for key, value in facts if isinstance(value, str | int | float)}
    return {key: text for key, text in texts.items() if len(text) <= _MAX_FACT_CHARACTERS}
