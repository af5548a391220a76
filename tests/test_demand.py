"""Subscriptions as byte prefixes, counted, each for the kinds of its socket."""

import threading

import pytest

from pipeline.demand import EVERYTHING, MOST_PREFIXES, Demand

PICTURES = ("annotated", "image")


@pytest.mark.parametrize(
    ("prefix", "wanted"),
    [
        (b"", True),
        (b"v1/", True),
        (b"v1/gate-2/", True),
        (b"v1/gate-2/annotated/", True),
        (b"v1/gate-2/annotated/x", False),
        (b"v1/gate-2/image/", False),
        (b"v1/gate-20/", False),
        (b"v2/", False),
    ],
)
def test_a_subscription_is_a_prefix_of_the_topic(prefix: bytes, wanted: bool) -> None:
    demand = Demand()
    demand.add(prefix, PICTURES)
    assert demand.wants("gate-2", "annotated") is wanted


def test_subscriptions_are_counted_and_taken_back() -> None:
    demand = Demand()
    assert not demand.wants("a", "image")
    demand.add(b"v1/a/", PICTURES)
    demand.add(b"v1/a/", PICTURES)
    demand.remove(b"v1/a/", PICTURES)
    assert demand.wants("a", "image")
    demand.remove(b"v1/a/", PICTURES)
    assert not demand.wants("a", "image")
    demand.remove(b"v1/never/", PICTURES)  # nobody's, so nothing happens
    demand.add(b"v1/never/", PICTURES)
    assert demand.wants("never", "image")


def test_everything_on_one_socket_is_not_everything_on_the_other() -> None:
    demand = Demand()
    demand.add(b"", ("meta", "status"))
    assert demand.wants("a", "meta")
    assert not demand.wants("a", "annotated")


def test_topics_are_counted_for_the_kinds_that_they_can_mean() -> None:
    demand = Demand()
    for prefix in (b"", b"v", b"v1/", b"v1/gate", b"v1/gate/", b"v1/gate/ann", b"v1/gate/image/"):
        demand.add(prefix, PICTURES)
    for prefix in (b"v2/", b"x", b"v2/gate/image/", b"v1/gate/image/more", b"v1x"):
        demand.add(prefix, PICTURES)
    assert [demand.count(kind) for kind in ("annotated", "image", "meta")] == [6, 6, 0]


def test_a_recorder_wants_without_subscribing() -> None:
    demand = Demand()
    demand.always("annotated")
    assert demand.wants("any", "annotated")
    assert not demand.subscribed("any", "annotated")


def test_a_closed_socket_takes_its_subscriptions_along() -> None:
    demand = Demand()
    demand.add(b"", ("meta",))
    demand.add(b"", PICTURES)
    demand.clear(PICTURES)
    assert demand.wants("a", "meta")
    assert not demand.wants("a", "image")


def test_inventing_prefixes_does_not_cost_memory_for_ever() -> None:
    demand = Demand()
    accepted = [demand.add(b"v1/%d/" % i, ("meta",)) for i in range(MOST_PREFIXES + 10)]
    assert accepted.count(True) == MOST_PREFIXES
    assert demand.wants("7", "meta")
    assert not demand.wants(str(MOST_PREFIXES + 1), "meta")
    assert demand.add(EVERYTHING, ("meta",))
    assert demand.wants(str(MOST_PREFIXES + 1), "meta")
    demand.remove(EVERYTHING, ("meta",))
    assert not demand.wants(str(MOST_PREFIXES + 1), "meta")
    demand.remove(b"v1/7/", ("meta",))
    assert demand.add(b"v1/again/", ("meta",))


def test_threads_share_it() -> None:
    demand = Demand()

    def come_and_go() -> None:
        for _ in range(300):
            demand.add(b"v1/", PICTURES)
            demand.wants("a", "image")
            demand.remove(b"v1/", PICTURES)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not demand.wants("a", "image")
