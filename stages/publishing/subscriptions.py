"""Who subscribes to what on one XPUB, as far as a peer can be believed.

libzmq tells of each subscription, and of the end of a prefix: when the last one who wants it has
hung up, when he has taken it back, and also when somebody takes back what he never asked for while
others still want it (``rm_result::not_found`` in xpub.cpp of 4.3.5). So it is noted who asked.
"""

from collections.abc import Container, Sequence

from pipeline.demand import EVERYTHING, Demand


class Subscriptions:
    """The prefixes that somebody wants, passed on to ``demand`` for ``kinds``. For one thread.

    A connection is known by its file descriptor.
    """

    def __init__(self, demand: Demand, kinds: Sequence[str]) -> None:
        self._demand = demand
        self._kinds = kinds
        self._holders: dict[bytes, set[int]] = {}
        self._doubtful: set[bytes] = set()
        self._beyond: set[int] = set()

    def add(self, prefix: bytes, descriptor: int) -> None:
        """Somebody asks for it. Where it is one too many he is held to want everything, so that
        nobody goes without for what another invents."""
        if prefix in self._holders or self._demand.add(prefix, self._kinds):
            self._holders.setdefault(prefix, set()).add(descriptor)
            return
        if not self._beyond:
            self._demand.add(EVERYTHING, self._kinds)
        self._beyond.add(descriptor)

    def take_back(self, prefix: bytes, descriptor: int) -> None:
        """Somebody says that he wants it no more."""
        holders = self._holders.get(prefix)
        if holders is None:
            return
        holders.discard(descriptor)
        if holders:
            self._doubtful.add(prefix)
        else:
            self.end(prefix)

    def end(self, prefix: bytes) -> None:
        """The last one who wanted it has hung up."""
        if self._holders.pop(prefix, None) is not None:
            self._doubtful.discard(prefix)
            self._demand.remove(prefix, self._kinds)

    def review(self, here: Container[int]) -> None:
        """End what is held only by who is not ``here`` any more, where libzmq may not tell.

        (Of one who hangs up nothing is told while another wants the same.)
        """
        for prefix in list(self._doubtful):
            self._holders[prefix] = {each for each in self._holders[prefix] if each in here}
            if not self._holders[prefix]:
                self.end(prefix)
        if self._beyond:
            self._beyond = {each for each in self._beyond if each in here}
            if not self._beyond:
                self._demand.remove(EVERYTHING, self._kinds)
