"""An event loop in a thread of its own, and how it ends."""

import asyncio
import threading
from collections.abc import AsyncGenerator

from lexiclass_core.client.loops import OwnLoop


async def nothing() -> None:
    pass


def test_what_is_cancelled_ends_what_it_has_begun_to_give_back() -> None:
    """As a session of SQLAlchemy does, whose connection is given back by a task of its own."""
    has_begun, is_ending = threading.Event(), asyncio.Event()
    told = []

    async def give_back() -> None:
        has_begun.set()
        try:
            await is_ending.wait()
        except asyncio.CancelledError:
            told.append("was kept")
            raise
        told.append("was given back")

    async def end() -> None:
        is_ending.set()

    async def use() -> None:
        await asyncio.shield(asyncio.create_task(give_back()))

    loop = OwnLoop("a test")
    used = loop.begin(use())
    assert has_begun.wait(20)

    loop.close(end())

    assert told == ["was given back"]
    assert used.cancelled()


def test_a_generator_that_nobody_ends_is_ended_with_the_loop() -> None:
    told = []

    async def watch() -> None:
        async def events() -> AsyncGenerator[int, None]:
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                told.append("ended")

        held.append(events())
        await anext(held[0])

    held: list[AsyncGenerator[int, None]] = []
    loop = OwnLoop("a test")
    loop.run(watch())

    loop.close(nothing())

    assert told == ["ended"]
