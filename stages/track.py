"""Track: gives the instances of each stream and epoch identities that last."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

from pipeline.frame import Frame
from pipeline.stage import Inbox

from .tracking.tracker import MaskTracker, TrackConfig

__all__ = ["MaskTracker", "TrackConfig", "TrackStage"]

EPOCHS_KEPT = 2
"""A frame of the epoch before can still come after the first one of a new epoch."""

MOST_TRACKERS = 512
"""Streams and epochs tracked at once; the one not seen for longest is forgotten."""


class TrackStage:
    """Fills ``track_ids`` and ``states`` of a frame's instances, and ``ended``. One thread.

    Every epoch of a stream has a tracker of its own, and its tracks end with it.
    """

    name = "track"

    def __init__(self, settings: TrackConfig) -> None:
        import_module("scipy.optimize")  # now, so that the first frame does not wait for it
        self._settings = settings
        self._epochs: OrderedDict[tuple[str, int], _Epoch] = OrderedDict()

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Yield every frame; those without instances (not even none) as they came."""
        for frame in inbox:
            yield frame if frame.instances is None else self._epoch(frame).tracked(frame)

    def _epoch(self, frame: Frame) -> "_Epoch":
        key = (frame.stream, frame.epoch)
        if key not in self._epochs:
            self._epochs[key] = _Epoch(self._settings)
            mine = [known for known in self._epochs if known[0] == frame.stream]
            for old in mine[:-EPOCHS_KEPT]:
                del self._epochs[old]
        self._epochs.move_to_end(key)
        while len(self._epochs) > MOST_TRACKERS:
            self._epochs.popitem(last=False)
        return self._epochs[key]


class _Epoch:
    """A tracker and the time of its frames: the media's, else as much later as captured."""

    def __init__(self, settings: TrackConfig) -> None:
        self._tracker = MaskTracker(settings)
        self._media_s: float | None = None
        self._captured_ns: int | None = None
        self._time_s = 0.0

    def tracked(self, frame: Frame) -> Frame:
        assert frame.instances is not None
        self._time_s += self._elapsed_s(frame)
        instances = self._tracker.update(frame.instances, self._time_s)
        return replace(frame, instances=instances, ended=self._tracker.ended)

    def _elapsed_s(self, frame: Frame) -> float:
        """Seconds since the frame before; less than 0 when the source's time went back."""
        media_s, captured_ns = frame.media_time_s, frame.captured_ns
        if media_s is not None and self._media_s is not None:
            elapsed_s = media_s - self._media_s
        elif self._captured_ns is not None:
            elapsed_s = (captured_ns - self._captured_ns) * 1e-9
        else:
            elapsed_s = 0.0
        self._media_s, self._captured_ns = media_s, captured_ns
        return elapsed_s
