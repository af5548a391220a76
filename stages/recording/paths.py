"""Where the files of a recording lie, and what of an earlier one makes way for it."""

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import RecordError

LOG = logging.getLogger("maskstream.record")


class Paths:
    """The names of one stream's files in ``directory``: ``lines`` for JSON lines, ``exports``.

    What is neither letter, digit, dash nor underscore in the stream's name becomes a dash.
    """

    def __init__(self, directory: Path, stream: str) -> None:
        self._directory = directory
        self._stem = re.sub(r"[^\w-]", "-", stream)  # no dots: they separate the parts
        self._parts = 0
        self.lines = directory / f"{self._stem}.jsonl"
        self.exports = {
            "coco": directory / f"{self._stem}.coco.json",
            "mots": directory / f"{self._stem}.txt",
        }

    def next_video(self) -> Path:
        """A file for the next part of the video: ``<stream>.mp4``, ``<stream>.2.mp4`` …"""
        self._parts += 1
        return self._video("" if self._parts == 1 else f".{self._parts}")

    def clear(self, *, overwrite: bool, sources: Sequence[Path], also: Sequence[Path] = ()) -> None:
        """Remove the files of an earlier recording, and ``also``, all or none.

        :raises RecordError: when one is among ``sources``, or must stay, or cannot be removed.
        """
        earlier = self._earlier(also)
        for path in earlier:
            if any(os.path.exists(source) and path.samefile(source) for source in sources):
                raise refused(path, "the file that is being read")
            if not overwrite:
                raise refused(path, "an earlier recording")
        for path in earlier:
            LOG.info("replacing %s", path)
            try:
                path.unlink()
            except OSError as error:
                raise refused(path, error.strerror or str(error)) from error

    def _video(self, part: str) -> Path:
        return self._directory / f"{self._stem}{part}.mp4"

    def _earlier(self, also: Sequence[Path]) -> list[Path]:
        parts = self._directory.glob(f"{self._stem}.*.mp4")
        numbered = [path for path in parts if path.suffixes[0][1:].isdecimal()]
        ours = (self.lines, self._video(""), *numbered, *also)
        return [path for path in ours if path.exists()]


def refused(path: Path, what: str) -> RecordError:
    """The error of a recording that cannot begin because of ``what`` at ``path``."""
    return RecordError(
        where=str(path),
        wanted="to record there",
        got=what,
        remedy="Choose another directory with --record DIR",
    )
