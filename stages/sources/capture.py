"""The packets of one container as frames: decode, drop what is damaged, notice a broken end."""

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fractions import Fraction

import av
from av.packet import Packet
from av.video.stream import VideoStream

from pipeline.clock import Clock
from pipeline.errors import SourceEnded, SourceError, SourceUnavailable, UnsupportedMedia
from pipeline.frame import ClockName, Frame, Image

from .container import Opened, reason, rejected, without_address
from .planes import Unpacker
from .timeline import Timeline, Wall

LOGGER = logging.getLogger("maskstream.decode")
REPORT_S = 60.0
"""Damage is logged when it begins, and then at most this often."""
MICROSECOND = Fraction(1, 1_000_000)
WHOLE = 0.98
"""A file with fewer packets than this share of what its header announces was cut off."""
LAST_PICTURE_S = 0.5
"""The last picture may be shown for this long, where only the file's duration is announced."""


class Capture:
    """Decodes one opened container. Belongs to one thread.

    With ``wait_for_key``, a picture that fails makes everything until the next key picture
    "corrupt": it is predicted from the one that failed. Without, only what the decoder reports.
    ``beat`` is called at every packet: a sign of life.
    """

    def __init__(
        self,
        source: Opened,
        stream: str,
        clock: Clock,
        *,
        epoch: int = 0,
        wait_for_key: bool = True,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._name = stream
        self._clock = clock
        self._wait_for_key = wait_for_key
        self._beat = beat
        self._unpack = Unpacker()
        self._timeline = Timeline(
            stream,
            source.stream.time_base or MICROSECOND,
            clock,
            epoch=epoch,
            live=source.live,
            wall=camera_time(source) if source.live else file_time(source),
        )
        self._damaged = False
        self._delivered = self._lost = self._lost_at_end = self._packets_read = 0
        self._until_s = 0.0
        self._reported_ns: int | None = None

    def frames(self) -> Iterator[Frame]:
        """Every good picture, in order of presentation.

        :raises SourceEnded: after the last good picture of a file that is damaged to its end or
            shorter than it says.
        :raises UnsupportedMedia: when not one picture could be decoded.
        :raises SourceUnavailable: when a live source is lost or over.
        """
        broken: av.FFmpegError | None = None
        packets = self._source.container.demux(self._source.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                broken, packet = error, None
            if packet is None:
                break
            self._beat()
            self._packets_read += packet.size > 0
            yield from self._decode(packet)
        if broken:
            yield from self._decode(None)
        ending = self._ending(broken)
        if ending:
            ending.corrupt = self._lost_at_end
            raise ending from (without_address(broken) if broken else None)

    def _decode(self, packet: "Packet[VideoStream] | None") -> Iterator[Frame]:
        arrived_ns = self._clock.now_ns()
        if packet is not None and packet.is_corrupt:
            self._damaged = True
        try:
            pictures = self._source.stream.decode(packet)
        except av.FFmpegError as error:
            if packet is not None and packet.size and not isinstance(error, av.EOFError):
                self._lose()
            return
        for picture in pictures:
            image = self._image(picture)
            if image is None:
                self._lose()
                continue
            self._delivered += 1
            self._lost_at_end = 0
            self._until_s = picture.time or 0.0
            yield self._timeline.frame(image, picture.pts, arrived_ns, self._step(picture))

    def _image(self, picture: av.VideoFrame) -> Image | None:
        """The picture as an Image; None when it is damaged."""
        waiting = self._damaged and self._wait_for_key and not picture.key_frame
        if picture.is_corrupt or waiting:
            return None
        self._damaged = False
        try:
            return self._unpack(picture, self._source.stream.sample_aspect_ratio)
        except av.FFmpegError:  # a pixel format that swscale cannot read
            return None

    def _step(self, picture: av.VideoFrame) -> int:
        rate, base = self._source.stream.guessed_rate, self._source.stream.time_base
        if picture.duration or not rate or not base:
            return picture.duration or 1
        return round(1 / rate / base)

    def _lose(self) -> None:
        self._damaged = True
        self._lost += 1
        self._lost_at_end += 1
        self._timeline.lose("corrupt")
        now_ns = self._clock.now_ns()
        if self._reported_ns is None or now_ns - self._reported_ns > REPORT_S * 1e9:
            self._reported_ns = now_ns
            LOGGER.warning("%s: damaged pictures are left out, %d so far", self._name, self._lost)

    def _ending(self, broken: av.FFmpegError | None) -> SourceError | None:
        """What is wrong with how it ended; None for a file that was whole."""
        where = self._source.where
        why = reason(broken, "") if broken else "the end"
        if self._source.live:
            return (broken and rejected(where, broken)) or SourceUnavailable(
                where=where,
                wanted="more pictures",
                got=f"{why} after {self._delivered}",
                remedy="Check the camera and the network",
            )
        if not self._delivered:
            return UnsupportedMedia(
                where=where,
                wanted="a video that can be decoded",
                got=f"{self._packets_read} packets and not one good picture",
                remedy="Check that it was copied whole and plays elsewhere",
            )
        missing = self._missing()
        if not missing and not broken:
            return None
        return SourceEnded(
            where=where,
            wanted="a whole video",
            got=f"{self._delivered} good pictures, then {missing or why}",
            remedy="Copy it again; what was good has been processed",
        )

    def _missing(self) -> str:
        announced, announced_s = self._source.stream.frames, announced_duration_s(self._source)
        if self._lost_at_end:
            return f"{self._lost_at_end} that cannot be decoded"
        if self._packets_read < announced * WHOLE:
            return f"the end where {announced} were announced"
        if self._until_s < announced_s * WHOLE - LAST_PICTURE_S:
            return f"the end at {self._until_s:.1f} s of {announced_s:.1f} s"
        return ""


def announced_duration_s(source: Opened) -> float:
    """How long a file's header says that the video is, s; 0 when it says nothing to rely on.

    Elsewhere than in Matroska, FFmpeg may have guessed it, or it is that of the sound.
    """
    container = source.container
    alone = len(container.streams) == 1
    if not alone or "matroska" not in container.format.name or container.duration is None:
        return 0.0
    return container.duration / av.time_base


def camera_time(source: Opened) -> Wall:
    """UTC by the camera's clock, once it has told it (RTCP sender reports; PyAV ≥ 18.1)."""

    def wall(media_s: float) -> tuple[int, ClockName] | None:
        start_us: int | None = getattr(source.container, "start_time_realtime", None)
        return None if not start_us else (start_us * 1000 + round(media_s * 1e9), "rtcp")

    return wall


def file_time(source: Opened) -> Wall:
    """UTC as the file says: the time of its creation plus the time of presentation."""
    created = _created_ns(source.container.metadata.get("creation_time", ""))

    def wall(media_s: float) -> tuple[int, ClockName] | None:
        return None if created is None else (created + round(media_s * 1e9), "media")

    return wall


def _created_ns(text: str) -> int | None:
    try:
        created = datetime.fromisoformat(text)
    except ValueError:
        return None
    seconds = created.replace(tzinfo=created.tzinfo or UTC).timestamp()
    return round(seconds * 1e9) if seconds > 0 else None  # unset clocks say 1904 or 1970
