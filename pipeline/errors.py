"""Every error that a user can meet, in one tree.

StreamError
├─ ConfigError            every mistake of a configuration at once
├─ SourceError            SourceUnavailable (worth a retry; SourceRejected: a slow one) ·
│                         SourceEnded · UnsupportedMedia
├─ StageFailed            which stage, stream and frame; the cause is chained
├─ DeviceError            a device that is not there
├─ CheckpointMismatch     missing, unexpected and wrong-shaped keys · UnsafeCheckpoint
├─ WeightsError           an alias, download or file that cannot be had
├─ EndpointError          an address that cannot be bound or reached · AccessError: a locked one
├─ RecordError            a file that cannot be written
├─ TrainingError          a training that cannot go on
├─ WireError              UnsupportedVersion · Truncated
└─ ChannelClosed          the other side of a hand-over is gone

A message has four parts: where, what was wanted, what came, and what to do about it.
Foreign exceptions are mapped at the border with ``raise … from``.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class StreamError(Exception):
    """The root. ``str(error)`` is one line fit for a terminal, without a traceback.

    Never put a source address in it that has not been through ``pipeline.redact.redact``.
    """

    exit_code = 1

    def __init__(self, *, where: str, wanted: str, got: str, remedy: str) -> None:
        self.where = where
        self.wanted = wanted
        self.got = got
        self.remedy = remedy
        super().__init__(f"{where}: wanted {wanted}, got {got}. {remedy}")


@dataclass(frozen=True)
class Mistake:
    """One wrong key of a configuration: its dotted path, what would be right, what is there."""

    path: str
    wanted: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: wanted {self.wanted}, got {self.got}"


class ConfigError(StreamError, ValueError):
    """A configuration with one or more mistakes; all of them are reported together."""

    exit_code = 2

    def __init__(self, where: str, mistakes: Sequence[Mistake], remedy: str) -> None:
        self.mistakes = tuple(mistakes)
        listing = "; ".join(str(mistake) for mistake in self.mistakes)
        Exception.__init__(self, f"{where}: {listing}. {remedy}")
        self.where, self.remedy = where, remedy
        self.wanted = ", ".join(mistake.wanted for mistake in self.mistakes)
        self.got = ", ".join(mistake.got for mistake in self.mistakes)


class SourceError(StreamError, OSError):
    """A file, camera or address that does not give pictures.

    ``corrupt``: captured frames that were lost behind the last good one.
    """

    exit_code = 3

    def __init__(self, *, where: str, wanted: str, got: str, remedy: str, corrupt: int = 0) -> None:
        self.corrupt = corrupt
        StreamError.__init__(self, where=where, wanted=wanted, got=got, remedy=remedy)

    def __str__(self) -> str:  # OSError would build its own from two arguments
        return str(self.args[0])


class SourceUnavailable(SourceError):
    """Not there now; a live source is tried again with backoff."""


class SourceRejected(SourceUnavailable):
    """There, but it says no: a wrong password or path. Asked again slowly, lest it lock us out."""


class SourceEnded(SourceError):
    """The source stopped before its announced end."""


class UnsupportedMedia(SourceError):
    """There, but nothing in it can be decoded to pictures."""


class StageFailed(StreamError):
    """A stage raised and its restart budget is used up; ``__cause__`` is the reason."""

    exit_code = 4


class DeviceError(StreamError):
    """A compute device that was asked for and is not there."""

    exit_code = 5


class CheckpointMismatch(StreamError, ValueError):
    """A checkpoint that does not belong to the network."""

    exit_code = 6


class UnsafeCheckpoint(CheckpointMismatch):
    """A checkpoint whose loading would run code; nothing of it was run."""


class WeightsError(StreamError):
    """Weights that cannot be found, fetched or trusted."""

    exit_code = 6


class EndpointError(StreamError):
    """A ZeroMQ endpoint that cannot be bound or connected."""

    exit_code = 7


class AccessError(EndpointError):
    """A key that is missing, wrong or not allowed, or that others can read."""


class RecordError(StreamError):
    """A recording that cannot be written any further."""

    exit_code = 8


class TrainingError(StreamError):
    """A training that cannot go on: a loss that is no number, a disk that is full."""

    exit_code = 10


class WireError(StreamError, ValueError):
    """Bytes that are not a message of this protocol."""

    exit_code = 9


class UnsupportedVersion(WireError):
    """A message of another protocol version."""


class Truncated(WireError):
    """A message that lacks parts or fields."""


class ChannelClosed(StreamError):
    """Putting into a channel that was closed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            where=f"channel {name}",
            wanted="an open channel",
            got="one that was closed",
            remedy="Stop producing: the consumer is gone.",
        )
