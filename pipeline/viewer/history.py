"""What happened so far, bounded: numbered entries, and the tracks that are there now."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ..frame import Frame, TrackState

MOST_TRACKS = 2_000
"""Of one stream at a time; more are drawn in the picture, but not listed."""
UNSEEN_MS = 5_000
"""A track that was not seen for this long has left, when it was last seen, whatever the tracker
still hopes for; when it is seen again it has appeared again."""
LONGEST_LABEL = 60
"""Characters; the wire has no bound, and what is kept must have one."""

Entry = dict[str, object]


class Log:
    """The newest ``capacity`` entries, numbered from 1, for readers who remember a number."""

    def __init__(self, capacity: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self.last = 0

    def add(self, entry: Mapping[str, object]) -> None:
        """Write an entry; it gets its number as ``n``."""
        self.last += 1
        self._entries.append({"n": self.last, **entry})

    def after(self, number: int) -> list[Entry]:
        """Entries with higher numbers than ``number``, as far as they are still there."""
        known = self.last - len(self._entries)
        return list(islice(self._entries, max(0, number - known), None))


@dataclass
class Presence:
    """A track while it is there. Times: UTC, ms."""

    label: str
    since_ms: int
    seen_ms: int


class Tracks:
    """Who appeared in one stream and who left; each of both is an entry of ``events``."""

    def __init__(self, stream: str, events: Log) -> None:
        self._stream = stream
        self._events = events
        self._run: tuple[str, int] | None = None  # publisher and epoch: ids begin anew with each
        self._present: dict[int, Presence] = {}

    def note(self, frame: Frame, publisher: str, now_ms: int) -> None:
        """A record came at ``now_ms``."""
        if self._run != (publisher, frame.epoch):
            self.clear(now_ms)
            self._run = publisher, frame.epoch
        for track, label in _tracked(frame):
            self._see(track, label, now_ms)
        for track in frame.ended:
            self._leave(track, now_ms)

    def sweep(self, now_ms: int) -> None:
        """Let go of tracks that nobody sees any more."""
        for track in [t for t, p in self._present.items() if now_ms - p.seen_ms > UNSEEN_MS]:
            self._leave(track, now_ms)

    def clear(self, now_ms: int) -> None:
        """Everybody leaves: the publisher, the source or the connection began anew."""
        for track in list(self._present):
            self._leave(track, now_ms)

    def present(self) -> list[Entry]:
        """Who is there now."""
        return [
            self._entry(track, presence.label, presence.since_ms)
            for track, presence in self._present.items()
        ]

    def _see(self, track: int, label: str, now_ms: int) -> None:
        presence = self._present.get(track)
        if presence is not None:
            presence.seen_ms = now_ms
        elif len(self._present) < MOST_TRACKS:
            self._present[track] = Presence(label, now_ms, now_ms)
            self._events.add({"what": "appeared", **self._entry(track, label, now_ms)})

    def _leave(self, track: int, now_ms: int) -> None:
        presence = self._present.pop(track, None)
        if presence is not None:
            entry = self._entry(track, presence.label, now_ms)
            lasted = presence.seen_ms - presence.since_ms
            self._events.add({"what": "left", **entry, "seen": presence.seen_ms, "lasted": lasted})

    def _entry(self, track: int, label: str, t_ms: int) -> Entry:
        epoch = self._run[1] if self._run else 0
        return {"t": t_ms, "stream": self._stream, "epoch": epoch, "track": track, "label": label}


def _tracked(frame: Frame) -> Iterator[tuple[int, str]]:
    """Ids and labels of what has a track for sure; tentative ones come and go too often."""
    found = frame.instances
    if found is None:
        return
    names = frame.model.classes if frame.model else ()
    columns = zip(
        found.track_ids.tolist(), found.states.tolist(), found.classes.tolist(), strict=True
    )
    for track, state, category in columns:
        if track >= 0 and state == TrackState.TRACKED:
            named = category < len(names) and names[category]
            yield track, names[category][:LONGEST_LABEL] if named else f"class {category}"
