"""A channel loses nothing that it does not count."""

import pytest

from pipeline.channel import Channel, ChannelStatistics
from pipeline.errors import ChannelClosed
from pipeline.inbox import FairInbox
from tests.players import frame, started


def test_a_channels_whole_life() -> None:
    channel = Channel("a", 2)
    inbox = FairInbox([channel])
    assert inbox.take(timeout_s=0) == []
    channel.put(frame(0))
    channel.put(frame(1))
    with pytest.raises(TimeoutError, match=r"^channel a had no room for 0\.01 s$"):
        channel.put(frame(2), timeout_s=0.01)
    assert channel.statistics() == ChannelStatistics(
        accepted=2, delivered=0, dropped=0, waiting=2, capacity=2
    )
    assert [got.seq for got in inbox.take(limit=5) or []] == [0], "at most one of each stream"
    channel.close()
    channel.close()
    with pytest.raises(ChannelClosed, match=r"^channel a: wanted an open channel"):
        channel.put(frame(2))
    assert not inbox.at_end()
    assert [got.seq for got in inbox] == [1], "what waits is delivered after closing"
    assert inbox.take() is None
    assert inbox.at_end()
    assert channel.statistics() == ChannelStatistics(2, 2, 0, 0, 2)


def test_a_channel_has_room_for_at_least_one() -> None:
    with pytest.raises(ValueError, match=r"^the capacity of channel a must be ≥ 1, got 0$"):
        Channel("a", 0)


def test_drop_oldest_keeps_the_newest_and_stamps_at_delivery() -> None:
    channel = Channel("a", 2, "drop-oldest")
    inbox = FairInbox([channel])
    for seq in range(5):
        channel.put(frame(seq))
    channel.close()
    got = list(inbox)
    assert [(f.seq, dict(f.dropped)) for f in got] == [
        (3, {"queue_full": 3}),
        (4, {"queue_full": 3}),
    ]
    assert channel.statistics() == ChannelStatistics(5, 2, 3, 0, 2)


def test_drop_newest_keeps_the_oldest_and_stamps_at_put() -> None:
    channel = Channel("a", 2, "drop-newest")
    inbox = FairInbox([channel])
    for seq in range(5):
        channel.put(frame(seq))
    first = inbox.take()
    channel.put(frame(5))
    channel.close()
    got = [*(first or []), *inbox]
    assert [(f.seq, dict(f.dropped)) for f in got] == [(0, {}), (1, {}), (5, {"queue_full": 3})]


def test_drops_of_an_epoch_stay_in_it() -> None:
    channel = Channel("a", 1, "drop-oldest")
    inbox = FairInbox([channel])
    for epoch in range(100):
        for seq in range(3):
            channel.put(frame(seq, epoch=epoch))
        (got,) = inbox.take() or []
        assert (got.epoch, got.seq, dict(got.dropped)) == (epoch, 2, {"queue_full": 2})


def test_closing_wakes_a_blocked_producer_and_a_waiting_consumer() -> None:
    full, empty = Channel("full", 1), Channel("empty", 1)
    FairInbox([full])
    waiting = FairInbox([empty])
    full.put(frame(0))
    outcome: list[object] = []

    def produce() -> None:
        with pytest.raises(ChannelClosed):
            full.put(frame(1))
        outcome.append("closed")

    threads = [started(produce), started(lambda: outcome.append(waiting.take()))]
    full.close()
    empty.close()
    for thread in threads:
        thread.join(5)
    assert "closed" in outcome
    assert None in outcome
    assert full.statistics() == ChannelStatistics(1, 0, 0, 1, 1), "the refused frame is not counted"


def test_abandoning_a_channel_counts_what_waited() -> None:
    lost: list[tuple[int, str]] = []
    channel = Channel("a", 3, on_drop=lambda f, reason: lost.append((f.seq, reason)))
    inbox = FairInbox([channel])
    for seq in range(3):
        channel.put(frame(seq))
    assert inbox.take()
    assert channel.reason == "shutdown"
    channel.abandon("failed")
    channel.abandon("shutdown")
    assert channel.reason == "failed", "the first reason stays"
    assert lost == [(1, "failed"), (2, "failed")]
    assert channel.statistics() == ChannelStatistics(3, 1, 2, 0, 3)
    assert inbox.take() is None
