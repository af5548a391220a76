"""How far a subscription has come: received, done with, acknowledged. Plain counting."""

import logging

from ..wire import Position
from ..wire.delivery import MOST_CREDIT, DeliveryMode, Greeting
from ..wire.fields import refused
from .mailbox import Letter

log = logging.getLogger("maskstream.client")


class Progress:
    """Belongs to the thread that receives.

    ``session``: grows when numbers begin anew, 0 before the first welcome. ``after``: where a
    former life of this program has come to.
    """

    def __init__(self, mode: DeliveryMode, after: Position | None) -> None:
        self.session = 0
        self.publisher, number = after or ("", -1)
        self._mode = mode
        self._received = self._done = self._told = number
        self._void: set[int] = set()
        self._end: int | None = None

    def greet(self, greeting: Greeting) -> None:
        """A hello was answered. Numbers go on only where nothing may be lost."""
        goes_on = self._mode == "lossless" and greeting.publisher == self.publisher
        before = greeting.next - 1
        if goes_on:
            self._miss(greeting.next)
            self._received, self._done = max(self._received, before), max(self._done, before)
            self._told = before
            self.session = self.session or 1
            return
        self.publisher = greeting.publisher
        self.session += 1
        self._received = self._done = self._told = before
        self._void.clear()
        self._end = None

    def receive(self, number: int) -> bool:
        """A message came; False when it is here already.

        :raises WireError: before the welcome, behind the end, when one before it did not come, or
            more than may be on their way.
        """
        if self.session == 0:
            raise refused("message", "a welcome before it", "none")
        if number <= self._received:
            return False
        most = min(self._received + 1, self._told + MOST_CREDIT + 1)
        if self._end is not None:
            most = min(most, self._end)
        if number > most:
            raise refused("message.number", f"one up to {most}", str(number))
        self._received = number
        return True

    def void(self, number: int) -> None:
        """Nobody will take that message: it is done with when all before it is."""
        self._void.add(number)

    def end(self, number: int) -> None:
        """It is the last one, and there is nothing to take.

        :raises WireError: as ``receive``, and when there was a message of this number.
        """
        if not self.receive(number) and number != self._end:
            raise refused("end.number", f"{self._received + 1}", str(number))
        self._end = number
        self.void(number)

    def done_with(self, letter: Letter) -> None:
        """The program has dealt with it; one of another session concerns nobody any more."""
        if letter.number is not None and letter.session == self.session:
            self._done = max(self._done, letter.number)

    def owed(self) -> int | None:
        """The number to acknowledge, if that was not done yet."""
        while self._done + 1 in self._void:
            self._void.remove(self._done + 1)
            self._done += 1
        return self._done if self._done > self._told else None

    def told(self, number: int) -> None:
        """It was acknowledged."""
        self._told = number

    @property
    def idle(self) -> bool:
        """If everything that came was acknowledged."""
        return self._told == self._received

    @property
    def heard_end(self) -> bool:
        """If nothing more will be sent."""
        return self._end is not None

    @property
    def done(self) -> bool:
        """If nothing more will be sent, and the program is done with all."""
        return self._end is not None and self._done >= self._end

    @property
    def ended(self) -> bool:
        """If the end was acknowledged."""
        return self._end is not None and self._told >= self._end

    def position(self) -> Position | None:
        """What was acknowledged last, by this life or a former one."""
        return Position(self.publisher, self._told) if self._told >= 0 else None

    def _miss(self, following: int) -> None:
        missed = following - self._received - 1
        if missed > 0:
            log.warning("the publisher gave up waiting: %d messages did not come", missed)
