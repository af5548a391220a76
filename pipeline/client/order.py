"""What a subscriber asks for on the delivery socket."""

from dataclasses import dataclass

from ..errors import WireError
from ..wire import DELIVERY_MODES, DeliveryMode, Position
from ..wire.delivery import MOST_CREDIT, Hello, decode_request, encode_request
from ..wire.fields import LARGEST, LONGEST_NAME
from .mailbox import Mode
from .sockets import Wanted

CREDIT: dict[DeliveryMode, int] = {"credit": 1, "lossless": 16}
"""Messages on their way when nobody says how many: the newest, or enough to keep the way full."""
LONGEST_AFTER = Position("x" * LONGEST_NAME, LARGEST)


@dataclass(frozen=True)
class Order:
    """How to deliver. ``name`` and ``after`` belong to ``lossless``."""

    mode: DeliveryMode
    credit: int
    name: str = ""
    after: Position | None = None


def order_of(
    mode: Mode | DeliveryMode, credit: int | None, name: str, after: tuple[str, int] | None
) -> Order | None:
    """What is to be asked for; None in the modes that listen to what everybody gets.

    :raises ValueError: for what does not go together.
    """
    if bool(name) != (mode == "lossless"):
        raise ValueError(f"mode lossless, and no other, needs a name; got {name!r}")
    if after is not None and mode != "lossless":
        raise ValueError("resume_after is for mode lossless")
    if mode not in DELIVERY_MODES:
        return None
    most = CREDIT[mode] if credit is None else credit
    if not 1 <= most <= MOST_CREDIT:
        raise ValueError(f"credit must be from 1 to {MOST_CREDIT}, got {most}")
    return Order(mode, most, name, Position(*after) if after else None)


def hello_of(wanted: Wanted, order: Order, after: Position | None) -> Hello:
    """The request for it, by who has everything up to ``after``."""
    after = after if order.mode == "lossless" else None
    return Hello(order.mode, wanted.kinds, order.credit, wanted.streams, order.name, after)


def check(wanted: Wanted, order: Order) -> None:
    """See that a publisher will understand the hello, also later, when it says how far we are.

    :raises ValueError: when not: he would cut the connection each time, or refuse it.
    """
    try:
        decode_request(encode_request(hello_of(wanted, order, order.after or LONGEST_AFTER)))
    except WireError as error:
        told = f"{error.where} must be {error.wanted}, got {error.got}"
        raise ValueError(f"no publisher takes this request: {told}") from error
