"""A synchronous client that several threads use: while it is closed, and after a fork."""

import gc
import os
import signal
import threading
from concurrent.futures import CancelledError

import pytest
from sqlalchemy.orm import Session

from lexiclass_core.client import ClientClosed, TaskClient
from lexiclass_core.client.after_commit import send_after_commit
from lexiclass_core.db import SessionFactory
from lexiclass_core.schemas import IndexDocuments
from lexiclass_core.tasks.submission import Submission

WANTED = IndexDocuments(project_id=7)
HANG_S = 20


@pytest.mark.parametrize("way", ["list", "watch"])
def test_closing_a_client_that_threads_use_hangs_none_and_leaves_no_connection(
    database_uri: str, broker_url: str, way: str
) -> None:
    for _ in range(2):
        refusals = _refusals(database_uri, broker_url, way)
        # SQLAlchemy warns of a connection that was left to this.
        gc.collect()
        assert refusals == ["the client was closed: make another one"] * 4


def _refusals(database_uri: str, broker_url: str, way: str) -> list[str | None]:
    """What four threads are told that call while a client is closed."""
    client = TaskClient(database_uri=database_uri, broker_url=broker_url)
    callers = [_Caller(client, client.submit(WANTED).id, way) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.has_called.wait()
    client.close()
    for caller in callers:
        caller.join(HANG_S)
    return [caller.refusal for caller in callers]


class _Caller(threading.Thread):
    """Calls until it is refused."""

    def __init__(self, client: TaskClient, task_id: int, way: str) -> None:
        super().__init__(daemon=True)
        self._client, self._task_id, self._way = client, task_id, way
        self.has_called = threading.Event()
        self.refusal: str | None = None

    def run(self) -> None:
        while self.refusal is None:
            try:
                if self._way == "list":
                    self._client.list(limit=1)
                else:
                    next(self._client.watch(self._task_id))
            except CancelledError:
                pass
            except ClientClosed as error:
                self.refusal = str(error)
            self.has_called.set()


def test_threads_of_a_forked_process_share_one_loop(sync_client: TaskClient) -> None:
    sync_client.submit(WANTED)
    is_over = threading.Event()

    def go_on() -> None:
        while not is_over.is_set():
            sync_client.list(limit=1)

    # It may be forked at any moment of a call.
    parents = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in parents:
        thread.start()
    try:
        codes = [os.waitstatus_to_exitcode(os.waitpid(_fork(sync_client), 0)[1]) for _ in range(5)]
    finally:
        is_over.set()
        for thread in parents:
            thread.join()

    assert codes == [0] * 5


def _fork(client: TaskClient) -> int:
    """A process whose threads begin to use the client at once; 0 if all is well."""
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(HANG_S)
    code = 1
    try:
        begin = threading.Barrier(8)
        pages: list[int] = []

        def call() -> None:
            begin.wait()
            pages.append(len(client.list(limit=1).tasks))

        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        names = [thread.name for thread in threading.enumerate()]
        code = 0 if (pages, names.count("lexiclass-task-client")) == ([1] * 8, 1) else 2
    finally:
        os._exit(code)


async def test_a_commit_after_the_client_was_closed_succeeds_and_leaves_the_row_to_be_sent(
    database_uri: str,
    broker_url: str,
    sessions: SessionFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = TaskClient(database_uri=database_uri, broker_url=broker_url)
    async with sessions() as session:
        task = await session.run_sync(lambda own: client.submit(WANTED, session=own))
        client.close()
        await session.commit()
        assert "wait in their rows to be sent: the client was closed" in caplog.text

        # The session can be used as before.
        await session.run_sync(_note_another)
        await session.commit()

    with TaskClient(database_uri=database_uri, broker_url=broker_url) as another:
        assert another.status(task.id).status == "pending"


def _note_another(session: Session) -> None:
    send_after_commit(session, Submission.of(WANTED).envelope, lambda _: None)
