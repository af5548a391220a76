"""A publisher under way, for tests: frames with everything in them, and the real stage in a thread
fed through a real channel."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.channel import Channel
from pipeline.clock import SystemClock
from pipeline.demand import Demand
from pipeline.frame import Frame, Image, Instances, Model, TrackState
from pipeline.inbox import FairInbox
from pipeline.masks import Masks
from pipeline.stage import ListInbox
from pipeline.wire import Kind, Status, encode, encode_status
from stages.publish import PublishSettings, PublishStage
from stages.publishing.outlet import Outlet

ANY_PORT = "tcp://127.0.0.1:*"
MODEL = Model("tiny", "sha256:ab12", ("person", "shape", "größe"))


def ellipse(height: int, width: int) -> NDArray[np.bool_]:
    """A mask with curved edges, (height, width)."""
    y, x = np.mgrid[:height, :width]
    inside: NDArray[np.bool_] = ((y + 0.5) / height - 0.5) ** 2 + (
        (x + 0.5) / width - 0.5
    ) ** 2 < 0.25
    return inside


def instances(height: int = 48, width: int = 64) -> Instances:
    """A tracked person, a tentative shape and an empty mask without a track."""
    crops = [
        (3, 5, ellipse(17, 11)),
        (30, 20, np.ones((4, 6), np.bool_)),
        (0, 0, np.zeros((0, 0), np.bool_)),
    ]
    masks = Masks.from_crops(height, width, crops)
    found = Instances.detected(
        masks, np.array([0.93, 0.5, 0.12345], np.float32), np.array([0, 1, 2], np.int32)
    )
    return replace(
        found,
        track_ids=np.array([7, 9, -1]),
        states=np.array([TrackState.TRACKED, TrackState.TENTATIVE, TrackState.UNTRACKED], np.uint8),
    )


def picture(height: int = 48, width: int = 64, grey: int = 90) -> Image:
    return Image.from_bgr(np.full((height, width, 3), grey, np.uint8))


def frame(seq: int, stream: str = "gate-2", epoch: int = 0, **changes: object) -> Frame:
    """A frame as it reaches publish, captured just now."""
    whole = Frame(
        stream=stream,
        epoch=epoch,
        seq=seq,
        pts=27000 + 3600 * seq,
        time_base=Fraction(1, 90000),
        captured_ns=time.monotonic_ns(),
        captured_utc_ns=1_700_000_000_123_456_789,
        clock="arrival",
        image=picture(),
        instances=instances(),
        ended=(3,),
        canvas=picture(grey=200),
        model=MODEL,
        stages_ms={"decode": 2.125, "segment": 18.4},
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


class PatientInbox(ListInbox):
    """A list of frames that begins when somebody subscribes to ``kind`` of gate-2."""

    def __init__(self, frames: Iterable[Frame], demand: Demand, kind: str) -> None:
        super().__init__(frames)
        self._demand = demand
        self._kind = kind

    def take(self, limit: int = 1, timeout_s: float | None = None) -> list[Frame] | None:
        if not self._demand.subscribed("gate-2", self._kind):
            time.sleep(0.005)
            return []
        return super().take(limit, timeout_s)


class Station:
    """A PublishStage in a thread. ``put`` frames; leaving the block ends the streams."""

    def __init__(
        self, settings: PublishSettings | None = None, streams: tuple[str, ...] = ()
    ) -> None:
        self.demand = Demand()
        self.stage = PublishStage(
            settings or PublishSettings(endpoint=ANY_PORT),
            demand=self.demand,
            clock=SystemClock(),
            streams=streams,
        )
        self.endpoint = self.stage.endpoint
        self.passed: list[Frame] = []
        self._channel = Channel("publish", capacity=10_000)
        self._inbox = FairInbox([self._channel])
        self._thread = threading.Thread(target=self._run)

    def put(self, *frames: Frame) -> None:
        for each in frames:
            self._channel.put(each)

    def wait_for(self, kind: str, stream: str = "gate-2", *, wanted: bool = True) -> None:
        """Until somebody (or, with ``wanted`` False, nobody) subscribes to that."""
        deadline = time.monotonic() + 10
        while self.demand.subscribed(stream, kind) is not wanted:
            assert time.monotonic() < deadline, f"{kind} of {stream} is not wanted={wanted}"
            time.sleep(0.005)

    def end(self) -> None:
        self._channel.close()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _run(self) -> None:
        for each in self.stage.run(self._inbox):
            self.passed.append(each)


def put_singly(
    station: Station, frames: Iterable[Frame], said: Iterator[str], picture: str
) -> list[str]:
    """Put each frame after the picture of the one before was seen: one that waits gives way.

    ``said``: a program's lines. ``picture``: what those of pictures have in them. Returns what was
    read of them.
    """
    lines = []
    for each in frames:
        station.put(each)
        for line in said:
            lines.append(line)
            if picture in line:
                break
        else:
            raise AssertionError(f"the program ended before frame {each.seq}")
    return lines


class Puppet:
    """The real sockets of a publisher whose messages the test makes."""

    def __init__(self, publisher: str, endpoint: str = ANY_PORT) -> None:
        self._demand = Demand()
        self.publisher = publisher
        self.outlet = Outlet(
            endpoint,
            "",
            publisher=publisher,
            demand=self._demand,
            insecure=False,
            waiting=(1000, 1000),
        )
        self.endpoint = str(self.outlet.records)

    def wait(self, kind: str) -> None:
        while not self._demand.subscribed("gate-2", kind):
            self.outlet.listen()
            time.sleep(0.005)

    def send(self, kind: Kind, parts: list[bytes]) -> None:
        self.outlet.send(kind, parts)

    def frame(self, seq: int, pseq: int) -> None:
        self.send("meta", encode(frame(seq), publisher=self.publisher, pseq=pseq, kind="meta"))

    def end(self, messages: int) -> None:
        status = Status("gate-2", "ended", 1, messages={"meta": messages})
        self.send("status", encode_status(status, publisher=self.publisher, pseq=0))
