"""Pictures are encoded beside the records, newest first, and none is kept that may be lost."""

import threading
import time

import cv2
import numpy as np
import pytest

from pipeline.demand import Demand
from pipeline.frame import Image
from stages.publishing.encoder import Encoder, Job
from tests.station import frame, picture

PICTURES = b"v1/"


def encoder() -> tuple[Encoder, Demand]:
    demand = Demand()
    demand.add(PICTURES, ("annotated", "image"))
    return Encoder(demand, quality=80), demand


def job(seq: int, image: Image | None = None, stream: str = "gate-2") -> Job:
    return Job(frame(seq, stream), "annotated", image or picture(), "{}")


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_nobody_who_wants_pictures_costs_no_thread() -> None:
    jpegs, _ = encoder()
    assert not jpegs.busy
    assert jpegs.done() == []
    jpegs.close()
    assert "maskstream-jpeg" not in names()


def test_the_newest_waits_and_those_before_give_way() -> None:
    jpegs, _ = encoder()
    large = picture(2160, 3840)
    for seq in range(10):
        jpegs.put(job(seq, large))
    jpegs.put(job(0, large, "yard"))
    assert jpegs.has("gate-2", "annotated")
    assert not jpegs.has("gate-2", "image")
    jpegs.finish()
    got = [(done.frame.stream, done.frame.seq) for done, _ in jpegs.done()]
    assert ("gate-2", 9) in got
    assert got[-1] == ("yard", 0)
    assert len(got) + jpegs.passed_over == 11
    assert jpegs.passed_over > 0
    assert not jpegs.busy
    jpegs.close()


def test_nothing_is_encoded_that_nobody_wants_any_more() -> None:
    jpegs, demand = encoder()
    demand.remove(PICTURES, ("annotated", "image"))
    jpegs.put(job(0))
    jpegs.finish()
    assert jpegs.done() == []
    jpegs.close()


def test_a_picture_that_cannot_be_encoded_is_the_stages_failure_and_it_can_begin_again() -> None:
    jpegs, _ = encoder()
    jpegs.put(job(0, Image.from_bgr(np.zeros((0, 0, 3), np.uint8))))
    jpegs.finish()
    with pytest.raises(cv2.error):
        jpegs.done()
    jpegs.close()
    jpegs.put(job(1))
    jpegs.finish()
    ((done, jpeg),) = jpegs.done()
    assert done.frame.seq == 1
    assert jpeg[:2] == b"\xff\xd8"
    jpegs.close()


def test_a_large_picture_holds_nobody_up_who_puts_it() -> None:
    jpegs, _ = encoder()
    large = picture(4320, 7680)
    began = time.monotonic()
    jpegs.put(job(0, large))
    put_s = time.monotonic() - began
    jpegs.finish()
    assert put_s < (time.monotonic() - began) / 2
    jpegs.close()
