"""Each frame that gets through says what was lost before it in its epoch."""

from collections import Counter
from collections.abc import Iterator

from pipeline.frame import Frame
from pipeline.ledger import EPOCHS_KEPT, Ledger
from pipeline.stage import Inbox, ListInbox
from tests.players import frame


def test_losses_are_added_to_those_that_a_frame_carries() -> None:
    ledger = Ledger()
    ledger.drop(frame(0), "stale")
    ledger.drop(frame(1), "stale")
    ledger.drop(frame(2), "failed")
    before = frame(4, corrupt=1, stale=1)
    assert ledger.stamp(before).dropped == {"corrupt": 1, "stale": 3, "failed": 1}
    assert before.dropped == {"corrupt": 1, "stale": 1}, "the frame that was stamped is as it was"
    assert ledger.lost("a", 0) == {"stale": 2, "failed": 1}


def test_a_frame_without_losses_is_passed_as_it_is() -> None:
    ledger = Ledger()
    ledger.drop(frame(0, "b"), "stale")
    ledger.drop(frame(0, epoch=1), "stale")
    intact = frame(0)
    assert ledger.stamp(intact) is intact
    assert ledger.lost("c", 0) == {}


def test_only_the_latest_epochs_are_kept() -> None:
    ledger = Ledger()
    for epoch in range(40):
        ledger.drop(frame(0, epoch=epoch), "stale")
    kept = [epoch for epoch in range(40) if ledger.lost("a", epoch)]
    assert kept == list(range(40 - EPOCHS_KEPT, 40))


def test_a_list_is_an_inbox() -> None:
    frames = [frame(0), frame(0, "b"), frame(1), frame(2), frame(1, "b")]
    inbox: Inbox = ListInbox(iter(frames))
    first = inbox.take(limit=4) or []
    assert [(f.stream, f.seq) for f in first] == [("a", 0), ("b", 0)], "one of each stream"
    inbox.drop(first[0], "stale")
    assert [(f.seq, Counter(f.dropped).total()) for f in inbox] == [(1, 1), (2, 1), (1, 0)]
    assert inbox.take(timeout_s=0) is None


def test_a_list_inbox_asks_for_no_frame_before_its_time() -> None:
    made: list[Frame] = []

    def making() -> Iterator[Frame]:
        for seq in range(5):
            made.append(frame(seq))
            yield made[-1]

    inbox = ListInbox(making())
    assert not made
    assert inbox.take() == made[:1]
    assert len(made) == 1
