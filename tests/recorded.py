"""What the tests of recordings share: frames to record, and what a player makes of the files."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.errors import StreamError
from pipeline.frame import Frame, Image
from pipeline.stage import ListInbox
from stages.record import RecordSettings, RecordStage

MS = Fraction(1, 1000)


def picture(seq: int, width: int = 64, height: int = 48) -> Image:
    """Grey, brighter with every frame."""
    return Image.from_bgr(np.full((height, width, 3), min(20 + seq, 255), np.uint8))


def frame(
    seq: int,
    pts: int | None,
    *,
    stream: str = "gate",
    epoch: int = 0,
    time_base: Fraction = MS,
    image: Image | None = None,
    canvas: Image | None = None,
    captured_ns: int = 0,
) -> Frame:
    return Frame(
        stream=stream,
        epoch=epoch,
        seq=seq,
        pts=pts,
        time_base=time_base,
        captured_ns=captured_ns,
        captured_utc_ns=1_700_000_000_000_000_000 + captured_ns,
        clock="media",
        image=image or picture(seq),
        canvas=canvas,
    )


def record(
    directory: Path, frames: Sequence[Frame], settings: RecordSettings | None = None
) -> tuple[RecordStage, list[Frame], list[StreamError]]:
    errors: list[StreamError] = []
    settings = settings or RecordSettings(directory=directory)
    stage = RecordStage(settings, publisher="run-1", report=errors.append)
    return stage, list(stage.run(ListInbox(frames))), errors


def read(path: Path) -> tuple[list[Fraction], list[float], tuple[int, int]]:
    """Times s, mean brightness and size of what a player shows."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    times = [f.pts * f.time_base for f in frames if f.pts is not None and f.time_base is not None]
    brightness = [float(f.to_ndarray(format="bgr24").mean()) for f in frames]
    return times, brightness, (frames[0].width, frames[0].height)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()
