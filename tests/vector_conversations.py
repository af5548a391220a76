"""Conversations on the delivery socket, and the books that a subscriber must have at the end.

Written by hand from docs/PROTOCOL.md, section 12; ``tests/vectors.py`` writes them as vectors.
"""

from collections.abc import Iterator

from tests.conversation import Conversation
from tests.vector_cases import Vector
from tests.vector_late import late_joiners

RESUMED = {"publisher": "run-0", "number": 811}


def conversations() -> Iterator[Vector]:
    for told in (
        _credit,
        _credit_again,
        _at_the_end,
        late_joiners,
        _forgotten_at_the_end,
        _gone_behind_the_end,
        _out_of_turn,
        _mistakes,
        _foreign,
        _lossless,
        _resumed,
        _refused,
    ):
        yield from told()


def _credit() -> Iterator[Vector]:
    talk = Conversation("credit", 1).begins().record(0).takes(0).done().acknowledges(0)
    talk.not_sent(3).record(1, skipped=3).takes(4).done().acknowledges(1).ends(2)
    yield talk.vector(
        "credit: one at a time",
        "what was published meanwhile was passed over, and the publisher says how much",
        captured=5, received=2, passed_over=3,
    )  # fmt: skip
    talk = Conversation("credit", 2).begins().record(0).record(1).takes(0, 1).acknowledges(0)
    talk.done().acknowledges(1).leaves()
    yield talk.vector(
        "credit: room for two",
        "acknowledged is what the program is done with, not what arrived; bye at the end",
        captured=2, received=2,
    )  # fmt: skip
    talk = Conversation("credit", 2).begins().status().record(0).takes(0).status()
    talk.done().acknowledges(0).status(final=True).ends(1)
    yield talk.vector(
        "credit: a status", "it has no number and needs no acknowledgement", captured=1, received=1
    )


def _credit_again() -> Iterator[Vector]:
    talk = Conversation("credit", 1).begins().record(0).takes(0).done().acknowledges(0)
    talk.not_sent(2).record(1, skipped=2).takes(3).says("error", error="unknown", text="?")
    talk.hello().welcome().not_sent(3).record(0, skipped=1).takes(7).done().acknowledges(0)
    yield talk.vector(
        "credit: unknown",
        "hello again; numbers and skipped begin anew; what is missing beyond skipped is lost",
        captured=8, received=3, passed_over=3, lost=2,
    )  # fmt: skip
    talk = Conversation("credit", 1).begins().record(0).takes(0).done().acknowledges(0)
    talk.says("error", error="unknown", text="?").another_publisher().hello().welcome()
    talk.not_sent(2).record(0).takes(2).done().acknowledges(0).ends(1)
    yield talk.vector(
        "credit: another publisher",
        "its messages before the first received one are nobody's",
        captured=2, received=2, restarts=1,
    )  # fmt: skip
    talk = Conversation("credit", 1).hello().hello().welcome().record(0).takes(0).done()
    yield talk.acknowledges(0).vector(
        "credit: no welcome", "hello again after 2 s", captured=1, received=1
    )
    talk = Conversation("credit", 1).hello()
    for _ in range(4):
        talk.says("error", error="full", text="100 are here").hello()
    talk.welcome().record(0).takes(0).done().acknowledges(0)
    yield talk.vector(
        "credit: full",
        "hello again after 2 s each time, and not more often",
        captured=1,
        received=1,
    )
    talk = Conversation("credit", 1).begins()
    for _ in range(3):
        talk.record(0).says("error", error="unknown", text="?").hello().welcome()
    yield talk.takes(2).vector(
        "credit: nothing old",
        "no more waits for the program than it has room for; older ones give way, and are skipped",
        captured=3, received=3,
    )  # fmt: skip
    talk = Conversation("credit", 1).begins().silent()
    talk.hello().welcome().record(0).takes(0).done().acknowledges(0)
    yield talk.vector(
        "credit: silence",
        "nothing is answered, no ping either: after 6 s another connection and hello",
        captured=1, received=1,
    )  # fmt: skip


