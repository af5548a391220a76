"""Protocol v1: golden bytes, the way back, and what strangers may send."""

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import masks
from pipeline.errors import WireError
from pipeline.frame import Frame, Model
from pipeline.wire import (
    Listener,
    Status,
    Totals,
    Welcome,
    decode,
    decode_header,
    decode_welcome,
    encode,
    encode_body,
    encode_header,
    encode_status,
    encode_welcome,
    topic,
)
from pipeline.wire.counts import decode_counts
from tests.station import ellipse, frame

GOLDEN = Path(__file__).parent / "data" / "wire"
PUBLISHER = "6f1b8f0e-6a52-4d0b-9c56-4f7f0a6f2c11"
JPEG = b"\xff\xd8\xff\xe0 and so on"
Header = dict[str, Any]

STATUS = Status(
    stream="gate-2",
    state="running",
    utc_ns=1_700_000_000_000_000_000,
    epoch=3,
    seq=812,
    reconnects=2,
    fps_in=25.004,
    fps_out=24.5,
    age_ms=(31.25, 44.0625),
    dropped={"stale": 160, "corrupt": 12},
    totals=Totals(2000, 1700, {"stale": 288, "corrupt": 12}),
    messages={"meta": 1700, "annotated": 31, "image": 0},
    model=Model("tiny", "sha256:ab12", ("person", "shape")),
    pictures="tcp://127.0.0.1:5556",
    streams=("gate-2", "yard"),
    delivery="tcp://127.0.0.1:5557",
    lossless=(Listener("indexer", "here", 12),),
)


def golden_frame() -> Frame:
    dropped = {"stale": 160, "corrupt": 12}
    return frame(812, epoch=3, dropped=dropped, pts=27000, clock="rtcp")


@pytest.mark.parametrize("kind", ["meta", "annotated", "image"])
def test_the_bytes_of_a_frame_are_a_promise(kind: Any) -> None:
    made = encode_header(golden_frame(), publisher=PUBLISHER, pseq=640, kind=kind)
    assert made == (GOLDEN / f"{kind}.json").read_bytes()


def test_the_bytes_of_a_status_and_a_welcome_are_a_promise() -> None:
    name, made = encode_status(STATUS, publisher=PUBLISHER, pseq=17)
    assert name == b"v1/gate-2/status/"
    assert made == (GOLDEN / "status.json").read_bytes()
    said = Welcome(PUBLISHER, "tcp://127.0.0.1:5556", "tcp://127.0.0.1:5557")
    welcome = encode_welcome(said)
    assert welcome == (GOLDEN / "welcome.txt").read_bytes()
    assert decode_welcome(welcome) == said


def test_a_header_is_one_line_of_ascii() -> None:
    made = encode_header(frame(0, model=Model("n", "w", ("a\nb", "é", ""))), publisher="p", pseq=0)
    assert made.isascii()
    assert b"\n" not in made
    labels = [instance["label"] for instance in json.loads(made)["instances"]]
    assert labels == ["a\nb", "é", None]


def test_there_and_back_nothing_changes() -> None:
    sent = golden_frame()
    parts = encode(sent, publisher=PUBLISHER, pseq=640, kind="meta")
    message = decode(parts)
    got = message.frame
    assert got is not None
    assert got.instances is not None
    assert sent.instances is not None
    assert (message.kind, message.publisher, message.pseq) == ("meta", PUBLISHER, 640)
    assert (got.stream, got.epoch, got.seq, got.pts) == ("gate-2", 3, 812, 27000)
    assert (got.time_base, got.media_time_s, got.clock) == (Fraction(1, 90000), 0.3, "rtcp")
    assert (got.dropped, got.ended, got.image) == (sent.dropped, (3,), None)
    assert got.model == sent.model
    for i in range(3):
        assert np.array_equal(got.instances.masks.dense(i), sent.instances.masks.dense(i))
    for column in ("boxes", "classes", "track_ids", "states"):
        assert np.array_equal(getattr(got.instances, column), getattr(sent.instances, column))
    assert encode(got, publisher=PUBLISHER, pseq=640, kind="meta") == parts
    assert decode_header(parts[1]).frame is not None


