"""Conversations of who joins in a later epoch: drops behind the last message of an epoch."""

from collections.abc import Iterator

from tests.conversation import Conversation
from tests.vector_cases import Vector


def late_joiners() -> Iterator[Vector]:
    talk = _late("credit", 2).begins().not_sent(1).status().record(0).takes(2).drops("stale")
    talk.epoch().drops("corrupt").record(1).takes(3).drops("stale", "stale").status(final=True)
    yield talk.done().acknowledges(1).ends(2).vector(
        "credit: the end, for a late joiner of a later epoch",
        "the status that answers the hello tells what was dropped before him",
        captured=6, received=2, dropped={"corrupt": 1, "stale": 3},
    )  # fmt: skip
    talk = _late("credit", 2).begins().record(0).takes(1).drops("stale").status().epoch()
    talk.record(1).takes(2).drops("stale").status(final=True)
    yield talk.done().acknowledges(1).ends(2).vector(
        "credit: the end, for a late joiner of a later epoch, after a status",
        "behind his first message",
        captured=4, received=2, dropped={"stale": 2},
    )  # fmt: skip
    talk = _late("credit", 2).begins().record(0).takes(1).epoch().drops("corrupt").not_sent(1)
    talk.drops("stale").status().drops("corrupt").epoch().record(1, skipped=1).takes(3)
    yield talk.drops("stale").status(final=True).done().acknowledges(1).ends(2).vector(
        "credit: the end, for a late joiner, after a status of an epoch that was passed over",
        "what was dropped in that epoch only the end tells",
        captured=7, received=2, passed_over=1, dropped={"corrupt": 2, "stale": 2},
    )  # fmt: skip
    talk = _late("lossless", 16, name="indexer").hello().welcome()
    first = talk.publisher.publish()
    second = talk.drops("stale").epoch().drops("corrupt").publisher.publish()
    talk.status().again(0, first).again(1, second).takes(1, 2).drops("stale").status(final=True)
    yield talk.done().acknowledges(1).ends(2).vector(
        "lossless: the end, for a late joiner, after a status that overtakes",
        "what is counted before its epoch is none of what was dropped since",
        captured=4, received=2, dropped={"corrupt": 1, "stale": 1},
    )  # fmt: skip


def _late(mode: str, credit: int, **more: object) -> Conversation:
    """With a publisher in its second epoch, which has dropped in both."""
    talk = Conversation(mode, credit, **more).drops("queue_full").not_sent(1)
    return talk.drops("queue_full").epoch().drops("stale")
