"""Addresses: what is one, where pictures go, who reaches it."""

import pytest

from pipeline.errors import EndpointError
from pipeline.wire.endpoints import parse_endpoint


@pytest.mark.parametrize("address", [
    "", "foo", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:80x", "tcp://127.0.0.1:70000",
    "tcp://a b:1", "udp://127.0.0.1:1", "inproc://x", "ipc://", "ipc://*", "ipc:///" + "x" * 200,
    "http://user:secret@host/?key=secret",
])  # fmt: skip
def test_what_is_no_endpoint_is_an_error(address: str) -> None:
    with pytest.raises(EndpointError, match=r"^--publish: wanted .*tcp://127\.0\.0\.1:5555$") as e:
        parse_endpoint(address, "--publish")
    assert "secret" not in str(e.value)


@pytest.mark.parametrize(
    "address", ["ipc://\udcde", "ipc:///tmp/a\0b", "tcp://\ud83d:1", "a" * 16 * 2**20]
)
def test_what_a_publisher_may_announce_does_no_harm(address: str) -> None:
    with pytest.raises(EndpointError) as caught:
        parse_endpoint(address, "announcement")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_endpoints_know_where_the_pictures_are_and_who_reaches_them() -> None:
    records = parse_endpoint("tcp://camera-host:5555", "test")
    assert str(records.for_pictures()) == "tcp://camera-host:5556"
    assert str(parse_endpoint("tcp://0.0.0.0:7", "test").seen_through(records)) == (
        "tcp://camera-host:7"
    )
    assert str(parse_endpoint("ipc:///tmp/a", "test").for_pictures()) == "ipc:///tmp/a.pictures"
    assert parse_endpoint("tcp://127.0.0.1:65535", "test").for_pictures().port == 0
    assert str(records.for_delivery()) == "tcp://camera-host:5557"
    assert str(parse_endpoint("ipc:///tmp/a", "test").for_delivery()) == "ipc:///tmp/a.delivery"
    for address in ("tcp://127.8.9.1:1", "tcp://[::1]:1", "tcp://localhost:1", "ipc:///tmp/a"):
        assert parse_endpoint(address, "test").is_local
    for address in ("tcp://0.0.0.0:1", "tcp://*:1", "tcp://eth0:1", "tcp://[::]:1", "tcp://a:1"):
        assert not parse_endpoint(address, "test").is_local
