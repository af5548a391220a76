"""Coverage-guided fuzzing of everything that reads bytes of strangers.

It needs ``atheris``, which the tests do not; what libFuzzer understands goes behind::

    uv run --with atheris==3.0.0 python -m tests.fuzzing -max_total_time=25

Each input begins with what chooses a reader. Readers of JSON are also given whole messages of the
conformance vectors in which the fuzzer has changed some fields, for it would not find a valid one
by itself. Whatever is not understood must raise WireError (EndpointError for addresses).
"""

import base64
import importlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parent / "data" / "wire"
LIMITS = ("-max_len=4096", "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1")
MOST_CHANGES = 6
SIDES_PX = 64


def main() -> None:
    """Fuzz until libFuzzer's own limits, which the command line gives, are reached."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["pipeline"]):
        importlib.import_module("pipeline.wire.delivery")
        importlib.import_module("pipeline.polygons")
    readers = make_readers()

    def one_input(data: bytes) -> None:
        source = atheris.FuzzedDataProvider(data)
        readers[source.ConsumeIntInRange(0, len(readers) - 1)](source)

    atheris.Setup([sys.argv[0], *LIMITS, *sys.argv[1:]], one_input)
    atheris.Fuzz()


def make_readers() -> list[Callable[[Any], None]]:
    """What takes bytes from a socket, each fed from a FuzzedDataProvider."""
    from pipeline import errors, wire  # noqa: PLC0415 - after atheris has hooked the import
    from pipeline.polygons import filled, outlines  # noqa: PLC0415
    from pipeline.wire import counts, delivery, endpoints  # noqa: PLC0415

    seeds = _messages()

    def parts(source: Any) -> None:
        some = [source.ConsumeBytes(source.ConsumeIntInRange(0, 200)) for _ in range(3)]
        with suppress(errors.WireError):
            wire.decode(some[: source.ConsumeIntInRange(0, 3)])

    def spoiled(source: Any) -> None:
        topic, text, *more = seeds[source.ConsumeIntInRange(0, len(seeds) - 1)]
        header = json.loads(text)
        for _ in range(source.ConsumeIntInRange(1, MOST_CHANGES)):
            _spoil(header, source)
        with suppress(errors.WireError):
            message = wire.decode([topic, json.dumps(header).encode(), *more])
            if message.frame is not None:
                wire.encode(message.frame, publisher="p", pseq=0, kind="meta")

    def runs(source: Any) -> None:
        height, width = (source.ConsumeIntInRange(0, SIDES_PX) for _ in range(2))
        text = source.ConsumeUnicode(200)
        with suppress(errors.WireError):
            bits = counts.decode_counts(text, height, width, "fuzz")
            assert bits.shape == (height, width)
            assert (filled(outlines(bits), height, width) == bits).all()

    def sayings(source: Any) -> None:
        data = source.ConsumeBytes(4096)
        for read in (delivery.decode_request, delivery.decode_answer, wire.decode_welcome):
            with suppress(errors.WireError):
                read(data)

    def hello(source: Any) -> None:
        said = {"v": 1, "kind": "hello", "mode": "lossless", "streams": ["a"], "kinds": ["meta"]}
        fields: dict[str, Any] = said | {"credit": 1, "name": "n", "after": None}
        for _ in range(source.ConsumeIntInRange(1, MOST_CHANGES)):
            _spoil(fields, source)
        with suppress(errors.WireError):
            delivery.decode_request(json.dumps(fields).encode())

    def addresses(source: Any) -> None:
        text = source.PickValueInList(["", "tcp://", "ipc://", "tcp://[::1"])
        with suppress(errors.EndpointError):
            endpoints.parse_endpoint(text + source.ConsumeUnicode(120), "fuzz")

    return [parts, spoiled, runs, sayings, hello, addresses]


def _messages() -> list[list[bytes]]:
    """The parts of the small conformance vectors that have a topic and a header."""
    lines = (VECTORS / "accepted.jsonl").read_text().splitlines()
    written = [json.loads(line)["parts"] for line in lines if len(line) < 5_000]
    return [[base64.b64decode(part) for part in parts] for parts in written if len(parts) > 1]


def _spoil(header: Any, source: Any) -> None:
    """Put something else in one place of a JSON object."""
    place, key = header, None
    while isinstance(place, dict | list) and place:
        parent = place
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = source.PickValueInList(keys)
        place = parent[key]
        if source.ConsumeIntInRange(0, 2) == 0:
            break
    if key is not None:
        parent[key] = _value(source)


def _value(source: Any) -> object:
    kind = source.ConsumeIntInRange(0, 8)
    plain: list[object] = [None, True, [], {}, -1, 2**53, 1e308]
    if kind < len(plain):
        return plain[kind]
    return source.ConsumeInt(9) if kind == len(plain) else source.ConsumeUnicode(80)


if __name__ == "__main__":
    main()
