"""The list of public keys that may come in: a file, or the .pub files of a folder, as they are now.

A key that is added counts at once. One that is missing counts as withdrawn when it is missing twice
in a row: editors put a new file in the place of the old one, and for a moment there is none.
"""

import logging
from pathlib import Path

from pipeline.errors import AccessError
from pipeline.keys import parse_public

MOST_FILES = 4_096
LARGEST_LIST_BYTES = 2**20
SUFFIX = ".pub"

Stamp = tuple[int, int, int]  # of a file: time of its last change, size, inode

log = logging.getLogger("maskstream.publish")


class AllowList:
    """Public keys in a file or folder. Belongs to one thread.

    :raises AccessError: when there is none, or it cannot be read. Later on, what cannot be read
        allows nobody, and is logged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Path, tuple[Stamp, frozenset[str]]] = {}
        self._missing: frozenset[str] = frozenset()
        self._told = ""
        for file in _files(path):
            self._keys_in(file)
        self.keys = self._found()

    def look(self) -> frozenset[str]:
        """Read what has changed; the keys that have just been withdrawn."""
        try:
            found = self._found()
        except AccessError as error:
            found = frozenset()
            self._complain(error)
        missing = self.keys - found
        withdrawn = missing & self._missing
        self.keys, self._missing = (self.keys | found) - withdrawn, missing - withdrawn
        return withdrawn

    def _found(self) -> frozenset[str]:
        files = _files(self._path)
        self._known = {file: known for file, known in self._known.items() if file in files}
        keys: set[str] = set()
        for file in files:
            try:
                keys |= self._keys_in(file)
            except AccessError as error:
                self._known.pop(file, None)
                self._complain(error)
        return frozenset(keys)

    def _keys_in(self, file: Path) -> frozenset[str]:
        try:
            stat = file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if file not in self._known or self._known[file][0] != stamp:
                with file.open("rb") as stream:
                    text = stream.read(LARGEST_LIST_BYTES).decode("utf-8", "replace")
                self._known[file] = stamp, frozenset(parse_public(text, file))
        except OSError as error:
            raise _unreadable(file, error) from error
        return self._known[file][1]

    def _complain(self, error: AccessError) -> None:
        if str(error) != self._told:
            self._told = str(error)
            log.warning("%s", error)


def _files(path: Path) -> set[Path]:
    """Where to look: the file itself, or what is in the folder."""
    try:
        if not path.is_dir():
            return {path}
        files = {file for file in path.iterdir() if file.suffix == SUFFIX}
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(files) > MOST_FILES:
        raise AccessError(
            where=str(path),
            wanted=f"up to {MOST_FILES} files of keys",
            got=str(len(files)),
            remedy="Put the keys into one file, one a line",
        )
    return files


def _unreadable(path: Path, error: OSError) -> AccessError:
    return AccessError(
        where=str(path),
        wanted="a file of public keys, or a folder of .pub files",
        got=error.strerror or str(error),
        remedy="Make the folder and copy the .pub file of each subscriber into it",
    )
