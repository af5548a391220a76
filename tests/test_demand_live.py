"""Nobody looks, nothing is drawn or encoded; who comes late knows at once what the classes are."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import zmq

from pipeline.client import Subscriber
from pipeline.demand import Demand
from pipeline.frame import Frame
from pipeline.metrics import Metrics
from pipeline.stage import Stage
from pipeline.supervisor import Supervisor
from pipeline.wire import WELCOME
from stages.annotate import AnnotateSettings, AnnotateStage
from stages.publish import PublishSettings, PublishStage
from tests import station
from tests.players import Sink

FRAME_S = 0.01


class Camera:
    """A live source of frames that were segmented already, until it is told to stop."""

    stream = "gate-2"
    live = True

    def __init__(self) -> None:
        self.shows = threading.Event()
        self.shows.set()

    def run(self, stop: threading.Event) -> Iterator[Frame]:
        seq = 0
        while not stop.wait(FRAME_S):
            if self.shows.is_set():
                yield station.frame(seq, canvas=None)
                seq += 1


class Line:
    """Camera, annotate, publish, and a sink that keeps what comes out of them."""

    def __init__(self) -> None:
        self.camera, self.sink, self.metrics = Camera(), Sink("sink"), Metrics()
        demand = Demand()
        self.publish = PublishStage(
            PublishSettings(endpoint=station.ANY_PORT, status_interval_s=0.1),
            demand=demand,
            streams=["gate-2"],
        )
        self.metrics.watch_traffic(self.publish.traffic)
        self.endpoint = self.publish.endpoint
        stages: list[Stage] = [
            AnnotateStage(AnnotateSettings(), demand=demand),
            self.publish,
            self.sink,
        ]
        self.supervisor = Supervisor([self.camera], stages, metrics=self.metrics)

    def figure(self, name: str) -> float:
        """One figure, as a scraper sees it."""
        lines = self.metrics.render().decode().splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def drawn(self) -> bool:
        """If somebody's picture was made of the newest frame."""
        return self.sink.frames[-1].canvas is not None


@contextmanager
def under_way() -> Iterator[Line]:
    line = Line()
    thread = threading.Thread(target=line.supervisor.run)
    thread.start()
    try:
        until(lambda: bool(line.sink.frames))
        yield line
    finally:
        line.supervisor.stop()
        thread.join()


def until(holds: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait until ``holds``; how long it took, s."""
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < seconds
        time.sleep(0.002)
    return time.monotonic() - begun_s


@contextmanager
def looking(endpoint: str, *kinds: str) -> Iterator[Subscriber]:
    """Somebody who reads those kinds as they come."""
    with Subscriber(endpoint, kinds=kinds) as subscriber:  # type: ignore[arg-type]
        thread = threading.Thread(target=lambda: [None for _ in subscriber], daemon=True)
        thread.start()
        yield subscriber


def test_pictures_are_made_only_while_somebody_looks() -> None:
    with under_way() as line:
        annotated = 'maskstream_messages_total{kind="annotated"'
        with looking(line.endpoint, "meta") as subscriber:
            until(lambda: bool(subscriber.statuses()))
            until(lambda: line.figure('maskstream_subscribers{mode="latest"}') == 1)
            assert line.figure('maskstream_subscriptions{kind="meta"}') >= 1
            assert not any(frame.canvas for frame in line.sink.frames)
        with looking(line.endpoint, "annotated"):
            until(line.drawn)
            until(lambda: line.figure(annotated) > 0)
            assert line.figure('maskstream_subscriptions{kind="annotated"}') == 1
            assert line.figure('maskstream_subscriptions{kind="image"}') == 0
        until(lambda: not line.drawn())
        until(lambda: line.figure('maskstream_subscribers{mode="latest"}') == 0)
        until(lambda: line.figure('maskstream_subscriptions{kind="annotated"}') == 0)
        before = line.figure(annotated)
        count = len(line.sink.frames)
        until(lambda: len(line.sink.frames) > count + 30)
        assert line.figure(annotated) == before


@pytest.mark.parametrize("shows", [True, False], ids=["frames come", "no frame comes"])
def test_who_comes_late_gets_class_table_and_status_within_a_second(shows: bool) -> None:
    with under_way() as line:
        until(lambda: len(line.sink.frames) > 20)
        if not shows:
            line.camera.shows.clear()
        with Subscriber(line.endpoint) as subscriber:
            begun_s = time.monotonic()
            thread = threading.Thread(target=lambda: [None for _ in subscriber], daemon=True)
            thread.start()
            until(lambda: "gate-2" in subscriber.statuses())
            assert time.monotonic() - begun_s < 1
            status = subscriber.statuses()["gate-2"]
        assert status.model is not None
        assert status.model.classes == station.MODEL.classes
        assert status.state == "running"
        assert status.streams == ("gate-2",)


def test_the_first_thing_to_come_says_where_everything_is() -> None:
    with under_way() as line, zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"")
        socket.connect(line.endpoint)
        assert socket.poll(5000)
        first = socket.recv_multipart()
        assert len(first) == 1
        assert first[0].startswith(WELCOME)
        welcome = json.loads(first[0].removeprefix(WELCOME))
        assert welcome["publisher"] == line.publish.publisher
        assert welcome["pictures"] == line.publish.pictures_endpoint
        kinds = set()
        begun_s = time.monotonic()
        while "status" not in kinds:
            assert time.monotonic() - begun_s < 1
            kinds.add(json.loads(socket.recv_multipart()[1])["kind"])


def test_the_first_picture_comes_with_one_of_the_next_frames() -> None:
    with under_way() as line, Subscriber(line.endpoint, kinds=("annotated",)) as subscriber:
        newest = line.sink.frames[-1].seq
        first = next(iter(subscriber))
        assert first.canvas is not None
        late_s = (first.seq - newest) * FRAME_S
        assert late_s < 2
