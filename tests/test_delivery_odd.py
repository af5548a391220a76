"""The publisher before lossless subscribers of another make that err, come late or come twice."""

import threading
import time
from typing import Any

from pipeline.client import Subscriber
from tests.station import Station, frame
from tests.test_delivery import asking
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
