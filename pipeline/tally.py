"""Exact counts of a run, and quantiles of what it took: small, bounded, safe between threads."""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from .frame import Frame, TrackState

SAMPLES_KEPT = 2048
RATE_WINDOW_NS = 5_000_000_000

SourceState = Literal["waiting", "running", "reconnecting", "ended", "failed"]
"""Before its first frame, while frames come, while a lost source is looked for, after its end,
after an error that ended it."""


@dataclass(frozen=True)
class StreamCounts:
    """One stream: captured = published + Σ dropped, once nothing is under way any more."""

    captured: int = 0
    """Frames that the source captured, those that it could not decode included."""
    published: int = 0
    """Frames that came out of the last stage."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Frames lost on the way, by reason."""
    instances: int = 0
    """Instances in the published frames."""
    tracks: int = 0
    """Different confirmed tracks in the published frames."""
    reconnects: int = 0
    """Epochs after the first: reconnections and changes of the picture's size."""
    state: SourceState = "waiting"
    """Where the source stands."""
    moved_ns: int | None = None
    """When a frame last came out, or before that when the first was captured; monotonic."""

    @property
    def under_way(self) -> int:
        """Frames that are neither published nor dropped yet."""
        return self.captured - self.published - sum(self.dropped.values())

    def settled(self, reason: str) -> "StreamCounts":
        """These counts, with what is under way lost to ``reason``."""
        lost = Counter(self.dropped) + Counter({reason: self.under_way})
        return replace(self, dropped=dict(lost))


@dataclass(frozen=True)
class Quantiles:
    """The middle and the slow end of the latest durations."""

    count: int
    """Durations seen in the whole run."""
    p50_s: float
    p95_s: float


class Durations:
    """Quantiles of the latest ``SAMPLES_KEPT`` durations. Not thread-safe."""

    def __init__(self) -> None:
        self._count = 0
        self._latest: deque[float] = deque(maxlen=SAMPLES_KEPT)

    def add(self, seconds: float) -> None:
        """Count one."""
        self._count += 1
        self._latest.append(seconds)

    def quantiles(self) -> Quantiles:
        """The median and the 95th percentile; 0 s when there is none."""
        p50, p95 = np.quantile(self._latest, (0.5, 0.95)) if self._latest else (0.0, 0.0)
        return Quantiles(self._count, float(p50), float(p95))


class _Stream:
    """The running counts of one stream."""

    def __init__(self) -> None:
        self.captured = self.published = self.instances = self.tracks = self.epochs = 0
        self.dropped: Counter[str] = Counter()
        self.state: SourceState = "waiting"
        self.captured_ns: deque[int] = deque(maxlen=SAMPLES_KEPT)
        self.published_ns: deque[int] = deque(maxlen=SAMPLES_KEPT)
        self._epoch = -1
        self._lost_at_source: Mapping[str, int] = {}
        self._published_epoch = -1
        self._live_tracks: set[int] = set()

    def capture(self, frame: Frame) -> Counter[str]:
        """Count a frame as it leaves its source; what the source lost since the one before."""
        if frame.epoch != self._epoch:
            self._epoch, self._lost_at_source = frame.epoch, {}
            self.epochs += 1
        lost = Counter(frame.dropped)
        lost.subtract(self._lost_at_source)
        lost = +lost
        self._lost_at_source = frame.dropped
        self.state = "running"
        self.captured += 1 + lost.total()
        self.captured_ns.extend([frame.captured_ns] * min(1 + lost.total(), SAMPLES_KEPT))
        self.dropped += lost
        return lost

    def publish(self, frame: Frame, now_ns: int) -> None:
        self.published += 1
        self.published_ns.append(now_ns)
        if frame.epoch != self._published_epoch:
            self._published_epoch = frame.epoch
            self._live_tracks.clear()
        if frame.instances is not None:
            self.instances += len(frame.instances)
            confirmed = frame.instances.states == TrackState.TRACKED
            seen = set(frame.instances.track_ids[confirmed].tolist())
            self.tracks += len(seen - self._live_tracks)
            self._live_tracks |= seen
        self._live_tracks.difference_update(frame.ended)

    def counts(self) -> StreamCounts:
        return StreamCounts(
            captured=self.captured,
            published=self.published,
            dropped=dict(+self.dropped),
            instances=self.instances,
            tracks=self.tracks,
            reconnects=max(self.epochs - 1, 0),
            state=self.state,
            moved_ns=self._moved_ns(),
        )

    def _moved_ns(self) -> int | None:
        if self.published_ns:
            return self.published_ns[-1]
        return self.captured_ns[0] if self.captured_ns else None


