"""A synthetic scene as a source: a file that is rendered, or a camera that looks at one."""

import threading
from collections.abc import Generator
from fractions import Fraction
from urllib.parse import parse_qsl, urlencode

from pipeline.clock import Clock
from pipeline.errors import ConfigError, Mistake
from pipeline.frame import Frame, Image
from stages.learning.moving import Scene
from stages.learning.scenes import scene_of

from .timeline import Timeline

ANSWERS = {"1": True, "true": True, "0": False, "false": False}


def split_live(address: str) -> tuple[str, bool]:
    """The address without its ``live`` option, and whether that was set.

    :raises ConfigError: when it is neither 0 nor 1.
    """
    name, question, query = address.partition("?")
    options = parse_qsl(query, keep_blank_values=True)
    said = [value.lower() for key, value in options if key == "live"]
    if any(value not in ANSWERS for value in said):
        mistake = Mistake("live", "0 or 1", said[0] or "nothing")
        raise ConfigError(name, [mistake], "Correct the address of the source.")
    others = urlencode([option for option in options if option[0] != "live"])
    return name + (question and others and f"?{others}"), bool(said) and ANSWERS[said[-1]]


def scene_at(address: str) -> Scene:
    """The scene of a source address.

    :raises ConfigError: for an unknown scene or a wrong option.
    """
    return scene_of(split_live(address)[0])


def rendered(
    stream: str, scene: Scene, clock: Clock, stop: threading.Event, *, live: bool
) -> Generator[Frame, None, None]:
    """Every picture of ``scene``; live, none before its time, late ones as soon as they can be."""
    timeline = Timeline(stream, 1 / Fraction(scene.fps).limit_denominator(1001), clock, live=live)
    began_ns = clock.now_ns()
    for index in range(scene.frames):
        early_s = index / scene.fps - (clock.now_ns() - began_ns) / 1e9
        if live and early_s > 0:
            clock.wait(stop, early_s)
        if stop.is_set():
            return
        picture, _ = scene.render(index)
        yield timeline.frame(Image.from_bgr(picture), index, clock.now_ns())
