"""A task client whose Redis takes connections and does not answer."""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lexiclass_core.client import AsyncTaskClient, messages, sending
from lexiclass_core.schemas import IndexDocuments

WANTED = IndexDocuments(project_id=7)


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """What listens and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        listening.setblocking(False)
        yield listening


def connections(hanging: socket.socket) -> int:
    """How many connections were made since this was asked last."""
    number = 0
    try:
        while True:
            hanging.accept()[0].close()
            number += 1
    except BlockingIOError:
        return number


async def test_rows_are_written_and_one_send_is_tried_whose_thread_is_the_clients_own(
    database_uri: str, hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_ANSWER_TIMEOUT_S", 2.0)
    monkeypatch.setattr(sending, "_PAUSE_S", 3_600.0)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    broker_url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        submitting = [asyncio.create_task(client.submit(WANTED)) for _ in range(8)]
        while len((await client.list()).tasks) < len(submitting):
            await asyncio.sleep(0)
        # The program's own threads are free meanwhile.
        await asyncio.to_thread(lambda: None)
        assert not any(each.done() for each in submitting)

        tasks = await asyncio.gather(*submitting)
        assert {task.status for task in tasks} == {"pending"}
        await client.submit(WANTED)
        assert connections(hanging) == 1


@pytest.mark.slow
async def test_after_the_pause_one_is_tried_and_nobody_else_waits(
    database_uri: str, hanging: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_ANSWER_TIMEOUT_S", 1.0)
    monkeypatch.setattr(sending, "_PAUSE_S", 0.0)
    broker_url = f"redis://127.0.0.1:{hanging.getsockname()[1]}/0"
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        await client.submit(WANTED)
        assert connections(hanging) == 1
        # It is over.
        monkeypatch.setattr(sending, "_PAUSE_S", 3_600.0)

        await asyncio.gather(*(client.submit(WANTED) for _ in range(4)))

        assert connections(hanging) == 1
