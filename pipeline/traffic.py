"""What a publisher has sent, to how many, and what it kept back, at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Traffic:
    """Counted by the publisher in its own thread, read by anybody. Counts only grow.

    ``messages``: by stream and kind. ``subscriptions``: different topics that somebody asked for,
    by kind. By mode of delivery (latest, credit, lossless): ``subscribers``: who is here;
    ``waiting``: messages that are kept for them; ``skipped``: messages that gave way to newer ones
    (credit) or were given up (lossless), and pictures that gave way before they were encoded
    (encoding). What ``latest`` loses only its subscribers know.
    ``ignored``: messages from subscribers that mean nothing.
    """

    messages: Mapping[tuple[str, str], int] = field(default_factory=dict)
    subscriptions: Mapping[str, int] = field(default_factory=dict)
    subscribers: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    ignored: int = 0
