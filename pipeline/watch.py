"""``run_stream.py watch``: what a publisher sends, as lines to read, as JSON lines, or saved."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from .client import Statistics, Subscriber
from .errors import RecordError
from .folders import check_writable
from .frame import Frame
from .wire import FrameKind, Message

MOST_TRACKS_SHOWN = 8
SILENCE_S = 3.0

Say = Callable[[str], None]


def watch(
    endpoint: str,
    stream: str | None = None,
    *,
    as_json: bool = False,
    save: Path | None = None,
    max_frames: int | None = None,
    keys: Path | None = None,
    server_key: str | None = None,
    say: Say | None = None,
    warn: Say | None = None,
) -> Statistics:
    """Show what ``endpoint`` publishes until it ends, ``max_frames`` came, or Ctrl-C.

    ``say`` gets a line for each processed frame: one to read, or with ``as_json`` its ``meta``
    header as it came; standard output by default. ``warn`` gets the rest: that nothing comes, and
    at the end what was lost; standard error by default. ``save``: a folder that gets
    STREAM.jsonl with the headers, and annotated pictures as STREAM/EPOCH-SEQ.jpg. ``keys``,
    ``server_key``: as of a Subscriber.

    :raises EndpointError: when ``endpoint`` is none.
    :raises AccessError: for keys that cannot be used, or that the publisher does not take.
    :raises RecordError: when something cannot be saved.
    """
    say, warn = say or _to_stdout, warn or _to_stderr
    kinds: tuple[FrameKind, ...] = ("meta", "annotated") if save else ("meta",)
    streams = None if stream is None else [stream]
    with (
        Subscriber(
            endpoint, streams, kinds, mode="all", keys=keys, server_key=server_key
        ) as subscriber,
        Shelf(save) as shelf,
    ):
        try:
            for message in _follow(subscriber, max_frames, warn):
                shelf.keep(message)
                if message.kind == "meta":
                    say(message.header.decode() if as_json else _line_now(subscriber, message))
        except KeyboardInterrupt:  # that is how one stops watching
            pass
        except BrokenPipeError:  # … | head; or Python would complain again when it flushes
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        statistics = subscriber.statistics()
    warn(summary(statistics))
    return statistics


def line(message: Message, lost: int, now_utc_ns: int) -> str:
    """A frame in one line: stream, sequence, instances, tracks, age, and what is missing."""
    frame = message.frame
    assert frame is not None
    parts = [f"{frame.stream}  {frame.epoch}/{frame.seq}", _seen(frame)]
    if frame.ended:
        parts.append(f"ended {' '.join(map(str, frame.ended))}")
    if frame.clock != "media":
        parts.append(f"age {(now_utc_ns - frame.captured_utc_ns) / 1e6:.0f} ms")
    if frame.dropped:
        drops = ", ".join(f"{reason} {count}" for reason, count in sorted(frame.dropped.items()))
        parts.append(f"dropped {drops}")
    if lost:
        parts.append(f"lost {lost}")
    return "  ".join(parts)


def summary(statistics: Statistics) -> str:
    """What was received and what was not, in one line a stream and kind."""
    lines = [
        f"{stream} {kind}: {counts.received} received, {counts.skipped} skipped here, "
        f"{counts.lost} lost on the way, {sum(counts.dropped.values())} dropped by the pipeline"
        for (stream, kind), counts in sorted(statistics.kinds.items())
    ]
    return "\n".join(lines) or "nothing was received"


class Shelf:
    """A folder for headers and pictures, made at once; without a folder it keeps nothing.

    :raises RecordError: from all methods, when the disk does not take it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}
        if folder is not None:
            check_writable(folder, "--save")

    def keep(self, message: Message) -> None:
        """Save a header, or the picture of an annotated frame."""
        frame = message.frame
        if self._folder is None or frame is None:
            return
        name = file_name(frame.stream)
        with _mapping_failures(self._folder):
            if message.kind == "meta":
                self._lines(self._folder, name).write(message.header + b"\n")
            elif frame.canvas is not None:
                place = self._folder / name / f"{frame.epoch:04}-{frame.seq:06}.jpg"
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(frame.canvas.planes[0].tobytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()

    def _lines(self, folder: Path, name: str) -> BinaryIO:
        if name not in self._files:
            # Unbuffered: what was seen is on the disk, whatever happens next.
            self._files[name] = (folder / f"{name}.jsonl").open("wb", buffering=0)
        return self._files[name]


@contextmanager
def _mapping_failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RecordError(
            where=f"--save {folder}",
            wanted="a folder that can be written to",
            got=error.strerror or str(error),
            remedy="Make room or take another folder",
        ) from error


def file_name(stream: str) -> str:
    """A stream's name as a file name; what the wire calls a stream leads out of no folder."""
    return re.sub(r"[^\w.-]", "-", stream).lstrip(".") or "stream"


def _follow(subscriber: Subscriber, max_frames: int | None, warn: Say) -> Iterator[Message]:
    """Messages until the end, or until there were ``max_frames`` records; complain of silence."""
    records, told = 0, False
    while not subscriber.ended and (max_frames is None or records < max_frames):
        message = subscriber.take(SILENCE_S)
        if message is not None:
            records += message.kind == "meta"
            told = False
            yield message
        elif not told and not subscriber.ended:
            told = True
            warn(f"nothing for {SILENCE_S:.0f} s; is it running, with a stream of that name?")


def _to_stdout(text: str) -> None:
    print(text, flush=True)  # whoever reads the other end of a pipe wants it now


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _line_now(subscriber: Subscriber, message: Message) -> str:
    counts = subscriber.statistics().kinds[message.stream, message.kind]
    return line(message, counts.lost + counts.skipped, time.time_ns())


def _seen(frame: Frame) -> str:
    if frame.instances is None:
        return "not segmented"
    tracks = sorted(track for track in frame.instances.track_ids.tolist() if track >= 0)
    shown = " ".join(map(str, tracks[:MOST_TRACKS_SHOWN]))
    more = " …" if len(tracks) > MOST_TRACKS_SHOWN else ""
    count = len(frame.instances)
    text = f"{count} instance{'' if count == 1 else 's'}"
    return f"{text}  tracks {shown}{more}" if tracks else text
