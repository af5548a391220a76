"""Behind a locked door messages come on request too, also to programs of asyncio."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pipeline.client import AsyncSubscriber
from tests.locked import House
from tests.station import Station, frame

COUNT = 20


@pytest.mark.parametrize(
    "asked", [{"mode": "credit", "credit": 64}, {"mode": "lossless", "name": "indexer"}]
)
def test_all_comes_on_request_through_a_locked_door(tmp_path: Path, asked: dict[str, Any]) -> None:
    house = House(tmp_path)
    keys: dict[str, Any] = {
        "keys": house.guest("ann"),
        "server_key": house.server_key,
        "timeout_s": 10.0,
    }
    expected = ("indexer",) if asked["mode"] == "lossless" else ()

    async def listen() -> list[int]:
        seen = []
        async with AsyncSubscriber(station.endpoint, **keys, **asked) as subscriber:
            await asyncio.to_thread(station.wait_for, "meta")
            station.put(*(frame(i) for i in range(COUNT)))
            ending = asyncio.create_task(asyncio.to_thread(station.end))
            async for each in subscriber:
                seen.append(each.seq)
            await ending
            assert subscriber.statistics().kinds["gate-2", "meta"].lost == 0
        return seen

    with Station(house.settings(lossless=expected)) as station:
        assert asyncio.run(listen()) == list(range(COUNT))
