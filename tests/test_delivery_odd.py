"""The publisher before lossless subscribers of another make that err, come late or come twice."""

import threading
import time
from typing import Any

import zmq

from pipeline.client import Subscriber
from pipeline.demand import Demand
from pipeline.stage import ListInbox
from stages.publish import PublishSettings, PublishStage
from tests.station import ANY_PORT, Station, frame
from tests.test_delivery import Asker, asking
from tests.test_delivery_lossless import lossless, told

INDEXER: dict[str, Any] = {"mode": "lossless", "name": "indexer"}


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    with Station(lossless()) as station, asking(station) as (asker,):
        asker.hello(credit=1, **INDEXER)
        station.put(*(frame(i) for i in range(3)))
        while len(station.passed) < 3:
            time.sleep(0.005)
        assert asker.hear()["number"] == 0
        asker.say("ack", number=2)
        assert asker.hear()["error"] == "malformed"
        for number in range(3):
            asker.say("ack", number=number)
            following = asker.hear() if number < 2 else {"number": 3}
            assert following["number"] == number + 1
        threading.Thread(target=station.end).start()
        assert asker.hear() == {"v": 1, "kind": "end", "number": 3}
        asker.say("ack", number=3)


def test_no_mistake_is_a_reason_to_wait_longer() -> None:
    with (
        Station(lossless(grace_s=1), streams=("gate-2",)) as station,
        Subscriber(station.endpoint) as watcher,
        asking(station) as (asker,),
    ):
        after = {"publisher": station.stage.publisher, "number": 7}
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            asker.hello(after=after, **INDEXER)
            time.sleep(0.1)
        listener = told(watcher)
        assert listener is not None
        assert listener.state == "given_up"


def test_acknowledging_the_same_again_is_no_progress_towards_the_end() -> None:
    with Station(lossless(grace_s=1)) as station, asking(station) as (asker,):
        asker.hello(**INDEXER)
        station.put(frame(0), frame(1))
        asker.hear()
        asker.say("ack", number=0)
        ending = threading.Thread(target=station.end)
        ending.start()
        begun = time.monotonic()
        while ending.is_alive() and time.monotonic() - begun < 4:
            asker.say("ack", number=0)
            asker.say("ack", number=9)
            time.sleep(0.1)
        waited_s = time.monotonic() - begun
        asker.say("ack", number=2)
        ending.join(10)
        assert 0.9 < waited_s < 3


def test_who_asks_for_what_was_never_sent_is_told_so() -> None:
    with Station(lossless()) as station, asking(station) as (asker,):
        after = {"publisher": station.stage.publisher, "number": 7}
        assert asker.hello(after=after, **INDEXER)["error"] == "after"
        assert asker.hello(**INDEXER)["kind"] == "welcome"
        asker.say("bye")


def test_a_hello_of_a_connection_that_is_gone_takes_nobodys_place() -> None:
    settings = lossless(grace_s=0)
    stage = PublishStage(settings, demand=Demand())
    frames = stage.run(ListInbox(frame(i) for i in range(2)))
    next(frames)  # from here on, until the next one, the publisher hears nobody
    context = zmq.Context()
    gone, here = (Asker(context, stage.delivery_endpoint) for _ in range(2))
    for _ in range(3):
        gone.ask(**INDEXER)
    here.ask(**INDEXER)
    time.sleep(0.3)
    gone.socket.close()
    time.sleep(0.3)
    ending = threading.Thread(target=list, args=[frames])
    ending.start()
    assert here.hear()["kind"] == "welcome"
    assert here.hear()["kind"] in ("message", "end")
    here.say("bye")
    ending.join(10)
    context.destroy(0)


def test_who_comes_after_the_end_hears_of_it() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, lossless=("indexer",), linger_s=0)
    with (
        Station(settings) as station,
        asking(station) as (last,),
    ):
        last.hello(**INDEXER)
        station.put(frame(0))
        assert last.hear()["number"] == 0
        ending = threading.Thread(target=station.end)
        ending.start()
        time.sleep(0.3)
        with Subscriber(station.endpoint, mode="credit", timeout_s=5) as late:
            assert list(late) == []
            assert late.statuses()["gate-2"].state == "ended"
        last.say("bye")


def test_who_is_given_up_at_the_end_hears_of_it() -> None:
    with (
        Station(lossless(grace_s=0.5)) as station,
        Subscriber(
            station.endpoint, mode="lossless", name="indexer", credit=2, timeout_s=5
        ) as slow,
    ):
        station.put(*(frame(i) for i in range(10)))
        assert slow.take(10) is not None
        station.end()  # nothing is acknowledged
        assert [f.seq for f in slow] == [1]
        counts = slow.statistics().kinds["gate-2", "meta"]
    assert (counts.captured, counts.received) == (10, 2)


def test_what_was_acknowledged_before_a_connection_ended_does_not_come_again() -> None:
    stage = PublishStage(lossless(), demand=Demand())
    context = zmq.Context()
    before, now = (Asker(context, stage.delivery_endpoint) for _ in range(2))
    before.ask(credit=8, **INDEXER)
    frames = stage.run(ListInbox(frame(i) for i in range(6)))
    for _ in range(5):
        next(frames)
    assert before.hear()["kind"] == "welcome"
    for number in range(4):
        assert before.hear()["number"] == number
        before.say("ack", number=number)
    now.ask(**INDEXER)
    time.sleep(0.3)
    next(frames)
    assert now.hear()["next"] == 4
    now.say("bye")
    list(frames)
    context.destroy(0)
