"""Addresses that the sockets of this protocol bind and connect: ``tcp://host:port``, ``ipc://path``.

libzmq takes "tcp://127.0.0.1:80x" for port 80 and port 99999 for 34463; here both are errors.
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import EndpointError
from ..redact import redact

_TCP = re.compile(r"tcp://(?P<host>\[[0-9a-fA-F:.]+\]|[^\s:/\[\]@]+):(?P<port>\*|[0-9]{1,5})")
_IPC = re.compile(r"ipc://(?P<path>[^\s*].*)")
LARGEST_PORT = 65_535
LONGEST_SHOWN = 200
LONGEST_PATH_BYTES = 100
"""Of a Unix socket: the kernel's limit is 107, and the pictures' path is a little longer."""


@dataclass(frozen=True)
class Endpoint:
    """One address. ``place``: host or path. ``port`` 0 means any free one, None is for ipc."""

    scheme: Literal["tcp", "ipc"]
    place: str
    port: int | None = None

    def __str__(self) -> str:
        return f"ipc://{self.place}" if self.port is None else f"tcp://{self.place}:{self.port}"

    @property
    def is_ipv6(self) -> bool:
        return self.place.startswith("[")

    @property
    def is_local(self) -> bool:
        """If only this machine can reach it."""
        if self.scheme == "ipc" or self.place == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.place.strip("[]")).is_loopback
        except ValueError:  # a name or a network interface
            return False

    def for_pictures(self) -> "Endpoint":
        """Where the pictures go when nobody says: the next port, the path with .pictures."""
        if self.port is None:
            return replace(self, place=f"{self.place}.pictures")
        next_port = self.port + 1 if 0 < self.port < LARGEST_PORT else 0
        return replace(self, port=next_port)

    def for_delivery(self) -> "Endpoint":
        """Where the delivery socket is when nobody says: two ports on, the path with .delivery."""
        if self.port is None:
            return replace(self, place=f"{self.place}.delivery")
        return self.for_pictures().for_pictures()

    def seen_through(self, records: "Endpoint") -> "Endpoint":
        """This announced address as it is from where ``records`` is the way to the same publisher.

        A publisher on tcp://0.0.0.0 or behind a tunnel cannot know by what name it is reached.
        """
        both_tcp = self.scheme == records.scheme == "tcp"
        return replace(self, place=records.place) if both_tcp else self


def parse_endpoint(address: str, where: str) -> Endpoint:
    """``address`` as an endpoint. ``:*`` and ``:0`` mean any free port.

    :raises EndpointError: when it is none; ``where`` says which setting it came from.
    """
    sound = address if address.isprintable() else ""  # an announcement may have half surrogates
    if tcp := _TCP.fullmatch(sound):
        port = 0 if tcp["port"] == "*" else int(tcp["port"])
        if port <= LARGEST_PORT:
            return Endpoint("tcp", tcp["host"], port)
    ipc = _IPC.fullmatch(sound)
    if ipc and len(ipc["path"].encode()) <= LONGEST_PATH_BYTES:
        return Endpoint("ipc", ipc["path"])
    raise EndpointError(
        where=where,
        wanted="tcp://HOST:PORT with a port up to 65535, or ipc://PATH of up to 100 bytes",
        got=repr(redact(address))
        if len(address) <= LONGEST_SHOWN
        else f"{len(address)} characters",
        remedy="For example tcp://127.0.0.1:5555",
    )
