"""One conversation on the delivery socket, step by step, as a vector."""

from typing import Self

from tests.vector_cases import Vector, part
from tests.vector_sequences import Publisher

BOOKS = ("captured", "received", "passed_over", "lost", "rejected", "restarts")


class Conversation:
    """What a publisher hears and says, and what the program does, in order."""

    def __init__(self, mode: str, credit: int, **more: object) -> None:
        self.options = {"mode": mode, "credit": credit, **more}
        self.steps: list[Vector] = []
        self.publisher = Publisher("run-0")

    def hello(self, after: Vector | None = None) -> Self:
        wanted = {"streams": None, "kinds": ["meta"], "name": "", **self.options, "after": after}
        return self._hears("hello", **wanted)

    def welcome(self, following: int = 0) -> Self:
        return self.says("welcome", publisher=self.publisher.name, next=following)

    def begins(self) -> Self:
        return self.hello().welcome()

    def acknowledges(self, number: int) -> Self:
        return self._hears("ack", number=number)

    def says(self, kind: str, **fields: object) -> Self:
        return self._do(says={"v": 1, "kind": kind, **fields})

    def record(self, number: int, skipped: int = 0) -> Self:
        """The next record is published and sent."""
        return self.again(number, self.publisher.publish(), skipped)

    def again(self, number: int, header: Vector, skipped: int = 0) -> Self:
        said = {"v": 1, "kind": "message", "number": number, "skipped": skipped}
        return self._do(says=said, header=header)

    def damaged(self, number: int) -> Self:
        """The next record is published and arrives as rubbish."""
        self.publisher.publish()
        said = {"v": 1, "kind": "message", "number": number, "skipped": 0}
        return self._do(says=said, parts=[part(b"v1/gate-2/meta/"), part(b"\xffrubbish")])

    def status(self, *, final: bool = False) -> Self:
        said = {"v": 1, "kind": "message"}
        return self._do(says=said, header=self.publisher.status(final=final))

    def not_sent(self, records: int) -> Self:
        """Records are published that this subscriber does not get."""
        for _ in range(records):
            self.publisher.publish()
        return self

    def drops(self, *reasons: str) -> Self:
        """Frames are dropped behind what was published."""
        for reason in reasons:
            self.publisher.drop(reason)
        return self

    def epoch(self) -> Self:
        """A new epoch begins."""
        self.publisher.begin()
        return self

    def another_publisher(self) -> Self:
        self.publisher = Publisher("run-1")
        return self

    def takes(self, *pseqs: int) -> Self:
        """The program takes messages, and so is done with each before the last."""
        return self._do(takes=list(pseqs))

    def done(self) -> Self:
        """The program says that it is done with what it took last."""
        return self._do(done=True)

    def ends(self, number: int) -> Self:
        """The publisher says that all is sent; the program learns it."""
        return self.says("end", number=number).acknowledges(number).over()

    def over(self) -> Self:
        """The program asks for more, and learns that nothing will come."""
        return self._do(over=True)

    def silent(self) -> Self:
        """From here on nothing is answered."""
        return self._do(silent=True)

    def goes(self) -> Self:
        """What was said has come; the publisher closes its delivery socket."""
        return self._do(gone=True)

    def fails(self) -> Self:
        return self._do(fails=True)

    def leaves(self) -> Self:
        return self._do(leaves=True)._hears("bye")

    def _hears(self, kind: str, **fields: object) -> Self:
        return self._do(hears={"kind": kind, **fields})

    def _do(self, **step: object) -> Self:
        self.steps.append(step)
        return self

    def vector(
        self, name: str, about: str, *, dropped: dict[str, int] | None = None, **books: int
    ) -> Vector:
        expect = {**dict.fromkeys(BOOKS, 0), "dropped": dropped or {}, **books}
        return {
            "name": name,
            "about": about,
            "options": self.options,
            "steps": self.steps,
            "expect": expect,
        }
