"""stages.decode against a real RTSP server: killed, frozen, restarted, guarded by a password."""

import itertools
import logging
import threading
import time
from collections.abc import Iterator
from random import Random

import pytest

from pipeline.clock import SystemClock
from pipeline.errors import SourceRejected, SourceUnavailable
from pipeline.frame import Frame
from stages.decode import Decode, DecodeSettings
from stages.sources.address import parse_sources
from tests.rtsp_camera import RtspCamera

pytestmark = pytest.mark.server


def camera_source(address: str, **settings: object) -> Decode:
    """A source with short times, named gate."""
    quick = {"probe_s": 0.2, "retry_s": 0.1, "retry_most_s": 0.2, "stall_timeout_s": 2.0}
    (spec,) = parse_sources([f"gate={address}"])
    chosen = DecodeSettings.model_validate(quick | settings)
    return Decode(spec, chosen, clock=SystemClock(), random=Random(0))


def assert_account_is_exact(frames: list[Frame]) -> None:
    """In every epoch: seq = how many were delivered before + how many were dropped before."""
    for _, of_epoch in itertools.groupby(frames, lambda frame: frame.epoch):
        for delivered, frame in enumerate(of_epoch):
            assert frame.seq == delivered + sum(frame.dropped.values())


def first_of_epoch(frames: Iterator[Frame], epoch: int) -> Frame:
    return next(frame for frame in frames if frame.epoch >= epoch)


def test_pictures_come_with_times_and_a_number() -> None:
    with RtspCamera() as camera:
        stop = threading.Event()
        frames = list(itertools.islice(camera_source(camera.address).run(stop), 20))
    assert {frame.stream for frame in frames} == {"gate"}
    assert {frame.epoch for frame in frames} == {0}
    assert_account_is_exact(frames)
    times = [frame.media_time_s for frame in frames if frame.media_time_s is not None]
    assert len(times) == 20
    assert times == sorted(set(times))
    image = frames[0].image
    assert image is not None
    assert (image.format, image.width, image.height) == ("yuv420p", 64, 48)


def test_pictures_come_over_udp_too() -> None:
    with RtspCamera() as camera:
        frames = camera_source(camera.address, rtsp_transport="udp").run(threading.Event())
        assert_account_is_exact(list(itertools.islice(frames, 5)))


def test_the_camera_tells_the_time() -> None:
    with RtspCamera() as camera:
        frames = camera_source(camera.address).run(threading.Event())
        told = next(frame for frame in frames if frame.clock == "rtcp")
        age_s = (time.time_ns() - told.captured_utc_ns) / 1e9
    assert abs(age_s) < 5  # the same machine: the same clock, and little under way


def test_a_camera_that_is_killed_and_comes_back_has_a_new_epoch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "maskstream.decode")
    with RtspCamera() as camera:
        frames = camera_source(camera.address).run(threading.Event())
        assert next(frames).epoch == 0
        camera.kill()
        restart = threading.Timer(0.5, camera.start)
        restart.start()
        again = first_of_epoch(frames, 1)
        restart.join()
    assert (again.epoch, again.seq - sum(again.dropped.values())) == (1, 0)
    said = [record.getMessage() for record in caplog.records]
    assert sum("pictures are coming" in line for line in said) == 2
    assert sum("trying again" in line for line in said) <= 2  # the loss, and that it is refused


def test_a_frozen_camera_is_noticed_and_taken_up_again() -> None:
    with RtspCamera() as camera:
        frames = camera_source(camera.address, stall_timeout_s=0.5).run(threading.Event())
        assert next(frames).epoch == 0
        camera.freeze()
        thaw = threading.Timer(1.0, camera.thaw)
        thaw.start()
        assert first_of_epoch(frames, 1).epoch == 1
        thaw.join()


def test_a_camera_that_stays_away_is_given_up() -> None:
    with RtspCamera() as camera:
        frames = camera_source(camera.address, give_up_s=0.5).run(threading.Event())
        next(frames)
        camera.kill()
        with pytest.raises(SourceUnavailable, match=r"pictures again within 0\.5 s"):
            list(frames)


def test_a_slow_consumer_loses_pictures_and_knows_how_many() -> None:
    with RtspCamera("--fps", "50") as camera:
        frames = camera_source(camera.address).run(threading.Event())
        taken = []
        for frame in itertools.islice(frames, 5):
            taken.append(frame)
            time.sleep(0.2)
    assert_account_is_exact(taken)
    assert taken[-1].dropped["queue_full"] > 5


def test_a_wrong_password_is_told_without_telling_it() -> None:
    with RtspCamera("--user", "admin", "--password", "right") as camera:
        guarded = camera.address.replace("//", "//admin:hunter2@")
        with pytest.raises(SourceRejected, match="401") as caught:
            next(camera_source(guarded).run(threading.Event()))
    text = str(caught.value) + str(caught.value.__cause__)
    assert "hunter2" not in text
    assert "user:password@" in caught.value.remedy


def test_the_right_password_lets_in() -> None:
    with RtspCamera("--user", "admin", "--password", "right") as camera:
        guarded = camera.address.replace("//", "//admin:right@")
        assert next(camera_source(guarded).run(threading.Event())).seq >= 0


def test_a_wrong_path_is_said_to_be_one() -> None:
    with RtspCamera() as camera, pytest.raises(SourceRejected, match="404"):
        next(camera_source(camera.address + "/nothing").run(threading.Event()))


def test_stop_ends_it_at_once() -> None:
    stop = threading.Event()
    with RtspCamera() as camera:
        frames = camera_source(camera.address).run(stop)
        next(frames)
        stop.set()
        assert list(frames) == []
    alive = [thread.name for thread in threading.enumerate() if "capture-gate" in thread.name]
    assert alive == []
