"""Files of a training: written whole or not at all, and what happens when there is no room."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import CheckpointMismatch, TrainingError, WeightsError
from stages.networks.checkpoint import Metadata, Preprocessing, save
from stages.networks.solov2.spec import Spec

log = logging.getLogger("maskstream.learning")
_HALF_LIMIT = 60000.0


class Keeper:
    """Writes files. ``goes_on``: what cannot be written is counted in ``missed`` and said."""

    def __init__(self, goes_on: bool) -> None:
        self._goes_on = goes_on
        self.missed = 0

    def keep(self, path: Path, write: Callable[[Path], None]) -> bool:
        """Let ``write`` write a file beside ``path`` and put it in its place; whether that worked.

        A kill meanwhile, a pulled plug or a full disk leave the file that was there before.

        :raises TrainingError: when it cannot be written, unless such is only counted.
        """
        partial = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(partial)
            _settle(partial)
            partial.replace(path)
        except (OSError, WeightsError, RuntimeError) as error:  # torch wraps what its file raises
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            self._lost(path, error)
            return False
        return True

    def _lost(self, path: Path, error: Exception) -> None:
        reason = _reason(error)
        if not self._goes_on:
            raise TrainingError(
                where=str(path),
                wanted="to write a file of the training",
                got=reason,
                remedy="Make room and give the same command again: it goes on from the last state.",
            ) from error
        self.missed += 1
        log.warning("%s could not be written (%s); going on, %d missed", path, reason, self.missed)


def _reason(error: BaseException) -> str:
    """Why, in the system's words: torch hides these behind its own."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        inner = inner.__cause__ or inner.__context__
    return " ".join(str(error).split())[:200]


def _settle(path: Path) -> None:
    """See that the file is on the disk, before it takes the place of a good one."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Nobody else trains in this folder meanwhile: two would write the same files.

    :raises TrainingError: when somebody does.
    """
    place = os.open(folder, os.O_RDONLY)
    try:
        _claim(place, folder)
        yield
    finally:
        os.close(place)


def _claim(place: int, folder: Path) -> None:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which ends with the process
    except BlockingIOError as error:
        raise TrainingError(
            where=str(folder),
            wanted="a folder for this training alone",
            got="another training under way in it",
            remedy="Wait for its end, or choose another with --out DIR.",
        ) from error


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state for :func:`load_state`."""
    with path.open("wb") as stream:
        torch.save(state, stream)


def load_state(path: Path, device: torch.device) -> dict[str, Any]:
    """What :func:`save_state` wrote; nothing in the file is executed.

    :raises CheckpointMismatch: when the file is broken.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # reading rubbish stumbles over anything
        raise not_this_training(path, error) from error
    return state


def not_this_training(path: Path, reason: object) -> CheckpointMismatch:
    """The error for a state that does not go with a training."""
    return CheckpointMismatch(
        where=str(path),
        wanted="the state of this training",
        got=" ".join(str(reason).split())[:300] or type(reason).__name__,
        remedy="Remove the file to start anew, or give another --out.",
    )


def save_weights(path: Path, tensors: dict[str, Tensor], spec: Spec, notes: dict[str, str]) -> None:
    """Write weights in half precision, with what one must know to use them.

    What would overflow there stays as it is.
    """
    preprocessing = Preprocessing(spec.channel_order, spec.mean, spec.std)
    kept = {
        key: _half(value)
        for key, value in tensors.items()
        if not key.endswith("num_batches_tracked")
    }
    save(path, kept, Metadata(spec.name, spec.classes, preprocessing, notes))


def _half(tensor: Tensor) -> Tensor:
    fits = tensor.is_floating_point() and float(tensor.abs().amax()) < _HALF_LIMIT
    return tensor.half() if fits else tensor
