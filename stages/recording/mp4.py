"""A video file that a kill at any moment leaves playable: H.264 in fragmented MP4.

The index is written first and empty; every fragment of about a second carries its own. What a kill
loses is the fragment under way. yuv420p, because browsers and hardware play nothing else: a picture
of odd width or height is padded by repeating its last column or row.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream

from pipeline.errors import RecordError
from pipeline.picture import Picture

MUXER = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont",
    "flush_packets": "1",
    "avoid_negative_ts": "disabled",
}
"""A fragment goes to the operating system as soon as the next one begins. ``frag_discont`` and
``avoid_negative_ts`` keep the time of the first frame, which FFmpeg would otherwise make 0."""

HINTED_HZ = 25
"""The rate that the encoder is told; the times of the frames alone decide what is shown when."""

COARSEST_HZ, FINEST_HZ = 10_000, 1_000_000
"""Ticks per second of a file: coarse ones cannot tell frames of another epoch apart, finer ones
overflow the 32-bit durations of some players."""

BOX_HEAD_BYTES, LAST_BOX = 8, b"mfra"
"""What a file is made of begins with a size and a kind; the last is an index of the fragments."""

BT709 = 1
"""Code of primaries and transfer in ITU-T H.273."""


class Mp4Writer:
    """Writes pictures of one size and shape of pixels, with the times of their source. One thread.

    ``fragment_s``: seconds of video that a kill can lose, and the distance of key frames.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        sample_aspect: Fraction,
        time_base: Fraction,
        preset: str,
        crf: int,
        threads: int,
        fragment_s: float,
    ) -> None:
        """Create the file and write its header. ``size``: width and height, px.

        :raises RecordError: when the file cannot be created.
        """
        self.path = path
        self.size = size
        self.sample_aspect = sample_aspect
        self._tick = _tick_s(time_base)
        self._fragment = Fraction(fragment_s)
        self._last_pts = -1
        self._key_pts: int | None = None
        self._whole_bytes = 0
        self._container: OutputContainer | None = None
        self._reformatter = VideoReformatter()
        options = {"preset": preset, "crf": str(crf), "tune": "zerolatency", "forced-idr": "1"}
        with self._mapping_failures():
            self._container = av.open(str(path), "w", format="mp4", options=MUXER)
            self._stream: VideoStream = self._container.add_stream(
                "libx264", rate=HINTED_HZ, options=options
            )
            self._describe(self._stream, threads)
            self._container.start_encoding()

    def _describe(self, stream: VideoStream, threads: int) -> None:
        width, height = self.size
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = self._tick
        codec: VideoCodecContext = stream.codec_context
        codec.time_base = self._tick
        codec.sample_aspect_ratio = self.sample_aspect
        codec.thread_count = threads
        codec.gop_size = 100_000  # key frames come by time, see write
        codec.colorspace = Colorspace.ITU709
        codec.color_range = ColorRange.MPEG
        codec.color_primaries = codec.color_trc = BT709

    def write(self, picture: Picture, time_s: Fraction) -> None:
        """Add ``picture`` (H, W, 3) BGR uint8, shown from ``time_s`` on.

        A time that does not grow becomes the next possible one: MP4 cannot go back.

        :raises RecordError: when it cannot be written; the file cannot be written to any more.
        """
        pts = max(round(time_s / self._tick), self._last_pts + 1)
        with self._mapping_failures():
            frame = self._encodable(picture)
            frame.pts, frame.time_base = pts, self._tick
            if self._key_pts is None or (pts - self._key_pts) * self._tick >= self._fragment:
                frame.pict_type = PictureType.I
                self._key_pts = pts
            self._mux(frame)

    def close(self) -> None:
        """Write out what is under way and close. Closing again does nothing.

        :raises RecordError: when the rest cannot be written; the file is closed all the same.
        """
        if self._container is not None:
            with self._mapping_failures():
                self._mux(None)
                self._container.close()
                self._check_last_fragment()
            self._container = None

    def _encodable(self, picture: Picture) -> av.VideoFrame:
        width, height = self.size
        if width % 2 or height % 2:
            edge = ((0, height % 2), (0, width % 2), (0, 0))
            picture = np.pad(picture, edge, mode="edge")
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        return self._reformatter.reformat(
            frame,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )

    def _mux(self, frame: av.VideoFrame | None) -> None:
        assert self._container is not None, f"{self.path} is closed"
        for packet in self._stream.encode(frame):
            if packet.pts is not None:
                if self._last_pts >= 0:
                    packet.duration = packet.pts - self._last_pts
                self._last_pts = packet.pts
            self._container.mux(packet)
            if packet.is_keyframe:  # the fragment before it has just been written
                self._whole_bytes = self.path.stat().st_size

    def _check_last_fragment(self) -> None:
        """FFmpeg keeps silent when what it writes at the end does not fit on the disk.

        :raises OSError: when the boxes behind the last whole fragment do not end with the file.
        """
        length_bytes, at_bytes = self.path.stat().st_size, self._whole_bytes
        kind = b""
        with self.path.open("rb") as file:
            while at_bytes < length_bytes:
                file.seek(at_bytes)
                size_bytes, kind = int.from_bytes(file.read(4)), file.read(4)
                at_bytes += max(size_bytes, BOX_HEAD_BYTES)
        if at_bytes != length_bytes or kind != LAST_BOX:
            raise OSError(errno.EIO, "no room for its end")

    @contextmanager
    def _mapping_failures(self) -> Iterator[None]:
        try:
            yield
        except (FFmpegError, OSError) as error:
            self._abandon()
            raise RecordError(
                where=str(self.path),
                wanted="to write video",
                got=error.strerror or str(error),
                remedy="Free some space or choose another directory",
            ) from error

    def _abandon(self) -> None:
        """Close after a failure, and cut off the fragment of which only a part was written."""
        container, self._container = self._container, None
        if container is not None:
            with suppress(FFmpegError, OSError):  # it fails again, for the reason under way
                container.close()
            with suppress(OSError):
                os.truncate(self.path, self._whole_bytes)


def _tick_s(time_base: Fraction) -> Fraction:
    """The unit of a file's times: the source's, or a whole fraction of it, so that it is exact."""
    per_s = time_base.denominator
    return Fraction(1, min(per_s * -(-COARSEST_HZ // per_s), FINEST_HZ))
