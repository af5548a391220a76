"""What a publisher knows of one stream from the frames that pass, and its status from that."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.frame import Frame, Model
from pipeline.wire import Kind, Status, Totals

MOST_AGES = 1_024
SHORTEST_PERIOD_S = 0.1

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


class StreamTally:
    """Counts of one stream. Belongs to the thread of its stage."""

    def __init__(self, stream: str, now_ns: int) -> None:
        self.messages: Counter[Kind] = Counter()
        self._stream = stream
        self._last: Frame | None = None
        self._last_ns = now_ns
        self._before: Counter[str] = Counter()  # drops of the epochs that are over
        self._captured_before = 0
        self._epochs = 0
        self._published = 0
        self._ages_ms: deque[float] = deque(maxlen=MOST_AGES)
        self._age_ms: tuple[float, float] | None = None
        self._rates_hz = (0.0, 0.0)
        self._measured = (now_ns, 0, 0)

    def count(self, frame: Frame, now_ns: int) -> bool:
        """One more frame is being published; say if it is the first of its epoch."""
        last = self._last
        is_first = last is None or last.epoch != frame.epoch
        self._epochs += is_first
        if last is not None and is_first:
            self._captured_before += last.seq + 1
            self._before += Counter(last.dropped)
        # Its numbers are kept, not its pictures.
        self._last = replace(frame, image=None, canvas=None, instances=None)
        self._last_ns = now_ns
        self._published += 1
        self._ages_ms.append((now_ns - frame.captured_ns) / 1e6)
        return is_first

    def measure(self, now_ns: int) -> None:
        """Close a measuring period, unless it is very short: frames per second and ages."""
        since_ns, captured, published = self._measured
        seconds = (now_ns - since_ns) / 1e9
        if seconds < SHORTEST_PERIOD_S:
            return
        totals = self._totals()
        self._rates_hz = (
            (totals.captured - captured) / seconds,
            (totals.published - published) / seconds,
        )
        self._measured = (now_ns, totals.captured, totals.published)
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
        if self._last is None:
            return Totals()
        dropped = self._before + Counter(self._last.dropped)
        return Totals(self._captured_before + self._last.seq + 1, self._published, dropped)

    def _model(self) -> Model | None:
        return None if self._last is None else self._last.model


def _adds_up(totals: Totals, published: int) -> bool:
    """If no frame of the stream is still under way."""
    return totals.captured == published + sum(totals.dropped.values())


def _by_kind(messages: Mapping[Kind, int]) -> dict[str, int]:
    kinds: tuple[Kind, ...] = ("meta", "annotated", "image")
    return {kind: messages[kind] for kind in kinds}
