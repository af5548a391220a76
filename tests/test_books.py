"""A subscriber's books, of as many streams as there may be."""

import time

from pipeline.client.books import Books
from pipeline.wire import Status
from pipeline.wire.status import MOST_STREAMS

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
