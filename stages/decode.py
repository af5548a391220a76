"""decode: a source address becomes frames with a time, upright, in the decoder's own planes.

A file gives every picture it has and waits for whoever is slow. A live source (RTSP, webcam) never
waits: it is read in a thread of its own, what is not taken in time is dropped and counted, and
when it is lost it is looked for again, each time with a new epoch.
"""

import itertools
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Literal

import av
from pydantic import Field

from pipeline.clock import Clock
from pipeline.config import Settings
from pipeline.errors import SourceUnavailable
from pipeline.frame import Frame

from .reconnect import Patience, Reconnecting
from .sources.address import SourceSpec
from .sources.capture import Capture
from .sources.container import WEBCAM, Opening, opened
from .sources.stills import pictures
from .sources.synthetic import rendered, scene_at, split_live
from .sources.untold import Tell
from .sources.watched import Beat, Watch, Watched

Frames = Generator[Frame, None, None]
"""Frames whose source is closed when they are: by their end or by ``close``."""
USER_AGENT = "maskstream"
UNTIL_FFMPEG_4 = 58
"""libavformat of FFmpeg 4, where RTSP's ``timeout`` meant something else (listen mode)."""
MOST_LEFT_BEHIND = 4
"""Connections of one source that may be stuck in FFmpeg before no more are made."""
GRACE_S = 1.0
"""FFmpeg's own timeouts come this much later than ours, whose messages say more."""


class DecodeSettings(Settings):
    """How sources are opened, watched and decoded."""

    open_timeout_s: float = Field(default=10, gt=0, le=600)
    """A network address or webcam that has not answered for this long is unavailable."""
    stall_timeout_s: float = Field(default=10, gt=0, le=600)
    """A live source that has sent nothing for this long is lost, and is connected again."""
    threads: int = Field(default=1, ge=1, le=64)
    """Decoder threads of each source. One is the fastest for many sources on few cores."""
    max_frames: int | None = Field(default=None, ge=1)
    """Stop each source after this many pictures."""
    wait_for_key: bool = True
    """After damage, drop all up to the next key picture; off: only what the decoder reports."""
    queue: int = Field(default=2, ge=1, le=64)
    """Pictures of a live source that may wait; the oldest is dropped when one more comes."""
    picture_rate_hz: float = Field(default=10, gt=0, le=1000)
    """Pictures of a folder that make up a second of their stream."""
    http_live: bool = False
    """Whether http(s):// is a camera, which does not wait, or a file, which does."""
    rtsp_transport: Literal["tcp", "udp", "udp_multicast", "http"] = "tcp"
    """How RTSP carries the pictures: tcp loses none, udp can be faster in a clean network."""
    low_delay: bool = False
    """Show each picture at once; wrong for cameras that send B-frames."""
    arrival_timestamps: bool = False
    """Time pictures by their arrival instead of the camera's timestamps, if those are broken."""
    probe_s: float = Field(default=1, ge=0.1, le=60)
    """How much of a live stream is looked at, in s, before the first picture; a camera that sends
    its parameters late needs more."""
    webcam_size: str | None = Field(default=None, pattern=r"^\d+x\d+$")
    """What to ask a webcam for, as 1280x720; it decides by itself otherwise."""
    webcam_rate_hz: float | None = Field(default=None, gt=0, le=1000)
    """Pictures a second to ask a webcam for."""
    retry_first: bool = False
    """Keep trying a live source that is not there when we start, instead of giving it up."""
    retry_s: float = Field(default=1, gt=0, le=600)
    """First wait before a lost source is tried again; it doubles from try to try."""
    retry_most_s: float = Field(default=30, gt=0, le=3600)
    """The longest such wait. A server that says no (401, 403, 404) is asked this often at first,
    and ever more slowly, so that it does not lock us out."""
    give_up_s: float | None = Field(default=None, gt=0)
    """Give up a lost source after this long without a picture; never when it is not set."""
    good_s: float = Field(default=10, ge=0, le=3600)
    """After this many seconds of pictures, waits begin again with the shortest."""


