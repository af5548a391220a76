"""What a publisher knows of one stream from the frames that pass, and its status from that."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.frame import Frame, Model
from pipeline.wire import Kind, Status, Totals

MOST_AGES = 1_024
SHORTEST_PERIOD_NS = 100_000_000

RECONNECTING, ENDED, FAILED = "reconnecting", "ended", "failed"


@dataclass(frozen=True)
class SourceFacts:
    """What only the source and the supervisor know of a stream.

    ``state``: reconnecting, failed, ended; other words are left to what the frames say. ``totals``:
    also of the frames that were lost after the last published one; used once they add up, that is
    when no frame is under way any more.
    """

    state: str = ""
    reconnects: int = 0
    totals: Totals | None = None


@dataclass(frozen=True)
class _Mark:
    """Where a measuring period began, and what was counted by then.

    ``told_ns``: when a frame last told how many were dropped before it.
    """

    at_ns: int
    told_ns: int
    published: int
    dropped: int


class StreamTally:
    """Counts of one stream. Belongs to the thread of its stage."""

    def __init__(self, stream: str, now_ns: int) -> None:
        self.messages: Counter[Kind] = Counter()
        self._stream = stream
        self._last: Frame | None = None
        self._last_ns = now_ns
        self._before: Counter[str] = Counter()  # drops of the epochs that are over
        self._epochs = 0
        self._published = 0
        self._ages_ms: deque[float] = deque(maxlen=MOST_AGES)
        self._age_ms: tuple[float, float] | None = None
        self._rates_hz = (0.0, 0.0)
        self._mark: _Mark | None = None  # none before the first frame: what it tells is older

    def count(self, frame: Frame, now_ns: int) -> bool:
        """One more frame is being published; say if it is the first of its epoch."""
        last = self._last
        is_first = last is None or last.epoch != frame.epoch
        self._epochs += is_first
        if last is not None and is_first:
            self._before += Counter(last.dropped)
        # Its numbers are kept, not its pictures.
        self._last = replace(frame, image=None, canvas=None, instances=None)
        self._last_ns = now_ns
        self._published += 1
        self._mark = self._mark or _Mark(now_ns, now_ns, self._published, self._dropped().total())
        self._ages_ms.append((now_ns - frame.captured_ns) / 1e6)
        return is_first

    def measure(self, now_ns: int) -> None:
        """Close a measuring period, unless it is very short: frames per second and ages.

        Drops are told by the next frame, and spread over the time since the one before.
        """
        mark = self._mark
        if mark is None or now_ns - mark.at_ns < SHORTEST_PERIOD_NS:
            return
        published, dropped = self._published, self._dropped().total()
        out_hz = (published - mark.published) * 1e9 / (now_ns - mark.at_ns)
        dropped_hz = (dropped - mark.dropped) * 1e9 / (now_ns - mark.told_ns)
        self._rates_hz = (out_hz + dropped_hz, out_hz)
        told_ns = now_ns if published > mark.published else mark.told_ns
        self._mark = _Mark(now_ns, told_ns, published, dropped)
        p50, p95 = np.percentile(self._ages_ms, (50, 95)).tolist() if self._ages_ms else (0, 0)
        self._age_ms = (p50, p95) if self._ages_ms else None
        self._ages_ms.clear()

    def status(
        self, *, now_ns: int, utc_ns: int, stalled_after_s: float, facts: SourceFacts, ended: bool
    ) -> Status:
        """How the stream is doing. ``ended``: nothing more will come through the pipeline."""
        last = self._last
        totals = self._totals()
        settled = facts.totals is not None and _adds_up(facts.totals, self._published)
        if settled and facts.totals is not None:
            totals = Totals(facts.totals.captured, self._published, facts.totals.dropped)
        stalled = now_ns - self._last_ns > stalled_after_s * 1e9
        return Status(
            stream=self._stream,
            state=self._state(facts.state, ended, settled, stalled),
            utc_ns=utc_ns,
            epoch=last.epoch if last else None,
            seq=last.seq if last else None,
            reconnects=max(facts.reconnects, self._epochs - 1, 0),
            fps_in=self._rates_hz[0],
            fps_out=self._rates_hz[1],
            age_ms=self._age_ms,
            dropped=last.dropped if last else {},
            totals=totals,
            messages=_by_kind(self.messages),
            model=self._model(),
        )

    def _state(self, told: str, ended: bool, settled: bool, stalled: bool) -> str:
        if ended:
            return FAILED if told == FAILED else ENDED
        if settled and told in (ENDED, FAILED):
            return told
        if told == RECONNECTING:
            return told
        if self._last is None:
            return "waiting"
        return "stalled" if stalled else "running"

    def _totals(self) -> Totals:
        dropped = self._dropped()
        return Totals(self._published + dropped.total(), self._published, dropped)

    def _dropped(self) -> Counter[str]:
        return self._before + Counter(self._last.dropped if self._last else {})

    def _model(self) -> Model | None:
        return None if self._last is None else self._last.model


def _adds_up(totals: Totals, published: int) -> bool:
    """If no frame of the stream is still under way."""
    return totals.captured == published + sum(totals.dropped.values())


def _by_kind(messages: Mapping[Kind, int]) -> dict[str, int]:
    kinds: tuple[Kind, ...] = ("meta", "annotated", "image")
    return {kind: messages[kind] for kind in kinds}
