"""Who wants what: the subscriptions that publishers see, so that nobody encodes for nobody.

XPUB reports a byte prefix when the first subscriber asks for it and when the last one leaves.
"" and "v1/" ask for everything, "v1/gate-2/annotated/" for one kind of one stream.
"""

import threading
from collections import Counter
from collections.abc import Iterable

MOST_PREFIXES = 4096
"""Distinct prefixes that are remembered; more can be invented."""
EVERYTHING = b""
"""What all topics start with. Who wants what cannot be remembered any more is taken to want it."""


class Demand:
    """Subscriptions as prefixes with a count, by kind. Safe to share between threads.

    A subscription counts only for the kinds that its socket carries: who asks the socket of the
    records for everything has not asked for pictures.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prefixes: Counter[tuple[bytes, str]] = Counter()
        self._always: set[str] = set()
        self._answers: dict[tuple[str, str], bool] = {}

    def wants(self, stream: str, kind: str) -> bool:
        """If anybody, a subscriber or a recorder, has a use for this kind of this stream."""
        with self._lock:
            return kind in self._always or self._subscribed(stream, kind)

    def subscribed(self, stream: str, kind: str) -> bool:
        """If a subscriber asked for this kind of this stream."""
        with self._lock:
            return self._subscribed(stream, kind)

    def add(self, prefix: bytes, kinds: Iterable[str]) -> bool:
        """A subscription to topics that start with ``prefix``, on a socket that carries ``kinds``.

        False, and without effect, when there are too many prefixes already; ``EVERYTHING`` always
        has room.
        """
        keys = [(prefix, kind) for kind in kinds]
        with self._lock:
            new = sum(key not in self._prefixes for key in keys)
            if prefix != EVERYTHING and len(self._prefixes) + new > MOST_PREFIXES:
                return False
            self._prefixes.update(keys)
            self._answers.clear()
            return True

    def remove(self, prefix: bytes, kinds: Iterable[str]) -> None:
        """One subscription less; unknown ones are ignored."""
        with self._lock:
            for kind in kinds:
                self._prefixes[prefix, kind] -= 1
                if self._prefixes[prefix, kind] <= 0:
                    del self._prefixes[prefix, kind]
            self._answers.clear()

    def clear(self, kinds: Iterable[str]) -> None:
        """The socket that carried ``kinds`` was closed: all its subscriptions are gone."""
        gone = frozenset(kinds)
        with self._lock:
            for key in [key for key in self._prefixes if key[1] in gone]:
                del self._prefixes[key]
            self._answers.clear()

    def always(self, kind: str) -> None:
        """Want this kind of every stream from now on, as a recorder does."""
        with self._lock:
            self._always.add(kind)

    def count(self, kind: str) -> int:
        """How many different prefixes somebody asked for, to get this kind."""
        with self._lock:
            return sum(of == kind and _can_mean(prefix, kind) for prefix, of in self._prefixes)

    def _subscribed(self, stream: str, kind: str) -> bool:
        answer = self._answers.get((stream, kind))
        if answer is None:
            topic = f"v1/{stream}/{kind}/".encode()
            asked = (prefix for prefix, of in self._prefixes if of == kind)
            answer = any(topic.startswith(prefix) for prefix in asked)
            self._answers[stream, kind] = answer
        return answer


def _can_mean(prefix: bytes, kind: str) -> bool:
    """If topics of ``kind`` of some stream start with ``prefix``."""
    version, *rest = prefix.split(b"/", 2)
    if len(rest) < 2:
        return b"v1/".startswith(version if not rest else version + b"/")
    return version == b"v1" and f"{kind}/".encode().startswith(rest[1])