class Decode:
    """One stream of pictures, whatever its address; implements ``pipeline.stage.Source``.

    ``captured_utc_ns`` is of the clock "rtcp" when an RTSP camera has told its time, "media" when
    a file says when it was made (creation time + presentation time), else "arrival".
    Epochs begin at 0 and count on with each reconnection and each change of the picture's size;
    runs of the program are told apart by the publisher's id.

    :raises ConfigError: for a synthetic scene that does not exist, before anything runs.
    """

    def __init__(
        self,
        spec: SourceSpec,
        settings: DecodeSettings,
        *,
        clock: Clock,
        random: Random | None = None,
        lost: Callable[[], None] = lambda: None,
        untold: Tell = lambda _reason, _count: None,
    ) -> None:
        """``lost`` is called, in the source's thread, each time that a live source is looked for
        again; ``untold`` with captured frames that were lost behind the last of their epoch."""
        self.stream = spec.stream
        self._spec = spec
        self._settings = settings
        self._clock = clock
        self._random = random or Random()
        self._lost = lost
        self._untold = untold
        self._left_behind: list[Watched] = []
        self.live = spec.kind in ("rtsp", "webcam") or (spec.kind == "http" and settings.http_live)
        if spec.kind == "synthetic":
            self._scene = scene_at(spec.address)
            self.live = split_live(spec.address)[1]

    def run(self, stop: threading.Event) -> Frames:
        """Yield captured frames until the end or until ``stop`` is set.

        :raises SourceError: when the source fails for good; frames yielded before stay valid.
        """
        with closing(self._frames(stop)) as frames:
            yield from itertools.islice(frames, self._settings.max_frames)

    def _frames(self, stop: threading.Event) -> Frames:
        spec, clock = self._spec, self._clock
        if spec.kind == "pictures":
            return pictures(spec, self._settings.picture_rate_hz, clock, stop)
        if spec.kind == "synthetic":
            return rendered(spec.stream, self._scene, clock, stop, live=self.live)
        if spec.kind == "file":
            return _until(stop, self._capture(0))
        if self.live:
            return self._reconnecting(stop).run(stop)
        return self._watched(0, stop)

    def _reconnecting(self, stop: threading.Event) -> Reconnecting:
        return Reconnecting(
            self.stream,
            self._spec.shown,
            lambda epoch: self._watched(epoch, stop),
            clock=self._clock,
            random=self._random,
            patience=patience(self._settings),
            lost=self._connection_lost,
        )

    def _connection_lost(self, corrupt: int) -> None:
        self._untold("corrupt", corrupt)
        self._lost()

    def _watched(self, epoch: int, stop: threading.Event) -> Frames:
        self._left_behind = [watched for watched in self._left_behind if watched.is_left_behind]
        if len(self._left_behind) >= MOST_LEFT_BEHIND:
            raise SourceUnavailable(
                where=self._spec.shown,
                wanted="an end of earlier connections",
                got=f"{MOST_LEFT_BEHIND} that are kept alive without pictures",
                remedy="Restart the camera",
            )
        watch = Watch(
            self._settings.open_timeout_s,
            self._settings.stall_timeout_s,
            self._settings.queue,
            "drop-oldest" if self.live else "block",
        )
        watched = Watched(
            self.stream,
            self._spec.shown,
            lambda beat: self._capture(epoch, beat),
            self._clock,
            watch,
            self._untold,
        )
        self._left_behind.append(watched)
        return watched.frames(stop)

    def _capture(self, epoch: int, beat: Beat = lambda: None) -> Frames:
        """Open, yield every frame, close: all in the thread that iterates."""
        with opened(opening(self._spec, self._settings, live=self.live)) as source:
            beat()
            capture = Capture(
                source,
                self.stream,
                self._clock,
                epoch=epoch,
                wait_for_key=self._settings.wait_for_key,
                beat=beat,
            )
            yield from capture.frames()


def _until(stop: threading.Event, frames: Iterator[Frame]) -> Frames:
    for frame in frames:
        if stop.is_set():
            return
        yield frame


def patience(settings: DecodeSettings) -> Patience:
    """How long to wait for a live source, as the settings say."""
    return Patience(
        first_s=settings.retry_s,
        most_s=settings.retry_most_s,
        rejected_s=settings.retry_most_s,
        good_s=settings.good_s,
        give_up_s=settings.give_up_s,
        retry_first=settings.retry_first,
    )


def opening(spec: SourceSpec, settings: DecodeSettings, *, live: bool) -> Opening:
    """How FFmpeg is to open a file, an address or a webcam."""
    remote = spec.kind != "file"
    # The prefix keeps FFmpeg from reading a protocol into the name of a file.
    address = spec.address if remote else f"file:{Path(spec.address).absolute()}"
    options = {"rtsp": rtsp_options, "http": http_options, "webcam": webcam_options}
    return Opening(
        where=spec.shown,
        address=address,
        live=live,
        threads=settings.threads,
        options=options[spec.kind](settings) if remote else {},
        format=WEBCAM if spec.kind == "webcam" else None,
        timeout_s=settings.open_timeout_s + GRACE_S if remote else None,
        low_delay=live and settings.low_delay,
    )


def rtsp_options(settings: DecodeSettings) -> dict[str, str]:
    """FFmpeg's options for an RTSP camera."""
    old = av.library_versions["libavformat"][0] <= UNTIL_FFMPEG_4
    options = {
        "rtsp_transport": settings.rtsp_transport,
        "stimeout" if old else "timeout": _microseconds(settings.stall_timeout_s + GRACE_S),
        "allowed_media_types": "video",
        "analyzeduration": _microseconds(settings.probe_s),
        "probesize": str(round(settings.probe_s * 1_000_000)),
        "user_agent": USER_AGENT,
    }
    if settings.rtsp_transport.startswith("udp"):
        # Room for a burst in the kernel, and time to put packets in order that overtook others.
        options |= {"buffer_size": "4000000", "max_delay": _microseconds(0.2)}
    if settings.arrival_timestamps:
        options["use_wallclock_as_timestamps"] = "1"
    return options


def http_options(settings: DecodeSettings) -> dict[str, str]:
    """FFmpeg's options for http(s)://."""
    timeout = _microseconds(settings.stall_timeout_s + GRACE_S)
    return {"rw_timeout": timeout, "user_agent": USER_AGENT}


def webcam_options(settings: DecodeSettings) -> dict[str, str]:
    """FFmpeg's options for a webcam (Video4Linux)."""
    options = {"video_size": settings.webcam_size, "framerate": settings.webcam_rate_hz}
    return {key: str(value) for key, value in options.items() if value is not None}


def _microseconds(seconds: float) -> str:
    return str(round(seconds * 1_000_000))
