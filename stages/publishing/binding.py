"""Binding sockets to addresses, and saying in words why an address cannot be had."""

import errno
import socket
import time

import zmq

from pipeline.errors import EndpointError
from pipeline.wire.endpoints import Endpoint, parse_endpoint

REOPEN_S = 2.0
"""How long a socket may take to be bound again; a few milliseconds do."""
REOPEN_POLL_S = 0.002

EXPOSED = (
    "Lock it with --keys and --allow (docs/SECURITY.md), or take tcp://127.0.0.1:PORT and a "
    "tunnel, or say --insecure (publish.insecure=true) to let everybody in"
)
REASONS = {
    errno.EADDRINUSE: ("one that is in use", "End the other program or take tcp://127.0.0.1:*"),
    errno.EADDRNOTAVAIL: ("one that this machine does not have", "Take tcp://127.0.0.1:PORT"),
    errno.ENODEV: ("one that this machine does not have", "Take tcp://127.0.0.1:PORT"),
}


def checked(address: str, where: str, open_to_all: bool) -> Endpoint:
    """``address`` as an endpoint to bind.

    :raises EndpointError: when it is none, or reaches beyond this machine though it may not.
    """
    endpoint = parse_endpoint(address, where)
    if not endpoint.is_local and not open_to_all:
        raise EndpointError(
            where=where,
            wanted="an address that only this machine reaches, or keys",
            got=f"{endpoint}, which others reach, and nothing is encrypted",
            remedy=EXPOSED,
        )
    return endpoint


def bind(sock: "zmq.Socket[bytes]", wanted: Endpoint, where: str) -> None:
    """Bind, saying why it cannot be done in words.

    :raises EndpointError: then.
    """
    if wanted.scheme == "ipc" and _answers(wanted.place):
        got, remedy = REASONS[errno.EADDRINUSE]
        raise EndpointError(where=where, wanted=_free(wanted), got=got, remedy=remedy)
    name = "127.0.0.1" if wanted.place == "localhost" else wanted.place  # bind resolves no names
    try:
        sock.bind(str(Endpoint(wanted.scheme, name, wanted.port)))
    except zmq.ZMQError as error:
        unknown = (zmq.strerror(error.errno or 0), "Take tcp://127.0.0.1:5555")
        got, remedy = REASONS.get(error.errno or 0, unknown)
        raise EndpointError(where=where, wanted=_free(wanted), got=got, remedy=remedy) from error


def bind_again(sock: "zmq.Socket[bytes]", endpoint: Endpoint) -> None:
    """Bind where it was a moment ago, once libzmq's thread has let go of the address.

    :raises EndpointError: when another program has taken it in this moment.
    """
    give_up = time.monotonic() + REOPEN_S
    while True:
        try:
            return bind(sock, endpoint, "publish")
        except EndpointError:
            if time.monotonic() > give_up:
                raise
        time.sleep(REOPEN_POLL_S)


def _free(wanted: Endpoint) -> str:
    return f"{wanted} to be a free address of this machine"


def _answers(path: str) -> bool:
    """If a program listens on a Unix socket. libzmq would take the path away from it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
