"""Metrics of one run, in the Prometheus format, in a registry of their own: nothing is global."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    make_wsgi_app,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .clock import Clock, SystemClock
from .frame import Frame
from .health import STATES, Health, StreamHealth, is_healthy, is_ready
from .scrapes import page, served
from .tally import Tally
from .traffic import Traffic

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
        "maskstream_frames_per_second": ("stream", "at"),
        "maskstream_stream_state": ("stream", "state"),
        "maskstream_quiet_seconds": ("stream",),
        "maskstream_device_memory_bytes": ("device", "kind"),
        "maskstream_messages_total": ("stream", "kind"),
        "maskstream_subscriptions": ("kind",),
        "maskstream_subscribers": ("mode",),
        "maskstream_waiting_messages": ("mode",),
        "maskstream_skipped_messages_total": ("mode",),
        "maskstream_ignored_requests_total": (),
    }
)
"""Every metric and its labels: a promise to whoever scrapes them."""

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counts a run twice: exactly in ``tally``, and for Prometheus. Safe between threads.

    ``health``: how the streams are doing; one is stalled after ``stalled_after_s`` without a frame.
    """

    def __init__(self, clock: Clock | None = None, stalled_after_s: float = 5.0) -> None:
        self.tally = Tally()
        self._clock = clock or SystemClock()
        self.health = Health(self.tally, self._clock, stalled_after_s)
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
        self._waiting = self._gauge("maskstream_queue_frames", "Frames that wait before a stage")
        self._memory = self._gauge(
            "maskstream_device_memory_bytes", "Memory of the device, by what it is"
        )
        self.registry.register(_Streams(self.tally, self.health, self._clock))

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
        """A source, or an epoch of it, ended with captured frames lost after the last good one."""
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

    def watch_memory(self, device: str, kind: str, used_bytes: Callable[[], float]) -> None:
        """Ask ``used_bytes`` for memory of a device whenever somebody looks, from any thread."""
        self._memory.labels(device, kind).set_function(used_bytes)

    def watch_traffic(self, traffic: Callable[[], Traffic]) -> None:
        """Ask ``traffic`` what the publisher sent whenever somebody looks, from any thread."""
        self.registry.register(_Published(traffic))

    def render(self) -> bytes:
        """Everything in the Prometheus text format."""
        return generate_latest(self.registry)

    @contextmanager
    def serve(self, port: int) -> Iterator[int]:
        """Answer /metrics, /healthz and /readyz on the loopback interface in the context.

        Yields the port, which is a free one when 0 was asked for.

        :raises EndpointError: when the port cannot be had.
        """
        pages = {
            "/metrics": make_wsgi_app(self.registry),
            "/healthz": page(lambda: self._told(is_healthy), "application/json"),
            "/readyz": page(lambda: self._told(is_ready), "application/json"),
        }
        with served(port, pages) as bound:
            yield bound

    def _told(self, good: Callable[[Mapping[str, StreamHealth]], bool]) -> tuple[bool, bytes]:
        """If all is well, and a line of JSON that says of every stream how it is."""
        streams = self.health.streams()
        is_good = good(streams)
        told = {
            "ok": is_good,
            "streams": {
                name: {
                    "state": stream.state,
                    "quiet_s": None if stream.quiet_s is None else round(stream.quiet_s, 3),
                }
                for name, stream in streams.items()
            },
        }
        return is_good, json.dumps(told).encode() + b"\n"

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(name, meaning, METRIC_NAMES[name], registry=self.registry)

    def _histogram(self, name: str, meaning: str) -> Histogram:
        return Histogram(name, meaning, METRIC_NAMES[name], registry=self.registry, buckets=SECONDS)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, METRIC_NAMES[name], registry=self.registry)


class _Streams(Collector):
    """What is known of the streams at the moment of a scrape."""

    def __init__(self, tally: Tally, health: Health, clock: Clock) -> None:
        self._tally, self._health, self._clock = tally, health, clock

    def collect(self) -> Iterator[Metric]:
        rates = _gauges("maskstream_frames_per_second", "Frames a second over the last seconds")
        for name, (captured_hz, published_hz) in self._tally.rates_hz(self._clock.now_ns()).items():
            rates.add_metric((name, "captured"), captured_hz)
            rates.add_metric((name, "published"), published_hz)
        states = _gauges("maskstream_stream_state", "1 for the state that the stream is in")
        quiet = _gauges("maskstream_quiet_seconds", "Time since a frame of the stream came out")
        for name, stream in self._health.streams().items():
            for state in STATES:
                states.add_metric((name, state), float(state == stream.state))
            if stream.quiet_s is not None:
                quiet.add_metric((name,), stream.quiet_s)
        yield from (rates, states, quiet)


class _Published(Collector):
    """What the publisher counted."""

    def __init__(self, traffic: Callable[[], Traffic]) -> None:
        self._traffic = traffic

    def collect(self) -> Iterator[Metric]:
        traffic = self._traffic()
        messages = _counts("maskstream_messages_total", "Messages published, by kind")
        for key, count in traffic.messages.items():
            messages.add_metric(key, count)
        skipped = _counts("maskstream_skipped_messages_total", "Messages that somebody did not get")
        ignored = _counts("maskstream_ignored_requests_total", "Rubbish from subscribers")
        ignored.add_metric((), traffic.ignored)
        subscriptions = _gauges("maskstream_subscriptions", "Different topics asked for")
        subscribers = _gauges("maskstream_subscribers", "Subscribers that are here")
        waiting = _gauges("maskstream_waiting_messages", "Messages kept for subscribers")
        for family, counts in (
            (skipped, traffic.skipped),
            (subscriptions, traffic.subscriptions),
            (subscribers, traffic.subscribers),
            (waiting, traffic.waiting),
        ):
            for label, count in counts.items():
                family.add_metric((label,), count)
        yield from (messages, skipped, ignored, subscriptions, subscribers, waiting)


def _gauges(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=METRIC_NAMES[name])


def _counts(name: str, meaning: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, meaning, labels=METRIC_NAMES[name])
