"""The conversations of ``tests/data/wire``, held over real sockets by our own client."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from pipeline.client import Subscriber
from pipeline.errors import EndpointError
from pipeline.wire import topic
from tests import vectors
from tests.test_delivery_client import FalsePublisher
from tests.vector_cases import Vector

CONVERSATIONS = vectors.read("conversations.jsonl")
NOT_SAID = {"streams": None, "name": "", "after": None}
LONGEST_S = 10
ARRIVAL_S = 0.3


@pytest.fixture
def publisher() -> Iterator[FalsePublisher]:
    made = FalsePublisher()
    yield made
    made.close()


class Talk:
    """The publisher's half of a conversation, and the program that takes."""

    def __init__(self, publisher: FalsePublisher, subscriber: Subscriber) -> None:
        self._publisher = publisher
        self._subscriber = subscriber
        self._is_silent = False

    def step(self, step: Vector) -> None:
        match step:
            case {"hears": wanted}:
                self._hear(wanted)
            case {"says": said}:
                self._publisher.say(*message_of(step), **said)
            case {"takes": pseqs}:
                for pseq in pseqs:
                    message = self._subscriber.take(LONGEST_S)
                    assert message is not None
                    assert message.pseq == pseq
            case {"done": True}:
                self._subscriber.ack()
            case {"over": True}:
                assert self._subscriber.take(LONGEST_S) is None
                assert self._subscriber.ended
            case {"fails": True}:
                with pytest.raises(EndpointError):
                    self._subscriber.take(LONGEST_S)
            case {"leaves": True}:
                self._subscriber.close()
            case {"gone": True}:
                time.sleep(ARRIVAL_S)
                self._publisher.router.close(0)
            case _:
                self._is_silent = step["silent"]

    def _hear(self, wanted: Vector) -> None:
        """Pings and acknowledgements of less may come before."""
        while (said := self._publisher.hear())["kind"] != wanted["kind"] or (
            said["kind"] == "ack" and said["number"] < wanted["number"]
        ):
            assert said["kind"] in ("ping", "ack"), said
            if said["kind"] == "ping" and not self._is_silent:
                self._publisher.say(kind="pong")
        assert said.pop("v") == 1
        assert (NOT_SAID | said if said["kind"] == "hello" else said) == wanted


def message_of(step: Vector) -> list[bytes]:
    """What comes behind the first part."""
    if "header" in step:
        header = step["header"]
        return [topic(header["stream"], header["kind"]), json.dumps(header).encode()]
    return [base64.b64decode(part) for part in step.get("parts", ())]


@pytest.mark.parametrize("talk", CONVERSATIONS, ids=lambda talk: talk["name"])
def test_it_goes_as_it_must(publisher: FalsePublisher, talk: Vector) -> None:
    options = dict(talk["options"])
    after = options.pop("after", None)
    if after:
        options["resume_after"] = (after["publisher"], after["number"])
    with Subscriber(publisher.endpoint, **options) as subscriber:
        publisher.greet()
        player = Talk(publisher, subscriber)
        for step in talk["steps"]:
            player.step(step)
        books = subscriber.statistics()
    counts = books.kinds.get(("gate-2", "meta"))
    found = {**(vars(counts) if counts else {}), **vars(books)}
    nothing = {**dict.fromkeys(talk["expect"], 0), "dropped": {}}
    assert nothing | {key: found[key] for key in nothing if key in found} == talk["expect"]


@pytest.mark.parametrize("talk", CONVERSATIONS, ids=lambda talk: talk["name"])
def test_the_truth_adds_up(talk: Vector) -> None:
    expect = talk["expect"]
    dropped = sum(expect["dropped"].values())
    taken = expect["received"] + expect["passed_over"]
    assert expect["captured"] == taken + expect["lost"] + dropped
