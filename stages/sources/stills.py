"""Pictures as a stream: one after the other, at a rate of their own."""

import logging
import threading
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from pipeline.clock import Clock
from pipeline.errors import SourceEnded, SourceError, SourceUnavailable, UnsupportedMedia
from pipeline.frame import Frame, Image
from pipeline.picture import Picture

from .address import SourceSpec
from .timeline import Timeline

LOGGER = logging.getLogger("maskstream.decode")
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"


def pictures(
    spec: SourceSpec, rate_hz: float, clock: Clock, stop: threading.Event
) -> Generator[Frame, None, None]:
    """Each picture of ``spec`` as a frame; a new size begins a new epoch.

    A damaged one among others is counted as "corrupt".

    :raises SourceEnded: after the last good one, when others that cannot be decoded follow it.
    :raises UnsupportedMedia: when there is none, or not one can be decoded.
    :raises SourceUnavailable: when the only one cannot be read.
    """
    if not spec.paths:
        raise nothing_in(spec.shown)
    timeline = Timeline(spec.stream, 1 / Fraction(rate_hz).limit_denominator(1001), clock)
    failure: SourceError | None = None
    delivered = lost_at_end = 0
    for index, path in enumerate(spec.paths):
        if stop.is_set():
            return
        try:
            image = Image.from_bgr(read_picture(path))
        except SourceError as error:
            failure = failure or error
            if len(spec.paths) > 1:  # alone, it is the error of the stream
                LOGGER.warning("%s: left out: %s", spec.stream, error)
            timeline.lose("corrupt")
            lost_at_end += 1
            continue
        delivered, lost_at_end = delivered + 1, 0
        yield timeline.frame(image, index, clock.now_ns())
    if failure and not delivered:
        failure.corrupt = lost_at_end if len(spec.paths) > 1 else 0
        raise failure
    if lost_at_end:
        raise SourceEnded(
            where=spec.shown,
            wanted="whole pictures",
            got=f"{delivered} good pictures, then {lost_at_end} that cannot be decoded",
            remedy="Copy them again; what was good has been processed",
            corrupt=lost_at_end,
        )


def nothing_in(where: str) -> UnsupportedMedia:
    """The error of folders and patterns without a video or picture."""
    return UnsupportedMedia(
        where=where,
        wanted="videos or pictures",
        got="none",
        remedy="Check the folder or the pattern; folders inside are not searched",
    )


def read_picture(path: Path) -> Picture:
    """A picture file as BGR (H, W, 3), upright as its orientation tag says.

    :raises SourceUnavailable: when it is not there or not to be read.
    :raises UnsupportedMedia: when it is no picture, or not a whole one.
    """
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise SourceUnavailable(
            where=str(path),
            wanted="a readable picture",
            got=error.strerror or "an error",
            remedy="Check the path and its permissions",
        ) from error
    data = np.frombuffer(encoded, np.uint8)
    cut_off = _is_cut_off(encoded)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if encoded and not cut_off else None
    if picture is None:
        raise UnsupportedMedia(
            where=str(path),
            wanted="a whole picture",
            got="a JPEG that was cut off" if cut_off else f"{len(encoded)} bytes that are none",
            remedy="Copy it again, or convert it to PNG or JPEG",
        )
    return cast(Picture, picture)


def _is_cut_off(encoded: bytes) -> bool:
    """A JPEG without its end; the decoder would make up the rest in grey.

    Thumbnails, with ends of their own, come before the scan.
    """
    is_jpeg = encoded.startswith(b"\xff\xd8")
    return is_jpeg and encoded.rfind(END_OF_IMAGE) < encoded.rfind(START_OF_SCAN)
