"""What the subscribers of the delivery socket want, as the Demand is told of it."""

from pipeline.demand import EVERYTHING, Demand
from pipeline.wire import FRAME_KINDS, FrameKind, stream_topics
from pipeline.wire.delivery import Hello

Asked = tuple[list[bytes], tuple[FrameKind, ...]]


class Wishes:
    """One wish of each asker, a connection or a name. Belongs to the stage's thread."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand
        self._asked: dict[bytes | str, Asked] = {}

    def ask(self, who: bytes | str, hello: Hello | None) -> None:
        """Have made what ``who`` wants from now on, or everything until he has said what, or when
        there are too many different wishes."""
        self.withdraw(who)
        prefixes = [b"v1/"]
        if hello is not None and hello.streams is not None:
            prefixes = [stream_topics(stream) for stream in dict.fromkeys(hello.streams)]
        kinds = FRAME_KINDS if hello is None else hello.kinds
        asked: list[bytes] = []
        self._asked[who] = (asked, kinds)
        for prefix in prefixes:
            if self._demand.add(prefix, kinds):
                asked.append(prefix)
            else:
                self._demand.add(EVERYTHING, kinds)
                asked.append(EVERYTHING)

    def withdraw(self, who: bytes | str) -> None:
        """Want nothing for ``who`` any more."""
        prefixes, kinds = self._asked.pop(who, ([], ()))
        for prefix in prefixes:
            self._demand.remove(prefix, kinds)

    def forget(self) -> None:
        """The Demand has been cleared of them all."""
        self._asked.clear()
