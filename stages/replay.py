"""Replay: a recording as a source, so that subscribers can be built and tested without a camera.

The frames are those that were recorded: same stream, epoch, seq, losses, instances and times. Only
when they come is decided here: in their own time, faster, or step by step.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated

from pydantic import BeforeValidator, Field

from pipeline.clock import Clock
from pipeline.config import Settings
from pipeline.demand import Demand
from pipeline.frame import Frame, Image
from pipeline.wire import FRAME_KINDS

from .replaying.lines import Recording
from .replaying.pace import Pace, Steps
from .replaying.pictures import Pictures

WAIT_POLL_S = 0.02


def _fastest(value: object) -> object:
    return inf if value == "max" else value


class ReplaySettings(Settings):
    """How `play` re-publishes recordings."""

    speed: Annotated[float, BeforeValidator(_fastest), Field(gt=0)] = 1.0
    """How many times as fast as it was recorded; "max": as fast as possible."""
    step: bool = False
    """Wait for Enter (or a line of a pipe) before each frame."""
    loop: bool = False
    """Begin anew at the end, in a new epoch, until it is stopped."""
    wait: bool = False
    """Begin only when somebody subscribes to the stream."""


@dataclass(frozen=True, eq=False)
class Reel:
    """A recording and its pictures. ``shown``: one for each line, the annotated ones.

    ``plain``: one for each captured frame, as the source had it.
    """

    lines: Recording
    shown: Pictures | None = None
    plain: Pictures | None = None


class Replay:
    """One recording as a stream; implements ``pipeline.stage.Source``. It waits for who is slow.

    Pictures are decoded only while ``demand`` says that somebody wants them. ``steps``: who asks
    for the next frame, when ``settings.step``.
    """

    live = False

    def __init__(
        self,
        reel: Reel,
        settings: ReplaySettings,
        *,
        demand: Demand,
        clock: Clock,
        steps: Steps | None = None,
    ) -> None:
        self.stream = reel.lines.stream
        self._reel = reel
        self._settings = settings
        self._demand = demand
        self._clock = clock
        self._steps = steps

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        """Yield the recorded frames, each at its turn, until their end or until ``stop``.

        :raises StreamError: for a line that is no recorded frame, and pictures of another size.
        """
        try:
            if self._settings.wait:
                self._wait_for_subscriber(stop)
            yield from self._rounds(stop)
        finally:
            for pictures in (self._reel.shown, self._reel.plain):
                if pictures is not None:
                    pictures.close()

    def _rounds(self, stop: threading.Event) -> Iterator[Frame]:
        pace = Pace(self._settings.speed, self._clock)
        first_epoch = given = 0
        while not stop.is_set():
            frame: Frame | None = None
            for frame, line, captured in _numbered(self._reel.lines):
                given += 1
                if not (self._is_asked(given, stop) if self._steps else pace.wait(frame, stop)):
                    return
                yield self._filled(frame, line, captured, first_epoch)
            if not self._settings.loop or frame is None:
                return
            first_epoch += frame.epoch + 1
            pace.begin_again()

    def _is_asked(self, number: int, stop: threading.Event) -> bool:
        return self._steps is not None and self._steps.wait(number, stop)

    def _filled(self, frame: Frame, line: int, captured: int, first_epoch: int) -> Frame:
        """``frame`` with the pictures that somebody wants, captured now."""
        shape, canvas = frame.image, None
        image = shape
        if shape is not None:
            canvas = self._picture("annotated", self._reel.shown, line, shape)
            image = self._picture("image", self._reel.plain, captured, shape) or shape
        return replace(
            frame,
            epoch=first_epoch + frame.epoch,
            captured_ns=self._clock.now_ns(),
            image=image,
            canvas=canvas,
        )

    def _picture(
        self, kind: str, pictures: Pictures | None, index: int, shape: Image
    ) -> Image | None:
        if pictures is None or not self._demand.wants(self.stream, kind):
            return None
        return pictures.at(index, shape)

    def _wait_for_subscriber(self, stop: threading.Event) -> None:
        while not any(self._demand.subscribed(self.stream, kind) for kind in FRAME_KINDS):
            if self._clock.wait(stop, WAIT_POLL_S):
                return


def _numbered(lines: Recording) -> Iterator[tuple[Frame, int, int]]:
    """Each frame with its number among those recorded and among those captured."""
    before = captured = epoch = 0
    for line, frame in enumerate(lines.frames()):
        if frame.epoch != epoch:
            before, epoch = captured, frame.epoch
        captured = before + frame.seq + 1
        yield frame, line, captured - 1
