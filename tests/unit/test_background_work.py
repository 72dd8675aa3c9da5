"""Work beside the tasks, which nothing ends but the end of the process."""

import asyncio

import pytest

from lexiclass_core.background import end
from lexiclass_worker.middleware import background
from lexiclass_worker.middleware.background import BackgroundWork


class Stumbling(BackgroundWork):
    """Fails as no one has foreseen, and then does its work."""

    def __init__(self) -> None:
        super().__init__()
        self.times = 0
        self.done = asyncio.Event()

    async def work(self) -> None:
        self.times += 1
        if self.times < 3:
            raise LookupError("of a library")
        self.done.set()
        await asyncio.Event().wait()


async def test_it_begins_again_after_an_exception_that_nobody_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "_PAUSE_S", 0.01)
    stumbling = Stumbling()
    task = await stumbling._begin()
    await asyncio.wait_for(stumbling.done.wait(), 5)
    assert (stumbling.times, task.done()) == (3, False)
    await end(task)
    assert task.cancelled()


class Deaf(BackgroundWork):
    """Takes its first cancellations for a database that is away, as a library tells them."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.begun = asyncio.Event()

    async def work(self) -> None:
        while True:
            self.begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.times -= 1
                if self.times < 0:
                    raise


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_it_ends_although_cancellations_get_lost(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass_core.background._CANCEL_AGAIN_S", 0.01)
    deaf = Deaf(times)
    task = await deaf._begin()
    await asyncio.wait_for(deaf.begun.wait(), 5)

    await asyncio.wait_for(end(task), 20)

    assert task.cancelled()
