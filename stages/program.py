"""What can be configured, and a run that is ready to start. Loads no torch.

So that a mistake in the settings is told at once, and a recording is played without a network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from pipeline.clock import SystemClock
from pipeline.config import Settings
from pipeline.errors import ConfigError, Mistake, SourceUnavailable
from pipeline.folders import check_writable
from pipeline.metrics import Metrics
from pipeline.scrapes import check_port
from pipeline.supervisor import RunSettings, Supervisor
from pipeline.tally import StreamCounts
from pipeline.wire import Totals

from .annotate import AnnotateSettings
from .decode import Decode, DecodeSettings
from .publish import PublishSettings, PublishStage
from .publishing.binding import checked
from .publishing.outlet import read_lock
from .publishing.tally import SourceFacts
from .record import RecordSettings, RecordStage
from .replay import ReplaySettings
from .segment import SegmentSettings
from .sources.address import SourceSpec, parse_sources
from .sources.stills import nothing_in
from .track import TrackConfig
from .weights.places import check as check_weights


class MetricsSettings(Settings):
    """Prometheus metrics and health on the loopback interface."""

    port: int | None = Field(default=None, ge=0, le=65_535)
    """Port that answers /metrics, /healthz and /readyz, 0 for any free one; none without it."""


class ProgramSettings(Settings):
    """Everything that can be configured, a table for each room."""

    sources: tuple[str, ...] = ()
    """What to read: files, folders, addresses, webcams, synthetic scenes; name=SOURCE names it."""
    run: RunSettings = RunSettings()
    decode: DecodeSettings = DecodeSettings()
    segment: SegmentSettings = SegmentSettings()
    track: TrackConfig = TrackConfig()
    annotate: AnnotateSettings = AnnotateSettings()
    record: RecordSettings = RecordSettings()
    publish: PublishSettings = PublishSettings()
    replay: ReplaySettings = ReplaySettings()
    metrics: MetricsSettings = MetricsSettings()


@dataclass(frozen=True, eq=False)
class Program:
    """A run that is ready to start. ``publish`` and ``record`` are None when they are off.

    ``does``: what is about to run, in a line for people.
    """

    settings: ProgramSettings
    supervisor: Supervisor
    metrics: Metrics
    does: str
    publish: PublishStage | None
    record: RecordStage | None = None

    def introduction(self) -> str:
        """What is about to run, for people: a line for the network and for each outlet."""
        lines = [self.does]
        if self.publish:
            records, pictures = self.publish.endpoint, self.publish.pictures_endpoint
            lines.append(f"publishing on {records}, pictures on {pictures}")
        if self.record:
            lines.append(f"recording to {self.settings.record.directory}")
        return "\n".join(lines)

    def files(self) -> list[Path]:
        """The files written so far."""
        return self.record.files if self.record else []


def sources_of(settings: ProgramSettings) -> list[SourceSpec]:
    """The streams that are to be read, each with a name of its own.

    :raises ConfigError: when there are none, or something is no source.
    :raises SourceUnavailable: when all are files and not one is there; else the others can run.
    :raises UnsupportedMedia: when all are folders or patterns without media.
    """
    if not settings.sources:
        raise ConfigError(
            "run",
            [Mistake("sources", "at least one source", "none")],
            "Name a file, folder, address, webcam or synthetic:demo; see run --help",
        )
    specs = parse_sources(settings.sources)
    shown = ", ".join(spec.shown for spec in specs)
    if all(spec.kind == "pictures" and not spec.paths for spec in specs):
        raise nothing_in(shown)
    paths = [path for spec in specs for path in spec.paths]
    if all(spec.paths for spec in specs) and all(map(_lack, paths)):
        raise SourceUnavailable(
            where=shown,
            wanted="a readable file",
            got=", ".join(sorted(set(map(_lack, paths)))),
            remedy="Check the path and its permissions",
        )
    return specs


def check(settings: ProgramSettings) -> None:
    """Find what can be found wrong before anything is loaded, bound or opened.

    :raises StreamError: as ``sources_of``; for a synthetic scene that does not exist, an address
        that cannot be published on, keys that cannot be used, a folder that cannot be written to,
        a port of metrics that is in use, weights that nobody knows.
    """
    for spec in sources_of(settings):
        Decode(spec, settings.decode, clock=SystemClock())
    if settings.publish.enabled:
        _check_publishing(settings.publish)
    if settings.record.enabled:
        check_writable(settings.record.directory, "--record")
    if settings.metrics.port is not None:
        check_port(settings.metrics.port)
    check_weights(settings.segment.weights)


def facts_from(metrics: Metrics) -> Callable[[str], SourceFacts]:
    """What the counts of a run say of a stream, for its status. From any thread."""

    def facts(stream: str) -> SourceFacts:
        counts = metrics.tally.streams().get(stream, StreamCounts())
        state = "" if counts.state == "running" else counts.state
        totals = Totals(counts.captured, counts.published, counts.dropped)
        return SourceFacts(state, counts.reconnects, totals)

    return facts


def _check_publishing(settings: PublishSettings) -> None:
    lock = read_lock(settings.keys, settings.allowed)
    others = {"publish.pictures": settings.pictures, "publish.delivery": settings.delivery}
    addresses = {where: address for where, address in others.items() if address}
    for where, address in {"publish.endpoint": settings.endpoint, **addresses}.items():
        checked(address, where, settings.insecure or lock is not None)


def _lack(path: Path) -> str:
    """Why nothing is to be found at ``path``; empty when something is."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""
