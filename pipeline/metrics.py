"""Metrics of one run, in the Prometheus format, in a registry of their own: nothing is global."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
)

from .errors import EndpointError
from .frame import Frame
from .tally import Tally

METRIC_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "maskstream_frames_captured_total": ("stream",),
        "maskstream_frames_published_total": ("stream",),
        "maskstream_frames_dropped_total": ("stream", "stage", "reason"),
        "maskstream_instances_total": ("stream",),
        "maskstream_reconnects_total": ("stream",),
        "maskstream_restarts_total": ("stage",),
        "maskstream_stage_seconds": ("stage",),
        "maskstream_age_seconds": ("stream",),
        "maskstream_queue_frames": ("queue",),
    }
)
"""Every metric and its labels: a promise to whoever scrapes them."""

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counts a run twice: exactly in ``tally``, and for Prometheus. Safe between threads."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.registry = CollectorRegistry()
        self._captured = self._counter("maskstream_frames_captured_total", "Frames captured")
        self._published = self._counter(
            "maskstream_frames_published_total", "Frames that came out of the last stage"
        )
        self._dropped = self._counter(
            "maskstream_frames_dropped_total", "Frames lost, by the stage that they did not pass"
        )
        self._instances = self._counter(
            "maskstream_instances_total", "Instances in the published frames"
        )
        self._reconnects = self._counter(
            "maskstream_reconnects_total", "Epochs after the first: reconnects, changes of size"
        )
        self._restarts = self._counter("maskstream_restarts_total", "Restarts of a stage")
        self._held = self._histogram("maskstream_stage_seconds", "How long a stage held a frame")
        self._age = self._histogram(
            "maskstream_age_seconds", "Time from capture until the last stage is done"
        )
        self._waiting = Gauge(
            name := "maskstream_queue_frames",
            "Frames that wait before a stage",
            METRIC_NAMES[name],
            registry=self.registry,
        )

    def captured(self, stage: str, frame: Frame) -> None:
        """A frame leaves its source; what the source lost by itself is read off the frame.

        ``stage`` is the name under which the source's own losses are counted.
        """
        lost, reconnected = self.tally.captured(frame)
        self._captured.labels(frame.stream).inc(1 + lost.total())
        if reconnected:
            self._reconnects.labels(frame.stream).inc()
        for reason, count in lost.items():
            self._dropped.labels(frame.stream, stage, reason).inc(count)

    def lost_at_end(self, stage: str, stream: str, reason: str, count: int) -> None:
        """A source ended with captured frames that it lost after the last good one."""
        if count:
            self.tally.lost_at_end(stream, reason, count)
            self._captured.labels(stream).inc(count)
            self._dropped.labels(stream, stage, reason).inc(count)

    def published(self, frame: Frame, now_ns: int) -> None:
        """A frame came out of the last stage at ``now_ns``, monotonic."""
        self.tally.published(frame, now_ns)
        self._published.labels(frame.stream).inc()
        self._age.labels(frame.stream).observe((now_ns - frame.captured_ns) / 1e9)
        if frame.instances is not None:
            self._instances.labels(frame.stream).inc(len(frame.instances))

    def dropped(self, stage: str, frame: Frame, reason: str) -> None:
        """A frame was lost before or in ``stage``."""
        self.tally.dropped(frame.stream, reason)
        self._dropped.labels(frame.stream, stage, reason).inc()

    def worked(self, stage: str, seconds: float) -> None:
        """A stage held a frame for so long."""
        self.tally.worked(stage, seconds)
        self._held.labels(stage).observe(seconds)

    def restarted(self, stage: str) -> None:
        """A stage raised and was started again."""
        self._restarts.labels(stage).inc()

    def watch_queue(self, queue: str, waiting: Callable[[], int]) -> None:
        """Ask ``waiting`` for the length of a queue whenever somebody looks, from any thread."""
        self._waiting.labels(queue).set_function(waiting)

    def render(self) -> bytes:
        """Everything in the Prometheus text format."""
        return generate_latest(self.registry)

    @contextmanager
    def serve(self, port: int) -> Iterator[int]:
        """Answer scrapes on the loopback interface while the context lasts.

        Yields the port, which is a free one when 0 was asked for.

        :raises EndpointError: when the port cannot be had.
        """
        try:
            server, thread = start_http_server(port, "127.0.0.1", self.registry)
        except (OSError, OverflowError) as error:
            raise EndpointError(
                where=f"metrics on 127.0.0.1:{port}",
                wanted="a free port",
                got=getattr(error, "strerror", None) or str(error),
                remedy="Choose another port, or 0 for any.",
            ) from error
        thread.name = "maskstream-metrics"
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(name, meaning, METRIC_NAMES[name], registry=self.registry)

    def _histogram(self, name: str, meaning: str) -> Histogram:
        return Histogram(name, meaning, METRIC_NAMES[name], registry=self.registry, buckets=SECONDS)
