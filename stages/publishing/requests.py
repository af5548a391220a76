"""What comes in on the delivery socket: how it is read, and how much of it in one round."""

from collections.abc import Sequence

from pipeline.errors import WireError
from pipeline.wire.delivery import Ack, Bye, Hello, Ping, Request, decode_request

BUDGET = 500
"""What one round spends at most, so that a flood cannot hold up frames."""
PRICES: dict[type, int] = {Ack: 1, Ping: 1, Hello: 10, Bye: 10}
PRICE_OF_RUBBISH = 10


def read(parts: Sequence[bytes]) -> Request:
    """The request that a message is.

    :raises WireError: when it is none.
    """
    if len(parts) != 1:
        raise rubbish(f"{len(parts)} parts")
    return decode_request(parts[0])


def rubbish(got: str) -> WireError:
    """The error for a request that cannot be meant."""
    return WireError(
        where="request",
        wanted="one part, as docs/PROTOCOL.md says in section 12",
        got=got,
        remedy="Correct the client.",
    )