@pytest.mark.parametrize("kind", ["annotated", "image"])
def test_a_picture_comes_with_the_whole_header(kind: Any) -> None:
    sent = golden_frame()
    message = decode(encode(sent, publisher=PUBLISHER, pseq=1, kind=kind, picture=JPEG))
    assert message.frame is not None
    shown = message.frame.canvas if kind == "annotated" else message.frame.image
    assert shown is not None
    assert (shown.format, shown.width, shown.height) == ("jpeg", 64, 48)
    assert shown.planes[0].tobytes() == JPEG
    assert message.frame.instances is not None
    assert len(message.frame.instances) == 3


def test_what_a_frame_lacks_is_null() -> None:
    bare = replace(golden_frame(), instances=None, model=None, pts=None, image=None, canvas=None)
    message = decode(encode(bare, publisher=PUBLISHER, pseq=0, kind="meta"))
    assert message.frame is not None
    assert message.frame.instances is None
    assert message.frame.model is None
    assert message.frame.pts is None
    assert json.loads(message.header)["image"] is None


def test_pixels_that_are_not_square_are_told() -> None:
    sent = golden_frame()
    assert sent.canvas is not None
    wide = replace(sent.canvas, sample_aspect=Fraction(64, 45))
    parts = encode(
        replace(sent, image=wide, canvas=wide),
        publisher="p",
        pseq=0,
        kind="annotated",
        picture=JPEG,
    )
    assert json.loads(parts[1])["image"] == {"width": 64, "height": 48, "sar": [64, 45]}
    got = decode(parts).frame
    assert got is not None
    assert got.canvas is not None
    assert got.canvas.sample_aspect == Fraction(64, 45)


def test_a_status_comes_back() -> None:
    message = decode(encode_status(STATUS, publisher=PUBLISHER, pseq=17))
    assert message.status == replace(STATUS, fps_in=25.0, age_ms=(31.25, 44.062))
    waiting = Status("yard", "waiting", 1)
    assert decode(encode_status(waiting, publisher=PUBLISHER, pseq=0)).status == waiting


def test_one_body_serves_all_kinds() -> None:
    sent = golden_frame()
    body = encode_body(sent)
    for kind in ("meta", "annotated"):
        alone = encode_header(sent, publisher="p", pseq=4, kind=kind)
        assert alone == encode_header(sent, publisher="p", pseq=4, kind=kind, body=body)


def test_numbers_that_are_none_are_not_sent() -> None:
    sent = golden_frame()
    assert sent.instances is not None
    scores = np.array([np.nan, 0, 0], np.float32)
    broken = replace(sent, instances=replace(sent.instances, scores=scores))
    with pytest.raises(WireError, match="wanted finite numbers"):
        encode_header(broken, publisher="p", pseq=0)


@pytest.mark.parametrize("name", ["", "a/b", "a\nb", "x" * 256, "\udc80"])
def test_a_stream_with_a_name_that_breaks_topics_is_refused(name: str) -> None:
    with pytest.raises(WireError, match="stream name"):
        topic(name, "meta")


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_read_as_pycocotools_reads_them(seed: int) -> None:
    random_numbers = np.random.default_rng(seed)
    height, width = random_numbers.integers(1, 300, 2).tolist()
    mask = random_numbers.random((height, width)) < random_numbers.choice([0, 0.003, 0.5, 1])
    for bits in (mask, ellipse(height, width), np.zeros((height, width), np.bool_)):
        counts = masks.encode(bits)["counts"]
        assert isinstance(counts, bytes)
        assert np.array_equal(decode_counts(counts.decode(), height, width, "test"), bits)


def test_the_floor_stands_on_three_packages() -> None:
    heavy = "{'torch', 'av', 'pydantic', 'cv2', 'scipy', 'rich', 'typer'}"
    code = f"import sys, pipeline.client, pipeline.watch; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
