"""All that the page says in words and numbers: streams and their states, events, measurements."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..wire import Message, Status
from .history import Entry, Log, Tracks

SILENT_NS = 2_000_000_000
"""Without a message for this long a publisher is gone: it says something each second."""
MOST_STREAMS = 256
EVENTS, SAMPLES = 2_000, 5 * 60 * 16
"""How many entries are kept: of samples, one a second and stream, five minutes of 16 streams."""
MOST_REASONS = 16
"""Of drops, in a sample: there are five, and a publisher of another kind may say anything."""
SHORTEST_S = 0.9
"""Between two measurements."""
FLOWING = ("running",)
OVER = ("ended", "failed")


class Stream:
    """One stream of the publisher. Times: UTC, ms."""

    def __init__(self, status: Status, events: Log, now_ms: int) -> None:
        self.status = self.measured = status
        self.rates = (0.0, 0.0)
        self.tracks = Tracks(status.stream, events)
        self.framed_ms = now_ms
        self.state = status.state
        self.since_ms = now_ms

    def turn(self, state: str, since_ms: int) -> bool:
        """Note the state; if it is another one than before."""
        if state == self.state:
            return False
        self.state, self.since_ms = state, since_ms
        return True


@dataclass(frozen=True)
class News:
    """What a tab has been told: numbers of the last event and sample."""

    event: int = 0
    sample: int = 0


class Board:
    """Fed with messages and statuses, read by tabs. For one thread."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._run = ""
        self._events = Log(EVENTS)
        self._samples = Log(SAMPLES)
        self._heard_ns: int | None = None
        self._heard_ms = 0
        self._gone = False

    def note(self, message: Message, now_ns: int, now_ms: int) -> None:
        """A record came."""
        self._hear(now_ns, now_ms)
        if self._run and self._run != message.publisher:
            self._events.add({"what": "restarted", "t": now_ms, "stream": None})
        self._run = message.publisher
        stream = self._streams.get(message.stream)
        if message.frame is not None and stream is not None:
            stream.framed_ms = now_ms
            stream.tracks.note(message.frame, message.publisher, now_ms)

    def tell(self, statuses: Mapping[str, Status], now_ns: int, now_ms: int) -> None:
        """The last statuses, some times a second; an old one is known by its time."""
        for name, status in list(statuses.items())[:MOST_STREAMS]:
            stream = self._streams.get(name)
            if stream is None:
                stream = self._streams[name] = Stream(status, self._events, now_ms)
                self._hear(now_ns, now_ms)
            elif status != stream.status:
                self._hear(now_ns, now_ms)
                self._measure(stream, status, now_ms)
                if status.reconnects > stream.status.reconnects:
                    self._events.add({"what": "reconnected", "t": now_ms, "stream": name})
                stream.status = status
        if statuses:  # another publisher, with other streams
            for name in self._streams.keys() - statuses.keys() - _announced(statuses):
                del self._streams[name]
        self._judge(now_ns, now_ms)

    @property
    def streams(self) -> frozenset[str]:
        """Names of all streams."""
        return frozenset(self._streams)

    def welcome(self) -> dict[str, object]:
        """What a new tab needs to begin with."""
        tracks = [entry for stream in self._streams.values() for entry in stream.tracks.present()]
        return {
            "tracks": tracks,
            "events": self._events.after(0),
            "samples": self._samples.after(0),
        }

    def news(self, known: News) -> dict[str, object]:
        """How things are, and what happened since ``known``."""
        return {
            "publisher": self._publisher(),
            "streams": [_row(name, self._streams[name]) for name in self._in_order()],
            "events": self._events.after(known.event),
            "samples": self._samples.after(known.sample),
        }

    def told(self) -> News:
        """What a tab that has been told everything knows."""
        return News(self._events.last, self._samples.last)

    def _in_order(self) -> list[str]:
        """Names as the publisher has them: in the order of its sources."""
        announced = next((s.status.streams for s in self._streams.values()), ())
        known = [name for name in announced if name in self._streams]
        return known + sorted(self._streams.keys() - set(known))

    def _hear(self, now_ns: int, now_ms: int) -> None:
        self._heard_ns, self._heard_ms = now_ns, now_ms

    def _publisher(self) -> Entry:
        if self._heard_ns is None:
            return {"state": "never", "since": None}
        over = self._streams and all(s.status.state in OVER for s in self._streams.values())
        state = "gone" if self._gone else "ended" if over else "live"
        return {"state": state, "since": self._heard_ms}

    def _judge(self, now_ns: int, now_ms: int) -> None:
        """Whether the publisher is there, and what that makes of its streams."""
        over = all(stream.status.state in OVER for stream in self._streams.values())
        silent = self._heard_ns is not None and now_ns - self._heard_ns > SILENT_NS
        self._gone = silent and not over
        for name, stream in self._streams.items():
            state = "gone" if self._gone else stream.status.state
            since_ms = now_ms if state in (*FLOWING, *OVER) else stream.framed_ms
            if stream.turn(state, since_ms):
                self._events.add({"what": state, "t": now_ms, "stream": name})
            if state in OVER:
                stream.tracks.clear(now_ms)
            stream.tracks.sweep(now_ms)

    def _measure(self, stream: Stream, new: Status, now_ms: int) -> None:
        """A point of the charts, once a second; statuses between the seconds are too short."""
        old, seconds = stream.measured, (new.utc_ns - stream.measured.utc_ns) / 1e9
        captured = new.totals.captured - old.totals.captured
        if 0 < seconds < SHORTEST_S and captured >= 0:
            return
        stream.measured = new
        if seconds <= 0 or captured < 0:  # another publisher, or a clock that was set
            return
        stream.rates = captured / seconds, (new.totals.published - old.totals.published) / seconds
        drops = Counter(new.totals.dropped)
        drops.subtract(old.totals.dropped)
        p50, p95 = new.age_ms or (None, None)
        self._samples.add(
            {
                "t": now_ms,
                "stream": new.stream,
                "in": round(stream.rates[0], 2),
                "out": round(stream.rates[1], 2),
                "p50": p50,
                "p95": p95,
                "drops": dict((+drops).most_common(MOST_REASONS)),
            }
        )


def _announced(statuses: Mapping[str, Status]) -> set[str]:
    return {name for status in statuses.values() for name in status.streams}


def _row(name: str, stream: Stream) -> Entry:
    status = stream.status
    is_past = stream.state in ("gone", *OVER)  # nobody measures any more
    rates = (0.0, 0.0) if is_past else stream.rates
    return {
        "name": name,
        "state": stream.state,
        "since": stream.since_ms,
        "epoch": status.epoch,
        "in": round(rates[0], 2),
        "out": round(rates[1], 2),
        "age": None if is_past else status.age_ms,
        "reconnects": status.reconnects,
        "captured": status.totals.captured,
        "published": status.totals.published,
        "dropped": dict(_sorted(status.totals.dropped)),
        "model": status.model.name if status.model else None,
    }


def _sorted(counts: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    return iter(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
