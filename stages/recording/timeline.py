"""When a recorded frame is shown: the source's own times, made to fit one file."""

from fractions import Fraction

from pipeline.frame import Frame

LATEST_START_S = Fraction(1)
"""A file begins at the source's own time up to here; else (cameras count from boot) at 0."""
LONGEST_GAP_S = Fraction(1800)
"""FFmpeg's MP4 takes no distance of 2³¹ ticks between pictures: 36 minutes at the finest tick."""


class Timeline:
    """Maps the frames of one file to times that go on growing. One thread.

    Within an epoch distances are exactly the source's. A new epoch starts its own count: it goes on
    as much later as it was captured later. So does a frame without a timestamp. Where nothing came
    for more than ``LONGEST_GAP_S`` the file goes on that much later; the lines know the true time.
    """

    def __init__(self) -> None:
        self._last: Frame | None = None
        self._shift_s = Fraction(0)
        self._time_s = Fraction(0)

    def at(self, frame: Frame) -> Fraction:
        """The time of ``frame``, the next one, in seconds of the file."""
        last, before_s = self._last, self._time_s
        own_s = Fraction(0) if frame.pts is None else frame.pts * frame.time_base
        if last is None:
            self._shift_s = Fraction(0) if 0 <= own_s < LATEST_START_S else -own_s
        elif last.epoch != frame.epoch or frame.pts is None or last.pts is None:
            waited_s = Fraction(max(frame.captured_ns - last.captured_ns, 0), 10**9)
            self._shift_s = self._time_s + waited_s - own_s
        if last is not None:
            self._shift_s -= max(own_s + self._shift_s - before_s - LONGEST_GAP_S, Fraction(0))
        self._time_s = own_s + self._shift_s
        self._last = frame
        return self._time_s
