"""Publish: each frame as a record, as pictures for who wants them, and a status each second.

A sink that passes frames on. One thread, the stage's, owns the sockets; no subscriber, slow, stuck
or malicious, can hold it up, but those who are named as ``lossless``. Another encodes pictures.
"""

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from pipeline.clock import Clock, SystemClock
from pipeline.config import Settings
from pipeline.demand import Demand
from pipeline.frame import Frame, Image
from pipeline.stage import Inbox
from pipeline.traffic import Traffic
from pipeline.wire import FRAME_KINDS, FrameKind, encode_body, encode_header, encode_status, topic
from pipeline.wire.fields import LONGEST_NAME

from .publishing.counting import traffic_of
from .publishing.delivery import Desk
from .publishing.encoder import Encoder, Job, encode_jpeg
from .publishing.outlet import Lock, Outlet, read_lock
from .publishing.tally import SourceFacts, StreamTally

POLL_S = 0.05
"""How soon a new subscriber is noticed when no frames flow."""
ENCODING_POLL_S = 0.002
"""How soon a picture is sent once it is encoded."""
STATUS_GAP_NS = 100_000_000
"""New subscribers get a status at once, but not more than ten a second are sent."""
LOG_GAP_NS = 60_000_000_000

log = logging.getLogger("maskstream.publish")


class PublishSettings(Settings):
    """Where and how results are published."""

    enabled: bool = True
    """Whether to publish at all."""
    endpoint: str = "tcp://127.0.0.1:5555"
    """Where subscribers connect: records and status. Port * is any free one."""
    pictures: str = ""
    """Where pictures are sent; by default the next port (or any free one). Clients are told."""
    delivery: str = ""
    """Where messages are sent on request; by default the port after (or any free one)."""
    lossless: tuple[Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)], ...] = ()
    """Names of subscribers that must get every frame: the run waits for them when they are slow."""
    window: int = Field(default=64, ge=1)
    """Messages that are kept for each of them until it has acknowledged them."""
    grace_s: float = Field(default=20.0, ge=0)
    """Seconds that they are waited for: to come, to come back, to acknowledge the end."""
    keys: str = ""
    """The publisher's .key file, of `keys new`; everything is encrypted then."""
    allowed: str = ""
    """A file or folder with the public keys of who may subscribe; needed with keys."""
    insecure: bool = False
    """Allow an address that other machines reach without keys, though nothing is encrypted."""
    records_waiting: int = Field(default=1000, ge=1)
    """Records that wait for a slow subscriber before he loses some."""
    pictures_waiting: int = Field(default=4, ge=1)
    """Pictures that wait for a slow subscriber before he loses some."""
    jpeg_quality: int = Field(default=85, ge=1, le=100)
    """Quality of published pictures, 1 to 100."""
    status_interval_s: float = Field(default=1.0, gt=0)
    """Seconds between two status messages of a stream."""
    stalled_after_s: float = Field(default=5.0, gt=0)
    """Seconds without a frame after which a stream's state is "stalled"."""
    linger_s: float = Field(default=1.0, ge=0)
    """Seconds that the last messages get to leave at the end."""


