"""Record: an MP4 of what was seen and a file of JSON lines of what was found, for each stream.

``DIR/<stream>.jsonl`` has one line a frame, exactly the ``meta`` header of the wire, ``pseq``
counting the lines. ``DIR/<stream>.mp4`` shows the annotated picture, else the plain one. When the
picture changes its size or the shape of its pixels, the video goes on in ``<stream>.2.mp4``,
``.3`` and so on: a file has one. The lines tell which: those in a row with the same ``image``
belong to one file.
Exports (``formats``) stand beside them; one that fails ends alone, too.
"""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipeline.config import Settings
from pipeline.demand import Demand
from pipeline.errors import RecordError, StreamError
from pipeline.folders import check_writable
from pipeline.frame import Frame, Image
from pipeline.picture import to_bgr
from pipeline.stage import Inbox
from pipeline.wire import encode_header

from .judging.mots import class_numbers
from .recording.exports import Export, ExportName, export
from .recording.lines import LineWriter
from .recording.mp4 import Mp4Writer
from .recording.paths import Paths, refused
from .recording.timeline import Timeline


class RecordSettings(Settings):
    """Where and how streams are recorded."""

    enabled: bool = False
    """Whether to record at all."""
    directory: Path = Path("out")
    """Where the files go; made when it is not there."""
    overwrite: bool = True
    """Replace the recordings of an earlier run; otherwise they are an error."""
    video: bool = True
    """Write pictures too, not only lines."""
    formats: tuple[ExportName, ...] = ()
    """Also write results as coco (<stream>.coco.json) and tracks as mots (<stream>.txt)."""
    mots_classes: tuple[str, ...] = ()
    """Numbers of classes in MOTS text, such as ["car=1", "person=2"]; others are left out then."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "ultrafast"
    """Effort of the H.264 encoder: slower makes smaller files."""
    crf: int = Field(default=23, ge=0, le=51)
    """Quality of the video: 18 looks lossless, 23 is usual, 30 is coarse."""
    threads: int = Field(default=1, ge=1)
    """Threads of each stream's encoder."""
    fragment_s: float = Field(default=1.0, gt=0.0)
    """Seconds of video that a kill can lose; less makes larger files."""

    @field_validator("directory")
    @classmethod
    def _may_be_at_home(cls, value: Path) -> Path:
        return Path(os.path.expanduser(value))  # a shell does it only where it sees the path

    @field_validator("mots_classes")
    @classmethod
    def _are_numbered(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        class_numbers(value)
        return value


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
        self._exports: dict[str, list[Export]] = {}
        check_writable(settings.directory, "--record")
        if demand is not None and settings.video:
            demand.always("annotated")

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Yield every frame, after it was written. When run again, recordings go on."""
        try:
            for frame in inbox:
                self._write(frame)
                yield frame
        finally:
            for recording in self._recordings.values():
                if recording is not None:
                    self._guarded(recording.close)
            for each in itertools.chain(*self._exports.values()):
                self._guarded(each.close)

    def _write(self, frame: Frame) -> None:
        stream = frame.stream
        if stream not in self._recordings:
            self._recordings[stream] = None  # unless it can be begun
            self._guarded(lambda: self._begin(stream))
        recording = self._recordings[stream]
        if recording is not None and not self._guarded(lambda: recording.write(frame)):
            self._recordings[stream] = None
            with suppress(RecordError):  # what went wrong is reported already
                recording.close()
        self._export(frame)

    def _export(self, frame: Frame) -> None:
        """Write the frame in the other formats; one that fails ends, the others go on."""
        for each in tuple(self._exports.get(frame.stream, ())):
            if each.path not in self.files:
                self.files.append(each.path)
            if not self._guarded(partial(each.write, frame)):
                self._exports[frame.stream].remove(each)
                with suppress(RecordError):
                    each.close()

    def _begin(self, stream: str) -> None:
        paths = Paths(self._settings.directory, stream)
        if paths.lines in self.files:
            raise refused(paths.lines, "the recording of a stream with a similar name")
        numbers = class_numbers(self._settings.mots_classes)
        exports = [
            export(name, paths.exports[name], numbers)
            for name in dict.fromkeys(self._settings.formats)
        ]
        paths.clear(
            overwrite=self._settings.overwrite,
            sources=self._sources,
            also=[each.path for each in exports],
        )
        self._recordings[stream] = _Recording(paths, self._settings, self._publisher, self.files)
        self._exports[stream] = exports

    def _guarded(self, action: Callable[[], None]) -> bool:
        """Do ``action``; a failure is reported. Say whether it worked."""
        try:
            action()
        except StreamError as error:
            self._report(error)
            return False
        return True


class _Recording:
    """The files of one stream."""

    def __init__(
        self, paths: Paths, settings: RecordSettings, publisher: str, files: list[Path]
    ) -> None:
        self._paths, self._settings, self._publisher = paths, settings, publisher
        self._files = files
        self._written = 0
        self._lines: LineWriter | None = None
        self._video: Mp4Writer | None = None
        self._timeline = Timeline()

    def write(self, frame: Frame) -> None:
        """Write the picture, then the line: a line says that its picture was taken in.

        :raises StreamError: when one of them fails.
        """
        picture = frame.canvas or frame.image
        if self._settings.video and picture is not None:
            video = self._video_for(picture, frame)
            video.write(to_bgr(picture), self._timeline.at(frame))
        header = encode_header(frame, publisher=self._publisher, pseq=self._written)
        self._line_writer().write(header)
        self._written += 1

    def close(self) -> None:
        """Close the files; writing again opens the lines again, and the next video.

        :raises RecordError: when one cannot be completed.
        """
        lines, self._lines = self._lines, None
        video, self._video = self._video, None
        with ExitStack() as closing:  # all of them, whichever fails
            for each in (lines, video):
                if each is not None:
                    closing.callback(each.close)

    def _line_writer(self) -> LineWriter:
        if self._lines is None:
            self._lines = LineWriter(self._paths.lines)
            if self._paths.lines not in self._files:
                self._files.append(self._paths.lines)
        return self._lines

    def _video_for(self, picture: Image, frame: Frame) -> Mp4Writer:
        size, aspect = (picture.width, picture.height), picture.sample_aspect
        if self._video is not None:
            if (self._video.size, self._video.sample_aspect) == (size, aspect):
                return self._video
            self._video.close()
        self._timeline = Timeline()
        settings = self._settings
        self._video = Mp4Writer(
            self._paths.next_video(),
            size=size,
            sample_aspect=aspect,
            time_base=frame.time_base,
            preset=settings.preset,
            crf=settings.crf,
            threads=settings.threads,
            fragment_s=settings.fragment_s,
        )
        self._files.append(self._video.path)
        return self._video
