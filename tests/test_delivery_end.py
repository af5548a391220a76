"""The end on the delivery socket: heard by all, waited for by nobody for long."""

import threading

from pipeline.client import Subscriber
from stages.publish import PublishSettings
from tests.station import ANY_PORT, Station, frame
from tests.test_delivery import asking


def test_the_end_is_heard_though_the_publisher_leaves_at_once() -> None:
    for _ in range(5):
        with (
            Station(PublishSettings(endpoint=ANY_PORT, linger_s=0.1)) as station,
            Subscriber(station.endpoint, mode="credit", credit=8, timeout_s=5) as subscriber,
        ):
            station.wait_for("meta")
            station.put(*(frame(i) for i in range(5)))
            station.end()
            assert list(subscriber)[-1].seq == 4


def test_the_publisher_stays_until_the_end_was_heard_but_not_for_long() -> None:
    with (
        Station(PublishSettings(endpoint=ANY_PORT, linger_s=0.5)) as station,
        asking(station, 2) as (slow, deaf),
    ):
        slow.hello()
        deaf.hello()
        ending = threading.Thread(target=station.end)
        ending.start()
        assert slow.hear()["kind"] == "end"
        slow.say("ack", number=0)
        ending.join(0.1)
        assert ending.is_alive()
        ending.join(10)
        assert not ending.is_alive()
