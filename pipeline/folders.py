"""The folders that are written to, tried before anything is computed."""

import tempfile
from pathlib import Path

from .errors import RecordError


def check_writable(folder: Path, option: str) -> None:
    """Make ``folder`` if it is not there, and see that files can be made in it.

    ``option``: what it is given with, such as ``--out``.

    :raises RecordError: when not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise RecordError(
            where=f"{option} {folder}",
            wanted="a folder that can be written to",
            got=error.strerror or str(error),
            remedy=f"Choose another with {option} DIR.",
        ) from error
