"""No message shows what opens a camera."""

import pytest

from pipeline.redact import redact


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://user:secret@host:554/a", "rtsp://…@host:554/a"),
        ("rtsp://user@host", "rtsp://…@host"),
        ("rtsp:/user:secret@host/a", "rtsp:/…@host/a"),
        ("rtsp:user:secret@host/a", "rtsp:…@host/a"),
        ("rtsp://user:sec@ret@host/a", "rtsp://…@host/a"),
        ("rtsp://user:sec/ret@host/a", "rtsp://…@host/a"),
        ("rtsp://user:sec?ret@host/a?b=c", "rtsp://…@host/a?…"),
        ("rtsp://user:sec#ret@host/a", "rtsp://…@host/a"),
        ("rtsp://user:sec'ret@host/a", "rtsp://…@host/a"),
        ("HTTP://user:secret@[::1]:80/a", "HTTP://…@[::1]:80/a"),
        ("http://host/a.mjpg?pwd=secret&x=1", "http://host/a.mjpg?…"),
        ("http://host/#secret", "http://host/#…"),
        (
            "rtsp://10.0.0.1/user=admin&password=secret&channel=1",
            "rtsp://10.0.0.1/user=…&password=…&channel=1",
        ),
        ("rtsp://host/Password=secret/1", "rtsp://host/Password=…/1"),
    ],
)
def test_credentials_go(address: str, shown: str) -> None:
    assert redact(address) == shown
    assert redact(f"{address!r}: refused") == f"'{shown}': refused".replace("'", repr(address)[0])
    assert redact(f"tried {address}, {address}") == f"tried {shown}, {shown}"


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://host:554/cam@1",
        "rtsp://[fe80::1]:554/a@b",
        "tcp://*:5555",
        "synthetic:demo?size=640x360",
        "videos/a b@c.mp4 and file:///tmp/a.mp4: no such file",
        "nobody@example.org",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_every_address_of_a_text_is_looked_at() -> None:
    text = "rtsp://a:b@c/d\nthen (http://e:f@g/h?i=j), end"
    assert redact(text) == "rtsp://…@c/d\nthen (http://…@g/h?…), end"
