"""Where the publisher binds, and where it refuses to."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.client import Subscriber
from pipeline.demand import Demand
from pipeline.errors import EndpointError
from stages.publish import PublishSettings, PublishStage
from tests.station import ANY_PORT, Station, frame


@pytest.mark.parametrize("endpoint", [
    "tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*", "tcp://eth0:5555", "tcp://192.168.7.7:5555",
    "tcp://example.invalid:5555",
])  # fmt: skip
def test_others_are_let_in_only_when_told(endpoint: str) -> None:
    with pytest.raises(EndpointError, match=r"publish\.insecure=true"):
        PublishStage(PublishSettings(endpoint=endpoint), demand=Demand())
    with pytest.raises(EndpointError, match=r"publish\.pictures: .*publish\.insecure=true"):
        PublishStage(PublishSettings(endpoint=ANY_PORT, pictures=endpoint), demand=Demand())


def test_the_insecure_may_bind_anywhere() -> None:
    settings = PublishSettings(endpoint="tcp://0.0.0.0:*", insecure=True)
    stage = PublishStage(settings, demand=Demand())
    assert stage.endpoint.startswith("tcp://0.0.0.0:")
    stage.close()
    missing = PublishSettings(endpoint="tcp://192.0.2.1:5555", insecure=True)
    with pytest.raises(EndpointError, match="one that this machine does not have"):
        PublishStage(missing, demand=Demand())


@pytest.mark.parametrize("place", ["tcp://0.0.0.0:*", "tcp://[::]:*", "tcp://localhost:*", "ipc"])
def test_subscribers_are_counted_wherever_it_is_bound(tmp_path: Path, place: str) -> None:
    endpoint = f"ipc://{tmp_path}/here" if place == "ipc" else place
    settings = PublishSettings(endpoint=endpoint, insecure=True, status_interval_s=0.05)
    with Station(settings, streams=("gate-2",)) as station:
        near = station.endpoint.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
        with Subscriber(near, kinds=("meta", "image"), timeout_s=20):
            station.wait_for("image")
            deadline = time.monotonic() + 10
            while not (latest := station.stage.traffic().subscribers.get("latest")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert latest == 1


def test_a_port_in_use_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            EndpointError, match=f"wanted {endpoint} .*, got one that is in use"
        ) as e:
            PublishStage(PublishSettings(endpoint=endpoint), demand=Demand())
        assert e.value.exit_code == 7
        assert all((e.value.where, e.value.wanted, e.value.got, e.value.remedy))


def test_a_path_that_cannot_be_is_named_once(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/no/such/x"
    with pytest.raises(EndpointError, match=r"got No such file or directory\. ") as error:
        PublishStage(PublishSettings(endpoint=endpoint), demand=Demand())
    assert str(error.value).count(str(tmp_path)) == 1


@contextmanager
def a_taken_next_port() -> Iterator[int]:
    """A free port, the one after which is in use."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
            try:
                taken = socket.create_server(("127.0.0.1", port + 1))
            except OSError:
                continue
        with taken:
            yield port
        return


def test_a_taken_next_port_is_no_reason_to_stop() -> None:
    with a_taken_next_port() as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        stage = PublishStage(PublishSettings(endpoint=endpoint), demand=Demand())
        assert stage.endpoint == endpoint
        assert stage.pictures_endpoint not in (endpoint, f"tcp://127.0.0.1:{port + 1}")
        stage.close()


@pytest.mark.parametrize(
    "endpoint", ["nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:80x", "ipc://*"]
)
def test_a_bad_endpoint_is_said_so(endpoint: str) -> None:
    with pytest.raises(EndpointError, match=r"^publish\.endpoint: wanted tcp://HOST:PORT"):
        PublishStage(PublishSettings(endpoint=endpoint), demand=Demand())


def test_files_as_endpoints(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/maskstream"
    with Station(PublishSettings(endpoint=endpoint)) as station:
        assert station.stage.pictures_endpoint == f"{endpoint}.pictures"
        with pytest.raises(EndpointError, match="in use"):
            PublishStage(PublishSettings(endpoint=endpoint), demand=Demand())
        with Subscriber(endpoint, kinds=("annotated",), timeout_s=10) as subscriber:
            station.put(frame(0))  # a stream is known from its first frame on
            station.wait_for("annotated")
            station.put(frame(1))
            station.end()
            assert [f.seq for f in subscriber] == [1]
    with pytest.raises(EndpointError, match=r"publish\.endpoint: .*No such file"):
        PublishStage(PublishSettings(endpoint=f"ipc://{tmp_path}/no/where"), demand=Demand())
