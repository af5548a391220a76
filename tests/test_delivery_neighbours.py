"""On the delivery socket nobody is another's problem: stuck ones, stopped ones, rude ones, gone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from pipeline.client import Subscriber
from pipeline.frame import Image
from stages.publish import PublishSettings
from tests.proxy import BadLine
from tests.station import ANY_PORT, Station, frame

ROOT = Path(__file__).parents[1]

BAD = """
import json, os, sys, time, zmq
context = zmq.Context()
endpoint, what = sys.argv[1:]
hello = {"v": 1, "kind": "hello", "mode": "credit", "streams": None, "credit": 64,
         "kinds": ["meta", "annotated", "image"]}

def ask(sock):
    sock.linger = 0
    sock.connect(endpoint)
    sock.send_string(json.dumps(hello))

if what == "stuck":  # pings and never reads
    sock = context.socket(zmq.DEALER)
    sock.rcvhwm = 1
    ask(sock)
    print("here", flush=True)
    while True:
        time.sleep(1)
        sock.send(b'{"v":1,"kind":"ping"}')
elif what == "rude":
    sock = context.socket(zmq.DEALER)
    ask(sock)
    print("here", flush=True)
    rubbish = [os.urandom(4000), b"[" * 4000, b'{"v":1,"kind":"ack","number":5}',
               json.dumps(hello).encode(), b'{"v":1,"kind":"ping"}']
    while True:
        for each in rubbish:
            sock.send(each)
        while sock.poll(0):
            sock.recv_multipart()
else:  # comes and goes
    print("here", flush=True)
    while True:
        sock = context.socket(zmq.DEALER)
        ask(sock)
        time.sleep(0.01)
        sock.close()
"""


@contextmanager
def bad(endpoint: str, what: str) -> Iterator[int]:
    """A bad neighbour in a process of its own; its id."""
    command = [sys.executable, "-c", BAD, endpoint, what]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "here\n"
        yield program.pid
    finally:
        program.kill()
        program.communicate()


def noise() -> Image:
    """A picture that does not compress, so that connections are soon full."""
    pixels = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    return Image.from_bgr(pixels)


def test_the_stuck_the_stopped_and_the_rude_change_nobody_elses_rate_or_age() -> None:
    settings = PublishSettings(endpoint=ANY_PORT, linger_s=0)
    with Station(settings) as station, ExitStack() as stack:
        good = [
            stack.enter_context(Subscriber(station.endpoint, mode="credit", credit=4))
            for _ in range(4)
        ]
        station.wait_for("meta")
        time.sleep(1)
        alone = watched(station, good, epoch=0)
        names = ("stuck", "stuck", "rude", "restless")
        at = station.stage.delivery_endpoint
        programs = [stack.enter_context(bad(at, name)) for name in names]
        os.kill(programs[1], signal.SIGSTOP)
        beset = watched(station, good, epoch=1)
    assert alone.received >= 0.95
    assert beset.received >= 0.95 * alone.received
    assert beset.age_p50_s < alone.age_p50_s + 0.05


class Seen:
    """What share of the frames the good ones got, and how old they were."""

    def __init__(self, ages_s: list[float], wanted: int) -> None:
        self.received = len(ages_s) / wanted
        self.age_p50_s = sorted(ages_s)[len(ages_s) // 2]


def watched(station: Station, good: list[Subscriber], epoch: int, frames: int = 75) -> Seen:
    ages_s: list[float] = []
    picture = noise()

    def take(subscriber: Subscriber) -> None:
        while (message := subscriber.take(2)) is not None:
            assert message.frame is not None
            ages_s.append(time.monotonic() - message.frame.stages_ms["born_s"])

    threads = [threading.Thread(target=take, args=(subscriber,)) for subscriber in good]
    for thread in threads:
        thread.start()
    for i in range(frames):
        born = {"born_s": time.monotonic()}
        station.put(frame(i, epoch=epoch, stages_ms=born, image=picture, canvas=picture))
        time.sleep(1 / 30)
    for thread in threads:
        thread.join()
    return Seen(ages_s, frames * len(good))


def test_those_who_left_without_a_word_are_forgotten() -> None:
    with Station() as station:
        with bad(station.stage.delivery_endpoint, "stuck"):
            station.wait_for("annotated")
        begun = time.monotonic()
        station.wait_for("annotated", wanted=False)
        assert time.monotonic() - begun < 9


def test_a_half_open_line_is_noticed_by_both_sides() -> None:
    with Station() as station:
        port = int(station.stage.delivery_endpoint.rpartition(":")[2])
        with (
            BadLine(port) as line,
            Subscriber(station.endpoint, mode="credit", delivery=line.endpoint) as subscriber,
        ):
            station.wait_for("meta")
            station.put(frame(0))
            assert subscriber.take(10) is not None
            assert line.connections == 1  # the publisher's welcome is no reason to connect anew
            line.forget()
            line.refusing = True  # or the subscriber may be back before the publisher misses him
            begun = time.monotonic()
            station.put(frame(1))
            station.wait_for("meta", wanted=False)
            assert time.monotonic() - begun < 9
            line.refusing = False
            station.wait_for("meta")
            assert time.monotonic() - begun < 10
            station.put(frame(2))
            again = subscriber.take(10)
            assert again is not None
            assert again.pseq == 2
            counts = subscriber.statistics().kinds["gate-2", "meta"]
    assert (counts.captured, counts.received, counts.passed_over, counts.lost) == (3, 2, 0, 1)


def test_another_publisher_is_asked_anew() -> None:
    with Station() as first:
        subscriber = Subscriber(first.endpoint, mode="credit", until_end=False)
        first.wait_for("meta")
        first.put(frame(0))
        assert subscriber.take(10) is not None
        endpoint = first.endpoint
    with Station(PublishSettings(endpoint=endpoint)) as second, subscriber:
        second.wait_for("meta")
        second.put(frame(5))
        message = subscriber.take(10)
        assert message is not None
        assert (message.publisher, message.pseq) == (second.stage.publisher, 0)
        assert subscriber.statistics().restarts == 1
    counts = subscriber.statistics().kinds["gate-2", "meta"]
    assert (counts.captured, counts.received, counts.lost) == (2, 2, 0)
