"""A subscriber that may lose nothing: where it is, how long it is waited for, what it missed."""

import logging

from pipeline.wire import FrameKind
from pipeline.wire import Listener as Told
from pipeline.wire.delivery import Hello

from .lines import KeptLine, Parts

log = logging.getLogger("maskstream.publish")


class Listener:
    """One name of ``publish.lossless``, over all its connections. Belongs to the stage's thread.

    ``route``: the connection that it is on, None while there is none. ``line``: what is kept for
    it. Times are monotonic, ns.
    """

    def __init__(self, name: str, window: int, grace_s: float) -> None:
        self.name = name
        self.line = KeptLine()
        self.route: bytes | None = None
        self.hello: Hello | None = None
        self._window = window
        self._grace_s = grace_s
        self._waited_since_ns = 0
        self._given_up = self._left = self._ending = False
        self._lost = 0

    @property
    def state(self) -> str:
        """In the words of the status."""
        if self.line.done or self._left:
            return "done"
        if self._given_up:
            return "given_up"
        if self.hello is None:
            return "expected"
        return "away" if self.route is None else "here"

    @property
    def holds_up(self) -> bool:
        """If no frame may be taken before it has come, or has acknowledged something."""
        if self.state in ("done", "given_up"):
            return False
        return self.hello is None or self.line.kept >= self._window

    @property
    def settled(self) -> bool:
        """If nothing has to be waited for at the end."""
        return self.state in ("done", "given_up")

    def told(self) -> Told:
        """For the status."""
        return Told(self.name, self.state, self.line.kept, self._lost)

    def arrive(self, route: bytes, hello: Hello) -> None:
        """It has said hello; what it has not acknowledged will be sent (again)."""
        log.info("lossless subscriber %r is here", self.name)
        self.route, self.hello = route, hello
        self._given_up = self._left = False
        self.line.rewind()

    def leave(self, now_ns: int) -> None:
        """Its connection is gone, or none was there yet; the time of grace begins."""
        if not self.settled and (self.hello is None or self.route is not None):
            log.info("waiting up to %g s for lossless subscriber %r", self._grace_s, self.name)
        self.route = None
        if not self._ending:
            self._waited_since_ns = now_ns

    def say_bye(self) -> None:
        """It goes for good, by its own wish."""
        self.route, self._left = None, True
        self.line.forget()

    def offer(self, stream: str, kind: FrameKind, parts: Parts) -> None:
        """A message is published; it is kept if it is wanted."""
        if self._left or not self._wants(stream, kind):
            return
        if self._given_up:
            self._lost += 1
        else:
            self.line.offer(stream, kind, parts)

    def keeps(self, stream: str, kind: FrameKind) -> bool:
        """If it may lose no message of these."""
        return not self._left and not self._given_up and self._wants(stream, kind)

    def acknowledge(self, number: int, now_ns: int) -> bool:
        """All up to ``number`` is dealt with; False when so much was never sent."""
        before = self.line.acknowledged
        is_known = self.line.acknowledge(number)
        if self.line.acknowledged > before:  # who says the same again and again gets nowhere
            self._waited_since_ns = now_ns
        return is_known

    def end(self, now_ns: int) -> None:
        """Everything was offered. From now on only progress counts as a reason to wait; who has
        never come is waited for no longer than before."""
        self._ending = True
        if self.hello is not None:
            self._waited_since_ns = now_ns
        self.line.end()

    def give_up_if_late(self, now_ns: int) -> bool:
        """After the time of grace nothing is kept any more; say if that happened now."""
        is_waited_for = self.route is None or self._ending
        late = now_ns - self._waited_since_ns >= self._grace_s * 1e9
        if self.settled or not is_waited_for or not late:
            return False
        state, lost = self.state, self.line.forget()
        self._given_up = True
        self._lost += lost
        log.warning(
            "gave up lossless subscriber %r, %s for %g s: %d messages are lost to it",
            self.name,
            state,
            self._grace_s,
            lost,
        )
        return True

    def _wants(self, stream: str, kind: FrameKind) -> bool:
        return kind == "meta" if self.hello is None else self.hello.wants(stream, kind)
