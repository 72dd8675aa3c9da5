"""Work that is stopped for a reason."""

import asyncio

import pytest

from lexiclass_worker.execution.interruption import Interruption


class Reason(Exception):
    """Why."""


async def test_work_that_is_stopped_ends_with_the_reason() -> None:
    interruption, was_cancelled = Interruption(), []

    async def work() -> None:
        async with interruption:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                was_cancelled.append(interruption.reason)
                raise

    asyncio.get_running_loop().call_later(0.01, interruption.stop, Reason("enough"))
    with pytest.raises(Reason, match="enough") as raised:
        await work()

    assert was_cancelled == [raised.value]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_the_first_reason_counts() -> None:
    async def work() -> None:
        async with Interruption() as interruption:
            interruption.stop(Reason("first"))
            interruption.stop(Reason("second"))
            await asyncio.sleep(60)

    with pytest.raises(Reason, match="first"):
        await work()


async def test_work_that_is_not_running_cannot_be_stopped() -> None:
    interruption = Interruption()
    interruption.stop(Reason("too early"))
    async with interruption:
        await asyncio.sleep(0)
    interruption.stop(Reason("too late"))

    await asyncio.sleep(0)
    assert interruption.reason is None


async def test_a_stop_that_comes_with_the_last_step_hits_nothing_afterwards() -> None:
    interruption = Interruption()
    with pytest.raises(Reason):
        async with interruption:
            interruption.stop(Reason("at the end"))

    await asyncio.sleep(0.01)  # would be cancelled if anything were left


async def test_a_cancellation_from_elsewhere_goes_on_as_it_is() -> None:
    interruption, began = Interruption(), asyncio.Event()

    async def work() -> None:
        async with interruption:
            began.set()
            await asyncio.sleep(60)

    for stop_too in (False, True):
        interruption = Interruption()
        began.clear()
        task = asyncio.create_task(work())
        await began.wait()
        if stop_too:
            interruption.stop(Reason("as well"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_of_the_work_itself_is_raised_as_it_is() -> None:
    async def work() -> None:
        async with Interruption() as interruption:
            interruption.stop(Reason("unheard"))
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        await work()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
