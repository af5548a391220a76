"""The asyncio side: the same frames, one thread, and nothing left behind by a cancelled task."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable

import pytest

from pipeline.client import AsyncSubscriber, Subscriber
from pipeline.errors import EndpointError
from tests.station import Station, frame

FRAMES = 200


def receiving() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "maskstream-client"]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def test_all_frames_come_and_the_end() -> None:
    async def listen() -> list[int]:
        seen = []
        async with AsyncSubscriber(station.endpoint, mode="all") as subscriber:
            await until(lambda: station.demand.subscribed("gate-2", "meta"))
            station.put(*(frame(i) for i in range(FRAMES)))
            threads = threading.active_count()
            async for each in subscriber:
                seen.append(each.seq)
                assert threading.active_count() <= threads
                if each.seq == FRAMES - 1:
                    await asyncio.to_thread(station.end)
            assert subscriber.ended
            counts = subscriber.statistics().kinds["gate-2", "meta"]
            assert (counts.received, counts.captured) == (FRAMES, FRAMES)
            assert subscriber.statuses()["gate-2"].state == "ended"
        return seen

    with Station() as station:
        assert asyncio.run(listen()) == list(range(FRAMES))
    assert receiving() == []


def test_other_tasks_have_a_turn_between_messages_that_wait() -> None:
    async def listen() -> list[int]:
        turns = 0
        seen = []

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with AsyncSubscriber(station.endpoint, mode="all") as subscriber:
            await until(lambda: station.demand.subscribed("gate-2", "meta"))
            station.put(*(frame(i) for i in range(10)))
            await asyncio.to_thread(station.end)
            await until(lambda: subscriber.statistics().kinds["gate-2", "meta"].received == 10)
            other = asyncio.create_task(count())
            async for _ in subscriber:
                seen.append(turns)
            other.cancel()
        return seen

    with Station() as station:
        seen = asyncio.run(listen())
    assert len(set(seen)) == len(seen) == 10


def test_other_tasks_go_on_while_nothing_comes() -> None:
    async def listen() -> int:
        turns = 0
        async with AsyncSubscriber(station.endpoint) as subscriber:
            waiting = asyncio.create_task(subscriber.take())
            await until(lambda: station.demand.subscribed("gate-2", "meta"))
            for _ in range(50):
                await asyncio.sleep(0)
                turns += 1
            station.put(frame(0))
            message = await waiting
            assert message is not None
            assert message.frame is not None
            assert await subscriber.take(0.05) is None
        return turns

    with Station() as station:
        assert asyncio.run(listen()) == 50


async def cancelled(work: Awaitable[object]) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.1)
    assert receiving() == ["maskstream-client"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_cancelled_iteration_closes() -> None:
    async def listen() -> None:
        subscriber = AsyncSubscriber(station.endpoint)

        async def iterate() -> None:
            async for _ in subscriber:
                pass

        await cancelled(iterate())
        await until(lambda: receiving() == [])

    with Station() as station:
        asyncio.run(listen())


def test_a_cancelled_take_loses_nothing() -> None:
    async def listen() -> list[int]:
        async with AsyncSubscriber(station.endpoint, mode="all") as subscriber:
            await until(lambda: station.demand.subscribed("gate-2", "meta"))
            await cancelled(subscriber.take())
            seen = []
            for seq in range(20):
                station.put(frame(seq))
                message = None
                while message is None:
                    message = await subscriber.take(0.0005)
                assert message.frame is not None
                seen.append(message.frame.seq)
        return seen

    with Station() as station:
        assert asyncio.run(listen()) == list(range(20))


def test_a_break_closes() -> None:
    async def listen() -> None:
        subscriber = AsyncSubscriber(station.endpoint)
        await until(lambda: station.demand.subscribed("gate-2", "meta"))
        station.put(frame(0))
        async for each in subscriber:
            assert each.seq == 0
            break
        await until(lambda: receiving() == [])

    with Station() as station:
        asyncio.run(listen())


def test_silence_is_an_error_when_a_limit_is_set() -> None:
    async def listen() -> None:
        async for _ in AsyncSubscriber("tcp://127.0.0.1:9", timeout_s=0.3):
            pass

    with pytest.raises(EndpointError, match=r"nothing for 0\.[3-9] s"):
        asyncio.run(listen())
    assert receiving() == []


def test_a_loop_that_is_gone_harms_nobody() -> None:
    with Station() as station:

        async def forget() -> AsyncSubscriber:
            subscriber = AsyncSubscriber(station.endpoint)
            await subscriber.take(0.01)
            return subscriber

        subscriber = asyncio.run(forget())
        station.wait_for("meta")
        station.put(frame(0))

        async def again() -> int:
            message = await subscriber.take(10)
            assert message is not None
            assert message.frame is not None
            await subscriber.aclose()
            return message.frame.seq

        assert asyncio.run(again()) == 0


def test_it_has_what_the_other_has() -> None:
    same = {"take", "messages", "ack", "position", "ended", "statuses", "statistics"}
    for name in same:
        assert hasattr(AsyncSubscriber, name)
        assert hasattr(Subscriber, name)
    first = list(inspect.signature(Subscriber).parameters)[:3]
    assert list(inspect.signature(AsyncSubscriber).parameters)[:3] == first
