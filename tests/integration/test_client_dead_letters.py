"""``client.dead_letters`` on a real Redis and a real PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from lexiclass_core.client import (
    AsyncTaskClient,
    BrokerUnavailable,
    DeadLetterSelection,
    TaskClient,
)
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import IndexDocuments
from tests.integration.test_cli_dead_letters import give_up
from tests.support.workers import RawSender

ALL = DeadLetterSelection()


@pytest.fixture
def client(database_uri: str, broker_url: str) -> Iterator[TaskClient]:
    with TaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


def test_dead_letters_are_found_submitted_once_more_and_gone(
    client: TaskClient, sender: RawSender
) -> None:
    task = client.submit(IndexDocuments(project_id=7), priority=3)
    key = give_up(sender, "indexing")
    (dead,) = client.dead_letters.list()
    assert (dead.letter.key, dead.type, dead.refusal) == (key, "index_documents", None)
    assert dead.task is not None
    assert dead.task.id == task.id
    (planned,) = client.dead_letters.replay(ALL, dry_run=True)
    assert planned.new_task_id is None
    (done,) = client.dead_letters.replay(ALL)
    assert done.new_task_id is not None
    new = client.status(done.new_task_id)
    assert (new.request, new.priority) == (task.request, 3)
    assert not client.dead_letters.list()


def test_one_with_a_long_correlation_id_is_submitted_once_more(
    client: TaskClient, sender: RawSender
) -> None:
    sender.send("index_documents", options={"correlation_id": "c" * 600}, project_id=7)
    give_up(sender, "indexing")

    (done,) = client.dead_letters.replay(ALL)

    assert done.new_task_id is not None
    assert client.status(done.new_task_id).correlation_id == "c" * 500


def test_a_selection_means_those_that_fit_all_of_it(client: TaskClient, sender: RawSender) -> None:
    for _ in range(3):
        client.submit(IndexDocuments(project_id=7))
        give_up(sender, "indexing")
    newest, second, oldest = client.dead_letters.list()
    assert client.dead_letters.list(limit=1) == [newest]
    assert not client.dead_letters.list(DeadLetterSelection(queue=QueueName.TRAINING))
    assert not client.dead_letters.list(DeadLetterSelection(older_than=timedelta(hours=1)))
    some = DeadLetterSelection(keys=[oldest.letter.key], queue=QueueName.INDEXING)
    (done,) = client.dead_letters.purge(some)
    assert (done.dead, done.done) == (oldest, "removed")
    assert client.dead_letters.list() == [newest, second]


async def test_a_broker_that_does_not_answer_is_named(database_uri: str) -> None:
    async with AsyncTaskClient(
        database_uri=database_uri, broker_url="redis://127.0.0.1:1/0"
    ) as client:
        with pytest.raises(BrokerUnavailable, match="did not answer"):
            await client.dead_letters.list()
