"""A live source that is lost is looked for again: backoff, give-up time, a new epoch each time."""

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from random import Random

from pipeline.clock import Clock
from pipeline.errors import SourceError, SourceRejected, SourceUnavailable
from pipeline.frame import Frame

LOGGER = logging.getLogger("maskstream.decode")

Connect = Callable[[int], Iterator[Frame]]
"""Given the epoch of its first frame, opens the source and yields until it is lost."""


@dataclass(frozen=True)
class Patience:
    """How to wait for a source, s.

    Waits double from ``first_s`` to ``most_s``, and from ``rejected_s`` to 10 × that after a
    server said no. They begin anew once pictures have come for ``good_s``. A source without a
    picture for ``give_up_s`` is given up (None: never), one that never came at once, unless
    ``retry_first``.
    """

    first_s: float = 1.0
    most_s: float = 30.0
    rejected_s: float = 30.0
    good_s: float = 10.0
    give_up_s: float | None = None
    retry_first: bool = False


class Backoff:
    """The waits between attempts. Belongs to one thread."""

    def __init__(self, patience: Patience, random: Random) -> None:
        self._patience = patience
        self._random = random
        self._failures = 0

    def reset(self) -> None:
        """The source has been good: begin with short waits again."""
        self._failures = 0

    def next_s(self, error: SourceError) -> float:
        """How long to wait after ``error``; half to all of the full wait, so that many sources
        that were lost together do not come back together."""
        patience = self._patience
        rejected = isinstance(error, SourceRejected)
        first_s = patience.rejected_s if rejected else patience.first_s
        most_s = 10 * patience.rejected_s if rejected else patience.most_s
        full_s = min(most_s, first_s * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return full_s * self._random.uniform(0.5, 1.0)


class Reconnecting:
    """Keeps connecting a source. Belongs to one thread. Each change of state is logged once."""

    def __init__(
        self,
        stream: str,
        where: str,
        connect: Connect,
        *,
        clock: Clock,
        random: Random,
        patience: Patience,
        lost: Callable[[int], None] = lambda _: None,
    ) -> None:
        """``lost`` is called each time that the source is about to be looked for again, with how
        many captured frames were lost behind the last good one: no frame will say it."""
        self._stream = stream
        self._where = where
        self._connect = connect
        self._clock = clock
        self._patience = patience
        self._lost = lost
        self._backoff = Backoff(patience, random)
        self._epoch = 0
        self._seen_ns: int | None = None
        self._said = ""

    def run(self, stop: threading.Event) -> Generator[Frame, None, None]:
        """Frames of every connection, until ``stop``; each connection begins a new epoch.

        :raises SourceError: when the first connection fails, or nothing came for ``give_up_s``.
        """
        began_ns = self._clock.now_ns()
        while not stop.is_set():
            try:
                yield from self._frames()
                error: SourceError = self._over()
            except SourceError as lost:
                error = lost
            if stop.is_set():
                return
            self._check(error, began_ns)
            self._say(f"lost: {error.got}; trying again", logging.WARNING)
            self._lost(error.corrupt)
            self._clock.wait(stop, self._backoff.next_s(error))

    def _frames(self) -> Iterator[Frame]:
        up_ns: int | None = None
        for frame in self._connect(self._epoch):
            self._seen_ns = self._clock.now_ns()
            up_ns = self._seen_ns if up_ns is None else up_ns
            if self._seen_ns - up_ns >= self._patience.good_s * 1e9:
                self._backoff.reset()
            self._epoch = frame.epoch + 1
            self._say("pictures are coming", logging.INFO)
            yield frame

    def _check(self, error: SourceError, began_ns: int) -> None:
        """Raise when there is nothing more to hope for."""
        if self._seen_ns is None and not self._patience.retry_first:
            raise error
        give_up_s = self._patience.give_up_s
        since_ns = began_ns if self._seen_ns is None else self._seen_ns
        missing_s = (self._clock.now_ns() - since_ns) / 1e9
        if give_up_s is not None and missing_s >= give_up_s:
            raise SourceUnavailable(
                where=self._where,
                wanted=f"pictures again within {give_up_s:g} s",
                got=error.got,
                remedy="Check the camera and the network, or set decode.give_up_s higher",
                corrupt=error.corrupt,
            ) from error

    def _say(self, what: str, level: int) -> None:
        if what != self._said:
            self._said = what
            LOGGER.log(level, "%s: %s (%s)", self._stream, what, self._where)

    def _over(self) -> SourceUnavailable:
        return SourceUnavailable(
            where=self._where,
            wanted="more pictures",
            got="the end of the stream",
            remedy="Check the camera",
        )