class Tally:
    """What happened to every frame of a run. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, _Stream] = {}
        self._stages: dict[str, Durations] = {}
        self._ages = Durations()
        self._published_ns: deque[int] = deque(maxlen=SAMPLES_KEPT)

    def source(self, stream: str, state: SourceState) -> None:
        """Say where a source stands; the one that captures is "running" by itself."""
        with self._lock:
            self._stream(stream).state = state

    def captured(self, frame: Frame) -> tuple[Counter[str], bool]:
        """Count a frame as it leaves its source.

        Returns what the source itself lost since the frame before it, by reason, and whether the
        frame begins an epoch after the first.
        """
        with self._lock:
            stream = self._stream(frame.stream)
            epochs = stream.epochs
            lost = stream.capture(frame)
            return lost, 0 < epochs < stream.epochs

    def lost_at_end(self, stream: str, reason: str, count: int) -> None:
        """Count captured frames that a source lost after its last good one."""
        with self._lock:
            self._stream(stream).captured += count
            self._stream(stream).dropped[reason] += count

    def published(self, frame: Frame, now_ns: int) -> None:
        """Count a frame that came out of the last stage, at ``now_ns`` monotonic."""
        with self._lock:
            self._stream(frame.stream).publish(frame, now_ns)
            self._ages.add((now_ns - frame.captured_ns) / 1e9)
            self._published_ns.append(now_ns)

    def dropped(self, stream: str, reason: str, count: int = 1) -> None:
        """Count frames that were lost."""
        with self._lock:
            self._stream(stream).dropped[reason] += count

    def worked(self, stage: str, seconds: float) -> None:
        """Count a frame that a stage held for so long."""
        with self._lock:
            self._stages.setdefault(stage, Durations()).add(seconds)

    def streams(self) -> dict[str, StreamCounts]:
        """The counts of each stream, all of the same moment."""
        with self._lock:
            return {name: stream.counts() for name, stream in self._streams.items()}

    def stages(self) -> dict[str, Quantiles]:
        """How long each stage held a frame, in the order in which they first did."""
        with self._lock:
            return {name: durations.quantiles() for name, durations in self._stages.items()}

    def ages(self) -> Quantiles:
        """How old frames were when they were published."""
        with self._lock:
            return self._ages.quantiles()

    def rate_hz(self, now_ns: int) -> float:
        """Published frames a second over the last seconds."""
        with self._lock:
            return _rate_hz(self._published_ns, now_ns)

    def rates_hz(self, now_ns: int) -> dict[str, tuple[float, float]]:
        """Captured and published frames a second of each stream over the last seconds."""
        with self._lock:
            return {
                name: (_rate_hz(stream.captured_ns, now_ns), _rate_hz(stream.published_ns, now_ns))
                for name, stream in self._streams.items()
            }

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream())


def _rate_hz(moments_ns: Iterable[int], now_ns: int) -> float:
    recent = [ns for ns in moments_ns if now_ns - ns <= RATE_WINDOW_NS]
    span_ns = now_ns - recent[0] if recent else 0
    return len(recent) * 1e9 / span_ns if span_ns else 0.0
