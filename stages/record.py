"""Record: an MP4 of what was seen and a file of JSON lines of what was found, for each stream.

``DIR/<stream>.jsonl`` has one line a frame, exactly the ``meta`` header of the wire, ``pseq``
counting the lines. ``DIR/<stream>.mp4`` shows the annotated picture, else the plain one. When the
picture changes its size the video goes on in ``<stream>.2.mp4``, ``.3`` and so on: a file has one
size. The lines of a frame tell which: those of one picture size belong to one file, in order.
"""

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.config import Settings
from pipeline.demand import Demand
from pipeline.errors import RecordError, StreamError
from pipeline.frame import Frame, Image
from pipeline.picture import to_bgr
from pipeline.stage import Inbox
from pipeline.wire import encode_header

from .recording.lines import LineWriter
from .recording.mp4 import Mp4Writer
from .recording.timeline import Timeline

LOG = logging.getLogger("maskstream.record")


class RecordSettings(Settings):
    """Where and how streams are recorded."""

    directory: Path = Path("out")
    """Where the files go; made when it is not there."""
    overwrite: bool = True
    """Replace the recordings of an earlier run; otherwise they are an error."""
    video: bool = True
    """Write pictures too, not only lines."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "superfast"
    """Effort of the H.264 encoder: slower makes smaller files."""
    crf: int = Field(default=23, ge=0, le=51)
    """Quality of the video: 18 looks lossless, 23 is usual, 30 is coarse."""
    threads: int = Field(default=1, ge=1)
    """Threads of each stream's encoder."""
    fragment_s: float = Field(default=1.0, gt=0.0)
    """Seconds of video that a kill can lose; less makes larger files."""


class RecordStage:
    """Writes each frame down and passes it on. A stream whose files fail ends alone. One thread.

    ``files``: every file begun so far, in that order.
    """

    name = "record"

    def __init__(
        self,
        settings: RecordSettings,
        *,
        publisher: str,
        report: Callable[[StreamError], None],
        demand: Demand | None = None,
        sources: Sequence[Path] = (),
    ) -> None:
        """``publisher``: the uuid of this run. ``report`` is told why a stream's recording ended.

        ``sources``: files that are being read, never to be overwritten.

        :raises RecordError: when nothing can be written to the directory.
        """
        self.files: list[Path] = []
        self._settings = settings
        self._publisher = publisher
        self._report = report
        self._sources = tuple(sources)
        self._recordings: dict[str, _Recording | None] = {}
        _check_writable(settings.directory)
        if demand is not None and settings.video:
            demand.always("annotated")

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Yield every frame, after it was written."""
        try:
            for frame in inbox:
                self._write(frame)
                yield frame
        finally:
            for stream, recording in self._recordings.items():
                if recording is not None:
                    self._guarded(stream, recording.close)
            self._recordings.clear()

    def _write(self, frame: Frame) -> None:
        stream = frame.stream
        if stream not in self._recordings:
            self._recordings[stream] = None  # unless it can be begun
            self._guarded(stream, lambda: self._begin(stream))
        recording = self._recordings[stream]
        if recording is not None and not self._guarded(stream, lambda: recording.write(frame)):
            self._recordings[stream] = None
            with suppress(RecordError):  # what went wrong is reported already
                recording.close()

    def _begin(self, stream: str) -> None:
        paths = _Paths(self._settings.directory, stream)
        paths.clear(self._settings.overwrite, self._sources)
        self._recordings[stream] = _Recording(
            paths, self._settings, publisher=self._publisher, files=self.files
        )

    def _guarded(self, stream: str, action: Callable[[], None]) -> bool:
        """Do ``action``; a failure is reported. Say whether it worked."""
        try:
            action()
        except StreamError as error:
            LOG.error("recording of %s ended: %s", stream, error)
            self._report(error)
            return False
        return True


class _Paths:
    """The names of one stream's files."""

    def __init__(self, directory: Path, stream: str) -> None:
        self._directory = directory
        self._stem = re.sub(r"[^\w-]", "-", stream)  # no dots: they separate the parts
        self.lines = directory / f"{self._stem}.jsonl"

    def video(self, part: int) -> Path:
        """The file of the ``part``-th picture size, from 1."""
        return self._directory / f"{self._stem}{'' if part == 1 else f'.{part}'}.mp4"

    def clear(self, overwrite: bool, sources: Sequence[Path]) -> None:
        """Make way for a new recording.

        :raises RecordError: when one is there that must stay, or is being read.
        """
        parts = self._directory.glob(f"{self._stem}.*.mp4")
        numbered = [path for path in parts if path.suffixes[0][1:].isdecimal()]
        for path in [self.lines, self.video(1), *numbered]:
            if not path.exists():
                continue
            if any(source.exists() and path.samefile(source) for source in sources):
                raise _refused(path, "the file that is being read")
            if not overwrite:
                raise _refused(path, "an earlier recording")
            LOG.info("replacing %s", path)
            try:
                path.unlink()
            except OSError as error:
                raise _refused(path, error.strerror or str(error)) from error


class _Recording:
    """The files of one stream."""

    def __init__(
        self, paths: _Paths, settings: RecordSettings, *, publisher: str, files: list[Path]
    ) -> None:
        self._paths, self._settings, self._publisher = paths, settings, publisher
        self._files = files
        self._lines = LineWriter(paths.lines)
        files.append(paths.lines)
        self._written = 0
        self._parts = 0
        self._video: Mp4Writer | None = None
        self._timeline = Timeline()

    def write(self, frame: Frame) -> None:
        picture = frame.canvas or frame.image
        if self._settings.video and picture is not None:
            video = self._video_for(picture, frame)
            video.write(to_bgr(picture), self._timeline.at(frame))
        self._lines.write(encode_header(frame, publisher=self._publisher, pseq=self._written))
        self._written += 1

    def close(self) -> None:
        self._lines.close()
        if self._video is not None:
            self._video.close()

    def _video_for(self, picture: Image, frame: Frame) -> Mp4Writer:
        size = (picture.width, picture.height)
        if self._video is not None and self._video.size == size:
            return self._video
        if self._video is not None:
            self._video.close()
        self._parts += 1
        self._timeline = Timeline()
        settings = self._settings
        self._video = Mp4Writer(
            self._paths.video(self._parts),
            size=size,
            sample_aspect=picture.sample_aspect,
            time_base=frame.time_base,
            preset=settings.preset,
            crf=settings.crf,
            threads=settings.threads,
            fragment_s=settings.fragment_s,
        )
        self._files.append(self._video.path)
        return self._video


def _check_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise RecordError(
            where=str(directory),
            wanted="a directory that can be written to",
            got=error.strerror or str(error),
            remedy="Choose another one with --record DIR",
        ) from error


def _refused(path: Path, what: str) -> RecordError:
    return RecordError(
        where=str(path),
        wanted="to record there",
        got=what,
        remedy="Choose another directory with --record DIR",
    )
