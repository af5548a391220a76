"""The traffic of a publisher, put together from all who count it. In the stage's thread."""

from collections.abc import Mapping

from pipeline.demand import Demand
from pipeline.traffic import Traffic
from pipeline.wire import FRAME_KINDS, Kind

from .delivery import Desk
from .outlet import Outlet
from .tally import StreamTally

KINDS: tuple[Kind, ...] = (*FRAME_KINDS, "status")


def traffic_of(
    tallies: Mapping[str, StreamTally],
    demand: Demand,
    desk: Desk,
    outlet: Outlet,
    pictures_passed_over: int,
) -> Traffic:
    """All of it at this moment."""
    messages: dict[tuple[str, str], int] = {
        (stream, kind): tally.messages[kind] for stream, tally in tallies.items() for kind in KINDS
    }
    return Traffic(
        messages=messages,
        subscriptions={kind: demand.count(kind) for kind in KINDS},
        subscribers={"latest": outlet.connections(), **desk.subscribers()},
        waiting=desk.waiting(),
        skipped={**desk.skipped(), "encoding": pictures_passed_over},
        ignored=outlet.ignored + desk.ignored,
    )
