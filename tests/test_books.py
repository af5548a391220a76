"""A subscriber's books, of as many streams as there may be."""

import time

from pipeline.client.accounts import Account
from pipeline.client.books import Books
from pipeline.wire import Status, encode_header, open_envelope, topic
from pipeline.wire.status import MOST_STREAMS
from tests.station import frame

LOOKS = 20
SOON_S = 2.0


def test_looking_for_the_end_of_many_streams_takes_no_time() -> None:
    names = tuple(f"cam-{i}" for i in range(MOST_STREAMS))
    books = Books(None, ("meta",))
    for name in names:
        books.note(Status(name, "running", 1, streams=names), "run-0", 0)
    since = time.monotonic()
    assert not any(books.all_over(0) for _ in range(LOOKS))
    assert time.monotonic() - since < SOON_S
    for name in names:
        books.note(Status(name, "ended", 2, streams=names), "run-0", 0)
    assert books.all_over(0)


def test_reasons_without_end_are_counted_as_others() -> None:
    account = Account()
    for pseq in range(1_000):
        dropped = {f"reason-{pseq}": 1, "stale": pseq}
        header = encode_header(frame(2 * pseq, dropped=dropped), publisher="p", pseq=pseq)
        account.enter(open_envelope([topic("gate-2", "meta"), header]))
    counted = account.statistics().dropped
    assert len(counted) == 101
    assert counted["stale"] == 999
    assert sum(counted.values()) == 999 + 999  # what the first message tells is from before it