def _mistakes() -> Iterator[Vector]:
    talk = Conversation("credit", 2).begins().record(0).takes(0).damaged(1).done()
    talk.acknowledges(1).record(2).takes(2).done().acknowledges(2)
    yield talk.vector(
        "a damaged record",
        "it is lost, and acknowledged like one that the program is done with",
        captured=3, received=2, lost=1, rejected=1,
    )  # fmt: skip
    talk = Conversation("credit", 1).begins().says("dance").says("message", number=-1, skipped=0)
    talk.says("end", number=7).says("error", error="malformed", text="\u001b[2J").record(0)
    yield talk.takes(0).done().acknowledges(0).vector(
        "rubbish",
        "an unknown kind, a negative number, an end behind messages that did not come: refused",
        captured=1, received=1, rejected=3,
    )  # fmt: skip
    talk = Conversation("credit", 2).begins().record(0).record(2).record(1).takes(0, 2).done()
    yield talk.acknowledges(1).vector(
        "a number too high",
        "one before it did not come: refused, and what was in it is lost",
        captured=3, received=2, lost=1, rejected=1,
    )  # fmt: skip
    talk = Conversation("credit", 2).begins().record(0)
    talk.again(0, {**talk.publisher.publish(), "seq": 7}).record(1).takes(0, 2).done()
    yield talk.acknowledges(1).vector(
        "a number twice", "the second is passed over in silence", captured=3, received=2, lost=1
    )


def _at_the_end() -> Iterator[Vector]:
    talk = Conversation("credit", 1).begins().record(0).takes(0).not_sent(2).status(final=True)
    talk.says("end", number=1).done().acknowledges(1).over()
    yield talk.vector(
        "credit: no room at the end",
        "the end comes none the less; what waited was passed over",
        captured=3, received=1, passed_over=2,
    )  # fmt: skip
    talk = Conversation("credit", 1).begins().record(0).takes(0).done().acknowledges(0)
    talk.says("error", error="unknown", text="?").hello().not_sent(2).welcome()
    yield talk.status(final=True).ends(0).vector(
        "credit: lost before the end",
        "no message has come since the hello: what is missing was published before it",
        captured=3, received=1, lost=2,
    )  # fmt: skip
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).takes(0).done()
    talk.acknowledges(0).says("error", error="unknown", text="?")
    talk.hello({"publisher": "run-0", "number": 0}).welcome(4).not_sent(3)
    yield talk.status(final=True).ends(4).vector(
        "lossless: given up before the end",
        "nothing is passed over here: what is missing is lost",
        captured=4, received=1, lost=3,
    )  # fmt: skip


def _forgotten_at_the_end() -> Iterator[Vector]:
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).takes(0)
    talk.says("end", number=1).says("error", error="unknown", text="?").hello().done()
    yield talk.welcome().acknowledges(1).over().vector(
        "lossless: forgotten at the end",
        "the end is acknowledged as soon as it can be",
        captured=1, received=1,
    )  # fmt: skip


def _gone_behind_the_end() -> Iterator[Vector]:
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).takes(0)
    yield talk.says("end", number=1).goes().over().vector(
        "lossless: gone behind the end",
        "who waits only so long for an acknowledgement is not waited for either",
        captured=1, received=1,
    )  # fmt: skip


def _out_of_turn() -> Iterator[Vector]:
    talk = Conversation("credit", 1).hello()
    talk.again(0, talk.publisher.publish()).says("end", number=0).welcome().record(0).takes(1)
    yield talk.done().acknowledges(0).vector(
        "before the welcome",
        "a message and an end that belong to no subscription: refused",
        captured=1, received=1, rejected=2,
    )  # fmt: skip
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).takes(0)
    talk.says("end", number=0).record(1).takes(1).acknowledges(0).says("end", number=2)
    talk.again(3, talk.publisher.publish()).says("error", error="unknown", text="?")
    talk.hello({"publisher": "run-0", "number": 0}).done().welcome(1)
    yield talk.acknowledges(2).over().vector(
        "an end that is not the last number, and a message behind the end",
        "both are refused",
        captured=2, received=2, rejected=2,
    )  # fmt: skip


