"""Pictures out of a video by their number, decoded only when somebody asks for one."""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import av

from pipeline.errors import UnsupportedMedia
from pipeline.frame import Image

from ..sources.container import Opening, opened
from ..sources.planes import Unpacker

NEAR = 50
"""Pictures further ahead than this are sought, not decoded up to."""

log = logging.getLogger("maskstream.replay")


class Video:
    """One video file, its pictures numbered from 0 in the order in which they are shown.

    One thread at a time.

    :raises SourceError: when it cannot be read, is no video, or has pictures without a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = ExitStack()
        address = f"file:{path.absolute()}"
        opening = Opening(where=str(path), address=address, live=False, threads=1, options={})
        source = self._stack.enter_context(opened(opening))
        self._container, self._stream = source.container, source.stream
        self._unpack = Unpacker()
        self._missed = 0
        try:
            self._pts = self._times()
        except BaseException:
            self.close()
            raise
        self._decoded: Iterator[av.VideoFrame] = iter(())
        self._next: int | None = None

    def __len__(self) -> int:
        return len(self._pts)

    def at(self, index: int) -> Image | None:
        """Picture ``index``; None when it cannot be decoded.

        :raises IndexError: when there is no such picture.
        """
        wanted = self._pts[index]
        try:
            if self._next is None or not 0 <= index - self._next <= NEAR:
                self._container.seek(wanted, stream=self._stream, backward=True)
                self._decoded = self._container.decode(self._stream)
            self._next = index + 1
            for frame in self._decoded:
                if frame.pts is not None and frame.pts >= wanted:
                    return self._unpack(frame, self._stream.sample_aspect_ratio)
        except av.FFmpegError as error:
            self._next = None
            self._missed += 1
            if self._missed == 1:  # as many may follow as lie before the next key frame
                log.warning("%s: picture %d left out: %s", self.path, index + 1, error.strerror)
        return None

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        self._stack.close()
        if self._missed > 1:
            log.warning("%s: %d times a picture was left out", self.path, self._missed)
        self._missed = 0

    def _times(self) -> list[int]:
        packets = [
            packet
            for packet in self._container.demux(self._stream)
            if packet.size and not packet.is_discard and not packet.is_corrupt
        ]
        times = [packet.pts for packet in packets if packet.pts is not None]
        if len(times) < len(packets):
            raise UnsupportedMedia(
                where=str(self.path),
                wanted="a video that says when each picture is shown",
                got="one that does not",
                remedy="Convert it, for example to MP4",
            )
        return sorted(times)


class Pictures:
    """The pictures of several files one after the other, as ``record`` writes parts. One thread."""

    def __init__(self, videos: Sequence[Video]) -> None:
        self.videos = tuple(videos)

    def __len__(self) -> int:
        return sum(len(video) for video in self.videos)

    def at(self, index: int, shape: Image) -> Image | None:
        """Picture ``index``, at the size and shape of pixels of ``shape``.

        None behind the last one, and for one that cannot be decoded.

        :raises UnsupportedMedia: when the pictures have another size.
        """
        for video in self.videos:
            if index < len(video):
                picture = video.at(index)
                if picture is None:
                    return None
                _check_size(video.path, picture, shape)
                return _cropped(picture, shape)
            index -= len(video)
        return None

    def close(self) -> None:
        """Close all files."""
        for video in self.videos:
            video.close()


def parts_of(first: Path) -> list[Path]:
    """``first`` and what it goes on in: gate.mp4, gate.2.mp4 … as long as they are there."""
    parts = [first]
    if not re.search(r"\.\d+$", first.stem):
        while (path := first.with_suffix(f".{len(parts) + 1}.mp4")).exists():
            parts.append(path)
    return parts


def _check_size(path: Path, picture: Image, shape: Image) -> None:
    size, width, height = (picture.width, picture.height), shape.width, shape.height
    # H.264 in yuv420p has even sides: a recording is padded by a column or a row
    if size not in ((width, height), (width + width % 2, height + height % 2)):
        raise UnsupportedMedia(
            where=str(path),
            wanted=f"pictures of {width}x{height} px, as the recording says",
            got=f"{size[0]}x{size[1]} px",
            remedy="Give the video that belongs to the recording, or --video none",
        )


def _cropped(picture: Image, shape: Image) -> Image:
    """The upper left of ``picture``, without the padding of the recorder."""
    height, width = shape.height, shape.width
    half = ((height + 1) // 2, (width + 1) // 2)
    sizes = [(height, width), half, half] if picture.format == "yuv420p" else [(height, width)]
    planes = tuple(
        plane[:rows, :columns] for plane, (rows, columns) in zip(picture.planes, sizes, strict=True)
    )
    return Image(
        picture.format,
        planes,
        width,
        height,
        picture.matrix,
        picture.full_range,
        shape.sample_aspect,
    )
