"""Work beside the tasks, which nothing ends but the end of the process."""

import asyncio

import pytest

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
    await background._end(task)
    assert task.cancelled()
