"""One connection to the delivery socket that has said hello."""

from dataclasses import dataclass

from pipeline.wire.delivery import Hello

from .lines import KeptLine, NewestLine
from .listener import Listener


@dataclass(eq=False)
class Peer:
    """Who is on a connection. ``listener``: whose it is, when nothing may be lost. ``is_told``: if
    he got a status of each stream that he wants."""

    route: bytes
    hello: Hello
    line: NewestLine | KeptLine
    heard_ns: int
    listener: Listener | None = None
    is_gone: bool = False
    is_told: bool = False

    def acknowledge(self, number: int) -> bool:
        if self.listener:
            return self.listener.acknowledge(number, self.heard_ns)
        return self.line.acknowledge(number)
