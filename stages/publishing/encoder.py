"""Pictures as JPEG files, made in a thread of their own: they delay no record.

OpenCV's wheel brings libjpeg-turbo, which works without the interpreter's lock.
"""

import threading
from collections import deque
from dataclasses import dataclass

import cv2

from pipeline.demand import Demand
from pipeline.frame import Frame, Image
from pipeline.picture import to_bgr
from pipeline.wire import FrameKind


@dataclass(frozen=True)
class Job:
    """A picture of a frame that somebody wants. ``body``: what its headers have in common."""

    frame: Frame
    kind: FrameKind
    picture: Image
    body: str


class Encoder:
    """One thread, from the first picture until ``close``. Of each stream and kind the newest
    picture waits for it; the ones before give way and are counted in ``passed_over``.

    All methods belong to the stage's thread.
    """

    def __init__(self, demand: Demand, quality: int) -> None:
        self.passed_over = 0
        self._demand = demand
        self._quality = quality
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, FrameKind], Job] = {}
        self._done: deque[tuple[Job, bytes]] = deque()
        self._working: tuple[str, FrameKind] | None = None
        self._closed = False
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """If there is something that will be ``done``."""
        with self._changed:
            return self._is_busy() or bool(self._done)

    def has(self, stream: str, kind: FrameKind) -> bool:
        """If a picture of these is not ``done`` yet."""
        with self._changed:
            return (stream, kind) in self._waiting or self._working == (stream, kind)

    def put(self, job: Job) -> None:
        """Have it encoded, in the place of an older one that still waits."""
        self._thread = self._thread or self._start()
        key = (job.frame.stream, job.kind)
        with self._changed:
            self.passed_over += key in self._waiting
            self._waiting[key] = job  # in the older one's turn: a fast stream starves no other
            self._changed.notify_all()

    def done(self) -> list[tuple[Job, bytes]]:
        """What has been encoded since, in order. Never waits.

        :raises cv2.error: for a picture that cannot be encoded.
        """
        with self._changed:
            if self._error:
                raise self._error
            found = list(self._done)
            self._done.clear()
            return found

    def finish(self) -> None:
        """Wait until all is ``done``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_busy() or self._error)

    def close(self) -> None:
        """End the thread; what is not taken is given up. It may be used again."""
        if self._thread is None:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        self._waiting.clear()
        self._done.clear()
        self._thread, self._error, self._closed = None, None, False

    def _start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="maskstream-jpeg", daemon=True)
        thread.start()
        return thread

    def _is_busy(self) -> bool:
        return self._working is not None or bool(self._waiting)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            encoded, error = self._encoded(job)
            with self._changed:
                self._error = error
                if encoded:
                    self._done.append((job, encoded))
                self._working = None
                self._changed.notify_all()
            if error:
                return

    def _encoded(self, job: Job) -> tuple[bytes, Exception | None]:
        """The file, empty when nobody wants it any more; or why there is none."""
        if not self._demand.subscribed(job.frame.stream, job.kind):
            return b"", None
        try:
            return encode_jpeg(job.picture, self._quality), None
        except Exception as error:  # raised in the stage's thread by ``done``
            return b"", error

    def _next(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if self._closed:
                return None
            self._working = next(iter(self._waiting))
            return self._waiting.pop(self._working)


def encode_jpeg(image: Image, quality: int) -> bytes:
    """``image`` as a JPEG file; one that is JPEG already is passed on as it is.

    :raises cv2.error: when it cannot be encoded.
    """
    if image.format == "jpeg":
        return image.planes[0].tobytes()
    _, encoded = cv2.imencode(".jpg", to_bgr(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
