"""Small video and audio files for the tests, made with PyAV: real containers, real codecs."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def moving_square(index: int, width: int = 64, height: int = 48) -> Picture:
    """Picture ``index`` of a clip: a bright square walking right over a grey ramp, BGR."""
    ramp = np.linspace(40, 120, width).astype(np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()
    side = max(1, min(width, height) // 4)
    x = index * 2 % max(1, width - side)
    y = height // 3
    picture[y : y + side, x : x + side] = (60, 200, 240)
    return picture


def write_video(
    path: Path,
    frames: int | Iterable[Picture] = 10,
    *,
    width: int = 64,
    height: int = 48,
    fps: int | Fraction = 25,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """A video file of ``frames`` pictures (a count of ``moving_square``, or BGR arrays).

    The container follows from the suffix. ``rotation`` ° counter-clockwise goes into the display
    matrix. ``pts`` (in ``time_base``, default 1/fps) makes uneven timestamps.
    """
    pictures = (
        (moving_square(i, width, height) for i in range(frames))
        if isinstance(frames, int)
        else frames
    )
    base = time_base or 1 / Fraction(fps)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(fps), options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = base
        stream.thread_count = 1
        if rotation:
            stream.set_display_rotation(rotation)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")
            frame.pts = index if pts is None else pts[index]
            frame.time_base = base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_audio(path: Path, seconds: float = 0.5) -> Path:
    """A file with a tone and no picture; the container follows from the suffix."""
    rate = 8000
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        time = np.arange(round(rate * seconds)) / rate
        tone = (8000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
