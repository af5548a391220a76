"""The traffic of a publisher, put together from all who count it. In the stage's thread."""

from collections.abc import Mapping

from pipeline.demand import Demand
from pipeline.traffic import Traffic
from pipeline.wire import FRAME_KINDS

from .delivery import Desk
from .outlet import Outlet
from .tally import StreamTally


def traffic_of(
    tallies: Mapping[str, StreamTally], demand: Demand, desk: Desk, outlet: Outlet
) -> Traffic:
    """All of it at this moment."""
    messages: dict[tuple[str, str], int] = {
        (stream, kind): count
        for stream, tally in tallies.items()
        for kind, count in tally.messages.items()
    }
    return Traffic(
        messages=messages,
        subscriptions={kind: demand.count(kind) for kind in (*FRAME_KINDS, "status")},
        subscribers={"latest": outlet.connections(), **desk.subscribers()},
        waiting=desk.waiting(),
        skipped=desk.skipped(),
        ignored=outlet.ignored + desk.ignored,
    )
