"""How the streams of a run are doing, in a word each, and whether all is well."""

from collections.abc import Mapping
from dataclasses import dataclass

from .clock import Clock
from .tally import StreamCounts, Tally

WELL = frozenset({"waiting", "running", "ended"})
STATES = ("waiting", "running", "stalled", "reconnecting", "failed", "ended")
"""As in the status on the wire."""


@dataclass(frozen=True)
class StreamHealth:
    """``state``: one of ``STATES``. ``quiet_s``: since a frame came out, None before the first."""

    state: str
    quiet_s: float | None

    @property
    def is_well(self) -> bool:
        """If nobody has to look after it."""
        return self.state in WELL


class Health:
    """Reads the counts of a run. From any thread.

    A stream is stalled when it runs and no frame came out for ``stalled_after_s``.
    """

    def __init__(self, tally: Tally, clock: Clock, stalled_after_s: float) -> None:
        self._tally = tally
        self._clock = clock
        self._stalled_after_s = stalled_after_s

    def streams(self) -> dict[str, StreamHealth]:
        """Every stream at this moment."""
        now_ns = self._clock.now_ns()
        counts = self._tally.streams()
        return {name: self._of(stream, now_ns) for name, stream in counts.items()}

    def _of(self, stream: StreamCounts, now_ns: int) -> StreamHealth:
        if stream.moved_ns is None:
            return StreamHealth(stream.state, None)
        quiet_s = max(now_ns - stream.moved_ns, 0) / 1e9
        stalled = stream.state == "running" and quiet_s > self._stalled_after_s
        return StreamHealth("stalled" if stalled else stream.state, quiet_s)


def is_healthy(streams: Mapping[str, StreamHealth]) -> bool:
    """If no stream is stalled, looked for again or failed."""
    return all(stream.is_well for stream in streams.values())


def is_ready(streams: Mapping[str, StreamHealth]) -> bool:
    """If besides every stream has had its first frame."""
    return is_healthy(streams) and all(s.state != "waiting" for s in streams.values())