def _foreign() -> Iterator[Vector]:
    talk = Conversation("credit", 1).begins().record(0).takes(0).done().acknowledges(0)
    header = talk.publisher.publish()
    talk.again(1, {**header, "seq": "one"}).acknowledges(1).record(2).takes(2).done()
    yield talk.acknowledges(2).vector(
        "a record that cannot be counted",
        "it is lost, and acknowledged at once, as the program will not see it",
        captured=3, received=2, lost=1, rejected=1,
    )  # fmt: skip
    talk = Conversation("credit", 1).begins().record(0).takes(0).done().acknowledges(0)
    header = talk.not_sent(3).publisher.publish()
    talk.again(1, {**header, "dropped": 5}, skipped=3).acknowledges(1).record(2, skipped=3)
    yield talk.takes(5).done().acknowledges(2).vector(
        "a record that cannot be counted, behind some that were passed over",
        "what it said of them counts with the next one",
        captured=6, received=2, passed_over=3, lost=1, rejected=1,
    )  # fmt: skip
    talk = Conversation("credit", 1).begins()
    talk.again(0, {**talk.publisher.publish(), "kind": "none"}).acknowledges(0)
    talk.again(1, talk.publisher.status(final=False)).acknowledges(1).record(2).takes(1)
    yield talk.done().acknowledges(2).vector(
        "a kind that was not asked for",
        "an unknown one, a status with a number: refused, and acknowledged at once",
        captured=1, received=1, rejected=2,
    )  # fmt: skip


def _lossless() -> Iterator[Vector]:
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).record(1).record(2)
    talk.takes(0, 1, 2).acknowledges(1).done().acknowledges(2).status(final=True).ends(3)
    yield talk.vector("lossless: all", "and the end", captured=3, received=3)
    talk = Conversation("lossless", 16, name="indexer").begins()
    sent = [talk.publisher.publish() for _ in range(3)]
    for number in range(3):
        talk.again(number, sent[number])
    talk.takes(0).done().acknowledges(0).says("error", error="unknown", text="?")
    talk.hello({"publisher": "run-0", "number": 0}).welcome(1)
    talk.again(1, sent[1]).again(2, sent[2]).record(3)
    talk.takes(1, 2, 3).done().acknowledges(3).ends(4)
    yield talk.vector(
        "lossless: sent again",
        "what was not acknowledged comes again and is passed over; after says what was",
        captured=4, received=4,
    )  # fmt: skip
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).takes(0).done()
    talk.acknowledges(0).says("error", error="unknown", text="?")
    talk.hello({"publisher": "run-0", "number": 0}).welcome(4).not_sent(3).record(4)
    yield (
        talk.takes(4)
        .done()
        .acknowledges(4)
        .vector(
            "lossless: given up",
            "numbers go on beyond what was kept",
            captured=5,
            received=2,
            lost=3,
        )
    )
    talk = Conversation("lossless", 16, name="indexer").begins().record(0).takes(0).done()
    talk.acknowledges(0).says("error", error="unknown", text="?").another_publisher()
    talk.hello({"publisher": "run-0", "number": 0}).welcome().record(0).record(1)
    yield (
        talk.takes(0, 1)
        .done()
        .acknowledges(1)
        .vector(
            "lossless: another publisher", "numbers begin anew", captured=3, received=3, restarts=1
        )
    )


def _resumed() -> Iterator[Vector]:
    talk = Conversation("lossless", 2, name="indexer", after=RESUMED).hello(RESUMED)
    talk.not_sent(812).welcome(812).record(812).takes(812).done().acknowledges(812)
    yield talk.vector(
        "lossless: resumed",
        "a program that was killed says what it had written down",
        captured=1, received=1,
    )  # fmt: skip
    talk = Conversation("lossless", 2, name="indexer", after=RESUMED).hello(RESUMED)
    talk.another_publisher().welcome().record(0).takes(0).done().acknowledges(0)
    yield talk.vector(
        "lossless: resumed at another publisher", "which begins at 0", captured=1, received=1
    )
    talk = Conversation("lossless", 4, name="indexer", after=RESUMED).hello(RESUMED)
    talk.not_sent(810).welcome(810).record(810).record(811).record(812).takes(812).done()
    yield talk.acknowledges(812).vector(
        "lossless: resumed, and sent again",
        "what was written down is passed over, also when the publisher did not heed it",
        captured=1, received=1,
    )  # fmt: skip


def _refused() -> Iterator[Vector]:
    for error in ("name", "taken", "after"):
        talk = Conversation("lossless", 2, name="indexr").hello()
        talk.says("error", error=error, text="'indexr'").fails()
        yield talk.vector(f"lossless: {error}", "the program is told, and does not try again")
