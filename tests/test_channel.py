"""A channel and the inbox behind it lose nothing that they do not count."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from typing import get_args

import pytest

from pipeline.channel import Channel, ChannelStatistics, Overflow
from pipeline.clock import ManualClock
from pipeline.errors import ChannelClosed
from pipeline.frame import Frame
from pipeline.inbox import FairInbox

POLICIES: tuple[Overflow, ...] = get_args(Overflow)


def frame(seq: int, stream: str = "a", epoch: int = 0) -> Frame:
    return Frame(stream, epoch, seq, seq, Fraction(1, 25), 0, 0, "media", None)


def started(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def check_law(frames: Iterable[Frame]) -> None:
    """For the i-th frame that got through in an epoch: seq == i + Σ dropped."""
    through: Counter[tuple[str, int]] = Counter()
    for got in frames:
        key = (got.stream, got.epoch)
        assert got.seq == through[key] + sum(got.dropped.values()), got
        through[key] += 1


def balance(s: ChannelStatistics) -> int:
    return s.accepted - s.delivered - s.dropped - s.waiting


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


def test_the_inbox_is_fair_between_streams() -> None:
    channels = [Channel(name, 4) for name in "abc"]
    inbox = FairInbox(channels)
    for channel in channels:
        for seq in range(4):
            channel.put(frame(seq, channel.name))
    takes = [inbox.take(limit=2, timeout_s=0) or [] for _ in range(6)]
    order = [got.stream for take in takes for got in take]
    assert order == list("abcabcabcabc")
    assert all(len({got.stream for got in take}) == len(take) for take in takes)


def test_the_inbox_takes_one_of_each_stream_from_a_mixed_channel() -> None:
    channel = Channel("mixed", 8)
    inbox = FairInbox([channel])
    for stream, seq in [("a", 0), ("b", 0), ("b", 1), ("a", 1)]:
        channel.put(frame(seq, stream))
    takes = [inbox.take(limit=8, timeout_s=0) or [] for _ in range(2)]
    assert [[(f.stream, f.seq) for f in take] for take in takes] == [
        [("a", 0), ("b", 0)],
        [("b", 1), ("a", 1)],
    ]


def test_a_loss_in_the_middle_is_carried_by_the_later_frames_only() -> None:
    channel = Channel("a", 8)
    inbox = FairInbox([channel])
    for seq in range(4):
        channel.put(frame(seq))
    zero, one, two = [(inbox.take() or [])[0] for _ in range(3)]
    inbox.drop(one, "stale")
    assert not inbox.release(zero)[0].dropped, "taken before the loss"
    assert dict(inbox.release(two)[0].dropped) == {"stale": 1}, "taken before, released after"
    (three,) = inbox.take() or []
    assert dict(three.dropped) == {"stale": 1}


def test_the_inbox_refuses_frames_that_it_does_not_hold() -> None:
    channel = Channel("a", 8)
    inbox = FairInbox([channel])
    for seq in range(2):
        channel.put(frame(seq))
    (zero,) = inbox.take() or []
    (one,) = inbox.take() or []
    with pytest.raises(ValueError, match=r"seq 1, .* out of turn: the oldest held is seq 0$"):
        inbox.release(one)
    inbox.release(zero)
    with pytest.raises(ValueError, match=r"seq 0, .* but is not held: the oldest held is seq 1$"):
        inbox.drop(zero, "stale")
    inbox.drop(one, "stale")
    with pytest.raises(ValueError, match=r"out of turn: none is held$"):
        inbox.release(one)
    with pytest.raises(ValueError, match=r"not held: none is held$"):
        inbox.drop(frame(0, "b"), "stale")


def test_the_inbox_says_how_long_a_frame_was_held() -> None:
    clock = ManualClock()
    channel = Channel("a", 1)
    inbox = FairInbox([channel], now_ns=clock.now_ns)
    channel.put(frame(0))
    clock.advance(1)
    (got,) = inbox.take() or []
    clock.advance(0.25)
    assert inbox.release(got)[1] == 250_000_000


def test_what_a_dead_consumer_held_is_lost_once() -> None:
    lost: list[tuple[int, str]] = []

    def note(f: Frame, reason: str) -> None:
        lost.append((f.seq, reason))

    channel = Channel("a", 8, on_drop=note)
    inbox = FairInbox([channel], on_drop=note)
    for seq in range(6):
        channel.put(frame(seq))
    zero, one = [(inbox.take() or [])[0] for _ in range(2)]
    inbox.drop(zero, "stale")
    assert [f.seq for f in inbox.fail("failed")] == [one.seq]
    assert inbox.fail("failed") == []
    (two,) = inbox.take() or []
    assert dict(two.dropped) == {"stale": 1, "failed": 1}
    inbox.abandon("shutdown")
    with pytest.raises(ValueError, match=r"out of turn: none is held$"):
        inbox.release(two)
    with pytest.raises(ChannelClosed):
        channel.put(frame(6))
    assert inbox.take() is None
    shut = [(seq, "shutdown") for seq in (2, 3, 4, 5)]
    assert lost == [(0, "stale"), (1, "failed"), *shut]


@pytest.mark.parametrize("seed", range(12))
def test_every_message_says_exactly_what_was_lost_before_it(seed: int) -> None:
    """Three producers, random policies, a consumer that holds, loses and delays, all in threads."""
    dice = random.Random(seed)
    counted: Counter[str] = Counter()
    guard = threading.Lock()

    def note(_: Frame, reason: str) -> None:
        with guard:
            counted[reason] += 1

    channels = [
        Channel(name, dice.randint(1, 4), dice.choice(POLICIES), on_drop=note) for name in "abc"
    ]
    inbox = FairInbox(channels, on_drop=note)
    middle = Channel("middle", dice.randint(1, 3), dice.choice(POLICIES), on_drop=note)
    last = FairInbox([middle], on_drop=note)
    put: list[int] = []
    published: list[Frame] = []

    def produce(channel: Channel, seed: int) -> None:
        own, total = random.Random(seed), 0
        for epoch in range(5):
            for seq in range(own.randint(1, 60)):
                channel.put(frame(seq, channel.name, epoch))
                total += 1
                if own.random() < 0.2:
                    threading.Event().wait(0.0005)
        put.append(total)
        channel.close()

    def consume(source: FairInbox, on: Callable[[Frame], None], seed: int) -> None:
        own = random.Random(seed)
        held: list[Frame] = []
        while (frames := source.take(own.randint(1, 4), 0 if held else None)) is not None:
            held += frames
            for f in [f for f in held if own.random() < 0.15]:
                held.remove(f)
                source.drop(f, own.choice(["stale", "corrupt"]))
            if own.random() < 0.02:
                source.fail("failed")
                held.clear()
            while len(held) > 3 or (held and not frames):
                on(source.release(held.pop(0))[0])
        for f in held:
            on(source.release(f)[0])

    def finish() -> None:
        consume(inbox, middle.put, seed)
        middle.close()

    threads = [
        started(partial(produce, channel, seed * 10 + at)) for at, channel in enumerate(channels)
    ]
    threads += [started(finish), started(lambda: consume(last, published.append, -seed))]
    while any(thread.is_alive() for thread in threads):
        assert all(balance(channel.statistics()) == 0 for channel in [*channels, middle])
        threading.Event().wait(0.001)
    check_law(published)
    assert len(put) == 3
    assert sum(put) == len(published) + counted.total()
    assert published
