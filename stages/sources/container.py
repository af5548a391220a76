"""Opening a container with FFmpeg, and its errors as ours.

PyAV's exceptions hold the address, and with it a password: none of them leaves this file.
"""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import av
from av.codec.context import Flags as CodecFlags
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from pipeline.errors import SourceError, SourceRejected, SourceUnavailable, UnsupportedMedia
from pipeline.redact import redact

REJECTIONS = {
    av.HTTPUnauthorizedError: ("401 Unauthorized", "Put the right user:password@ before the host"),
    av.HTTPForbiddenError: ("403 Forbidden", "Let this user see the stream, or use another one"),
    av.HTTPNotFoundError: ("404 Not Found", "Correct the path after the host"),
}
WEBCAM = "v4l2"
"""FFmpeg's name for Linux webcams."""
ANSI_ART = "tty"
"""FFmpeg draws any text file as a video; nobody means that."""


@dataclass(frozen=True)
class Opening:
    """How to open a source. ``address`` as FFmpeg takes it, perhaps with a password.

    ``timeout_s`` bounds each half of opening (connecting, probing); None: a local file.
    ``threads``: decoder threads; a live source gets no frame threads, which delay pictures.
    ``low_delay``: the decoder does not wait for pictures that are to be shown earlier.
    """

    where: str
    address: str = field(repr=False)
    live: bool
    threads: int
    options: Mapping[str, str]
    format: str | None = None
    timeout_s: float | None = None
    low_delay: bool = False


@dataclass(frozen=True)
class Opened:
    """An open container and the video stream chosen in it. Belongs to one thread."""

    container: InputContainer
    stream: VideoStream
    where: str
    live: bool


@contextmanager
def opened(opening: Opening) -> Iterator[Opened]:
    """Open, choose the video, and close in the end.

    :raises SourceRejected: when the other side says no.
    :raises SourceUnavailable: when it is not there or does not answer in time.
    :raises UnsupportedMedia: when there is no video in it that can be decoded.
    """
    container = _open(opening)
    try:
        stream = choose_video(container, opening.where)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        stream.thread_count = opening.threads
        stream.thread_type = ThreadType.SLICE if opening.live else ThreadType.AUTO
        if opening.low_delay:
            stream.codec_context.flags |= CodecFlags.low_delay
        yield Opened(container, stream, opening.where, opening.live)
    finally:
        container.close()


def _open(opening: Opening) -> InputContainer:
    try:
        return av.open(
            opening.address,
            "r",
            format=opening.format,
            options=dict(opening.options),
            timeout=(opening.timeout_s, None),
            metadata_errors="replace",
        )
    except av.FFmpegError as error:
        raise open_error(opening, error) from without_address(error)


def choose_video(container: InputContainer, where: str) -> VideoStream:
    """The video to show: marked as default, then the largest. Cover pictures are none."""
    videos = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not videos or container.format.name == ANSI_ART:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        cover = " with a cover picture" if container.streams.video and not videos else ""
        text = container.format.name == ANSI_ART
        raise UnsupportedMedia(
            where=where,
            wanted="a video stream",
            got="plain text" if text else f"only {kinds}{cover}",
            remedy="Give a file or address that has pictures",
        )
    known = [stream for stream in videos if _has_decoder(stream)]
    if not known:
        raise UnsupportedMedia(
            where=where,
            wanted="a codec that this FFmpeg decodes",
            got="an unknown one",
            remedy="Convert it, for example to H.264",
        )
    return max(known, key=_prominence)


def open_error(opening: Opening, error: av.FFmpegError) -> SourceError:
    """What to tell the user when opening failed."""
    rejection = rejected(opening.where, error)
    if rejection:
        return rejection
    if isinstance(error, (av.InvalidDataError, av.EOFError)) and not opening.live:
        return UnsupportedMedia(
            where=opening.where,
            wanted="a video in a format that FFmpeg reads",
            got=_what_it_is(opening.address),
            remedy="Check that it was copied whole and plays elsewhere",
        )
    return SourceUnavailable(
        where=opening.where,
        wanted="an answer with a video" if opening.timeout_s else "a readable file",
        got=reason(error, opening.address),
        remedy=_remedy(opening),
    )


def _remedy(opening: Opening) -> str:
    if opening.format == WEBCAM:
        return "Check that it is plugged in, that nobody else uses it, and ls -l /dev/video*"
    if opening.timeout_s:
        return "Check the address, that it is switched on, and that it can be reached from here"
    return "Check the path and its permissions"


def rejected(where: str, error: av.FFmpegError) -> SourceRejected | None:
    """The error of a server that answered and said no; None for other errors."""
    for kind, (got, remedy) in REJECTIONS.items():
        if isinstance(error, kind):
            return SourceRejected(where=where, wanted="to be let in", got=got, remedy=remedy)
    return None


def reason(error: av.FFmpegError, address: str) -> str:
    """Why FFmpeg failed, in words and without the address."""
    if error.errno == errno.EIO and not _is_known_host(address):
        return "a host name that nobody knows"
    if isinstance(error, av.ExitError):
        return "no answer in time"
    return redact(error.strerror or type(error).__name__)


def without_address(error: av.FFmpegError) -> av.FFmpegError:
    """The same error without the address that PyAV put into it."""
    return type(error)(error.errno or 0, redact(error.strerror or ""))


def _is_known_host(address: str) -> bool:
    try:
        host = urlsplit(address).hostname
        return host is None or bool(socket.getaddrinfo(host, None))
    except (OSError, ValueError):
        return False


def _what_it_is(address: str) -> str:
    path = Path(address.removeprefix("file:"))
    if os.path.isfile(path) and path.stat().st_size == 0:
        return "an empty file"
    return "bytes that are none, or cut off"


def _is_cover(stream: VideoStream) -> bool:
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return bool(stream.disposition & covers)


def _has_decoder(stream: VideoStream) -> bool:
    return getattr(stream, "codec_context", None) is not None


def _prominence(stream: VideoStream) -> tuple[bool, int, int]:
    default = bool(stream.disposition & Disposition.default)
    return default, stream.width * stream.height, -stream.index