class PublishStage:
    """The stage. Binds when constructed, so that a port in use is known before anything runs.

    ``streams``: names that have a status before their first frame. ``facts``: what the source and
    the supervisor know of a stream, asked for each status, from the stage's thread. ``endpoint``,
    ``pictures_endpoint``, ``delivery_endpoint``: as bound. ``publisher``: the uuid of this run.

    :raises EndpointError: for an endpoint that is bad, in use, or open to others.
    :raises AccessError: for keys that cannot be used.
    """

    name = "publish"

    def __init__(
        self,
        settings: PublishSettings,
        *,
        demand: Demand,
        clock: Clock | None = None,
        streams: Sequence[str] = (),
        facts: Callable[[str], SourceFacts] | None = None,
    ) -> None:
        self.publisher = str(uuid.uuid4())
        self._settings = settings
        self._demand = demand
        self._clock = clock or SystemClock()
        self._facts = facts or (lambda _stream: SourceFacts())
        now_ns = self._clock.now_ns()
        self._tallies = {stream: StreamTally(stream, now_ns) for stream in streams}
        self._measured_ns = self._told_ns = now_ns
        self._ended = False  # nothing more will be published
        self._traffic = Traffic()
        self._news = False  # a new subscriber, stream or epoch: a status is owed at once
        self._logged_ns = now_ns - LOG_GAP_NS
        self._desk = Desk(
            self.publisher, demand, settings.lossless, settings.window, settings.grace_s
        )
        self._encoder = Encoder(demand, settings.jpeg_quality)
        self._lock: Lock | None = read_lock(settings.keys, settings.allowed)
        self._outlet: Outlet | None = self._open(
            settings.endpoint, settings.pictures, settings.delivery
        )
        self.endpoint = str(self._outlet.records)
        self.pictures_endpoint = str(self._outlet.pictures)
        self.delivery_endpoint = str(self._outlet.delivery)

    def run(self, inbox: Inbox) -> Iterator[Frame]:
        """Publish every frame and yield it on; at the end say so, with exact totals."""
        self._outlet = outlet = self._outlet or self._open(
            self.endpoint, self.pictures_endpoint, self.delivery_endpoint
        )
        self._desk.use(outlet.router, self._clock.now_ns())
        self._ended = False
        try:
            while (frames := self._take(outlet, inbox)) is not None:
                self._attend(outlet)
                for frame in frames:
                    self._publish(outlet, frame)
                    yield frame
            self._end(outlet)
        finally:
            self.close()

    def close(self) -> None:
        """Close the sockets, giving the last messages ``linger_s``. Not beside ``run``."""
        self._encoder.close()
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.close(self._settings.linger_s)

    def traffic(self) -> Traffic:
        """What was sent, to how many, and what was kept back, as last measured. Any thread."""
        return self._traffic

    def _take(self, outlet: Outlet, inbox: Inbox) -> list[Frame] | None:
        """The next frame, once there is room for it where nothing may be lost; None at the end."""
        while self._desk.held_up and not inbox.at_end():
            self._desk.wait(POLL_S)
            self._attend(outlet)
        return inbox.take(timeout_s=ENCODING_POLL_S if self._encoder.busy else POLL_S)

    def _end(self, outlet: Outlet) -> None:
        """Say that it is the end, and wait for who must have heard it."""
        self._encoder.finish()
        self._attend(outlet)
        self._ended = True
        self._measure(self._clock.now_ns())
        self._tell(outlet)
        self._desk.end(self._clock.now_ns())
        late_ns = self._clock.now_ns() + self._settings.linger_s * 1e9
        self._attend(outlet)
        while not self._desk.settled() or not (self._desk.served() or self._is_after(late_ns)):
            self._desk.wait(POLL_S)
            self._attend(outlet)
        self._desk.dismiss()

    def _is_after(self, moment_ns: float) -> bool:
        return self._clock.now_ns() >= moment_ns

    def _open(self, endpoint: str, pictures: str, delivery: str) -> Outlet:
        return Outlet(
            endpoint,
            pictures,
            delivery=delivery,
            publisher=self.publisher,
            demand=self._demand,
            insecure=self._settings.insecure,
            lock=self._lock,
            clock=self._clock,
            waiting=(self._settings.records_waiting, self._settings.pictures_waiting),
        )

    def _publish(self, outlet: Outlet, frame: Frame) -> None:
        """Send what is wanted of a frame: the record now, pictures once they are encoded."""
        tally = self._tally(frame)
        shown = {"annotated": frame.canvas, "image": frame.image}
        kinds = [kind for kind in FRAME_KINDS if kind == "meta" or _has_pixels(shown[kind])]
        wanted = [kind for kind in kinds if self._demand.subscribed(frame.stream, kind)]
        body = encode_body(frame) if wanted else ""
        for kind in wanted:
            picture = shown.get(kind)
            if picture is None:
                self._send(outlet, frame, kind, body)
            elif picture.format == "jpeg" or self._desk.keeps(frame.stream, kind):
                self._send_now(outlet, Job(frame, kind, picture, body))
            else:
                self._encoder.put(Job(frame, kind, picture, body))
        if "meta" not in wanted:
            tally.messages["meta"] += 1  # one for each frame, also while nobody listens

    def _send_now(self, outlet: Outlet, job: Job) -> None:
        """What needs no encoding, or may not be passed over: the frame is not done before it."""
        if self._encoder.has(job.frame.stream, job.kind):
            self._encoder.finish()
        self._send_encoded(outlet)
        jpeg = encode_jpeg(job.picture, self._settings.jpeg_quality)
        self._send(outlet, job.frame, job.kind, job.body, jpeg)

    def _send_encoded(self, outlet: Outlet) -> None:
        for job, jpeg in self._encoder.done():
            self._send(outlet, job.frame, job.kind, job.body, jpeg)

    def _send(
        self, outlet: Outlet, frame: Frame, kind: FrameKind, body: str, *picture: bytes
    ) -> None:
        messages = self._tallies[frame.stream].messages
        pseq = messages[kind]
        header = encode_header(frame, publisher=self.publisher, pseq=pseq, kind=kind, body=body)
        parts = [topic(frame.stream, kind), header, *picture]
        outlet.send(kind, parts)
        self._desk.offer(frame.stream, kind, parts)
        messages[kind] += 1

    def _tally(self, frame: Frame) -> StreamTally:
        now_ns = self._clock.now_ns()
        tally = self._tallies.setdefault(frame.stream, StreamTally(frame.stream, now_ns))
        self._news |= tally.count(frame, now_ns)
        return tally

    def _attend(self, outlet: Outlet) -> None:
        """Between frames: what is encoded, who came, and is a status due?"""
        self._send_encoded(outlet)
        now_ns = self._clock.now_ns()
        self._news |= outlet.listen()
        self._news |= self._desk.listen(now_ns)
        due = now_ns - self._measured_ns >= self._settings.status_interval_s * 1e9
        if due:
            self._measure(now_ns)
        if due or (self._news and now_ns - self._told_ns >= STATUS_GAP_NS):
            self._tell(outlet)
        rubbish = outlet.rubbish + self._desk.rubbish
        if rubbish and now_ns - self._logged_ns >= LOG_GAP_NS:
            self._logged_ns, outlet.rubbish, self._desk.rubbish = now_ns, 0, 0
            log.warning("ignored %d messages from subscribers that mean nothing", rubbish)

    def _measure(self, now_ns: int) -> None:
        self._measured_ns = now_ns
        for tally in self._tallies.values():
            tally.measure(now_ns)
        if self._outlet:
            self._traffic = self._count(self._outlet)

    def _count(self, outlet: Outlet) -> Traffic:
        passed_over = self._encoder.passed_over
        return traffic_of(self._tallies, self._demand, self._desk, outlet, passed_over)

    def _tell(self, outlet: Outlet) -> None:
        """Send the status of every stream."""
        self._told_ns, self._news = self._clock.now_ns(), False
        told: dict[str, list[bytes]] = {}
        for stream, tally in self._tallies.items():
            status = tally.status(
                now_ns=self._told_ns,
                utc_ns=self._clock.utc_ns(),
                stalled_after_s=self._settings.stalled_after_s,
                facts=self._facts(stream),
                ended=self._ended,
            )
            status = replace(
                status,
                pictures=self.pictures_endpoint,
                streams=tuple(self._tallies),
                delivery=self.delivery_endpoint,
                lossless=self._desk.told(),
                security=outlet.security,
            )
            pseq = tally.messages["status"]
            told[stream] = encode_status(status, publisher=self.publisher, pseq=pseq)
            outlet.send("status", told[stream])
            tally.messages["status"] += 1
        self._desk.tell(told)


def _has_pixels(image: Image | None) -> bool:
    """If there is a picture to send. Of a replayed frame's often only the size is known."""
    return image is not None and bool(image.planes)
