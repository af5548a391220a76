"""An inbox is fair, and answers for every frame that was taken from it."""

import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import get_args

import pytest

from pipeline.channel import Channel, ChannelStatistics, Overflow
from pipeline.clock import ManualClock
from pipeline.errors import ChannelClosed
from pipeline.frame import Frame
from pipeline.inbox import FairInbox
from tests.players import check_law, frame, started

POLICIES: tuple[Overflow, ...] = get_args(Overflow)


def balance(s: ChannelStatistics) -> int:
    return s.accepted - s.delivered - s.dropped - s.waiting


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
