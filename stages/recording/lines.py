"""A file of lines, each handed over in one piece: a kill or a full disk leaves no half of one."""

from pathlib import Path

from pipeline.errors import RecordError


class LineWriter:
    """Appends lines to a file, each handed to the operating system at once. One thread."""

    def __init__(self, path: Path) -> None:
        """Open the file; it is made when it is not there.

        :raises RecordError: when it cannot be opened.
        """
        self.path = path
        try:
            self._file = path.open("ab", buffering=0)
            self._whole_bytes = path.stat().st_size
        except OSError as error:
            raise failed(self.path, "a line", error) from error

    def write(self, line: bytes) -> None:
        """Append ``line``, which has no end of line itself.

        :raises RecordError: when it cannot be written whole; what was written of it is cut off.
        """
        rest = memoryview(line + b"\n")
        length_bytes = len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._cut()
            raise failed(self.path, "a line", error) from error
        self._whole_bytes += length_bytes

    def close(self) -> None:
        """Close the file. Closing again does nothing.

        :raises RecordError: when the file system only now says that it failed.
        """
        try:
            self._file.close()
        except OSError as error:
            raise failed(self.path, "a line", error) from error

    def _cut(self) -> None:
        try:
            self._file.truncate(self._whole_bytes)
        except OSError:
            return  # a device such as /dev/full has no length; the error under way says enough


def failed(path: Path, what: str, error: OSError) -> RecordError:
    """The error of a file that ``what`` cannot be written to."""
    return RecordError(
        where=str(path),
        wanted=f"to write {what}",
        got=error.strerror or str(error),
        remedy="Free some space or choose another directory",
    )
