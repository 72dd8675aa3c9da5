"""A user of Redis who may use the keys and commands that the documentation lists, and no others."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from dramatiq import Message
from dramatiq.results import ResultMissing
from dramatiq.results.backends import RedisBackend
from redis.exceptions import NoPermissionError

from lexiclass_core.addresses import RedisAddress
from lexiclass_core.addresses.redis_clients import open_redis
from lexiclass_core.client.live import LiveFeed
from lexiclass_core.client.messages import Sender
from lexiclass_core.envelope import Envelope
from lexiclass_core.events import TaskEvent
from lexiclass_core.models import TaskStatus
from lexiclass_core.queue_config import QueueName
from lexiclass_core.queueing.entries import EntryRules, queue_of_actor
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.live_events import LiveEvents
from lexiclass_worker.middleware.results import NamedResults
from lexiclass_worker.queueing.order import QueueOrder
from lexiclass_worker.setting_groups import DramatiqSettings
from lexiclass_worker.telemetry.checks.broker import check_redis
from lexiclass_worker.telemetry.queues import QueueSource
from tests.support.house import open_house
from tests.support.workers import RawSender

RULE = re.search(
    r"^ACL SETUSER lexiclass (.*)$",
    (Path(__file__).parents[2] / "docs" / "CONNECTIONS.md").read_text(),
    re.MULTILINE,
)


@pytest.fixture
def limited_url(broker_url: str) -> Iterator[str]:
    """The broker's URL for the user that the documentation makes."""
    assert RULE is not None
    name, password = f"limited-{uuid.uuid4().hex}", "p@ss/w#rd"
    rules = [f">{password}" if rule == ">password" else rule for rule in RULE[1].split()]
    with open_redis(broker_url) as admin:
        admin.execute_command("ACL", "SETUSER", name, *rules)
        server = RedisAddress.parse(broker_url).hosts[0]
        yield f"redis://{name}:{quote(password, safe='')}@{server.name}:{server.port}/0"
        admin.execute_command("ACL", "DELUSER", name)


def result_message() -> Message[object]:
    return Message(queue_name="indexing", actor_name="index", args=(), kwargs={}, options={})


async def test_queues_events_and_results_need_no_more_than_is_documented(
    limited_url: str,
) -> None:
    sender = Sender(limited_url, "dramatiq")
    envelope = Envelope(
        message_id="m", actor_name="index_documents", queue="indexing", kwargs={}, correlation_id=""
    )
    sender.send(envelope)
    sender.close()
    with open_redis(limited_url) as client:
        order = QueueOrder(
            client, "dramatiq", rules=EntryRules(queue_of=queue_of_actor), priorities={}, limited=[]
        )
        assert len(order.take("indexing", "worker", most=1)) == 1
        store = MessageStore(client, "dramatiq")
        assert list(store.dead_letters(QueueName.INDEXING)) == []

        message = result_message()
        for _ in range(2):
            NamedResults(client, "dramatiq-results").store_result(message, {"a": 1}, 1_000)
        named = RedisBackend(client=client, use_namespace_prefix_keys=True)
        assert message.get_result(backend=named) == {"a": 1}

        with pytest.raises(NoPermissionError):
            client.get("another")
    source = QueueSource(DramatiqSettings(broker_url=limited_url))
    assert source.read_states()["indexing"].in_progress == 1
    source._client.close()

    feed, events = LiveFeed(limited_url, "dramatiq"), LiveEvents(limited_url, "dramatiq")
    async with feed.of(1) as news:
        event = TaskEvent(task_id=1, status=TaskStatus.STARTED, progress=3)
        await events.tell(event)
        assert await news.next(20) == event
    await events.close()
    await feed.close()


def test_readiness_is_told_to_such_a_user(limited_url: str) -> None:
    check = check_redis(Settings(dramatiq=DramatiqSettings(broker_url=limited_url)))

    assert check.reason == ""
    assert check.ok


def test_results_are_where_senders_look_by_default_and_under_their_names(broker_url: str) -> None:
    with open_redis(broker_url) as client:
        backend = NamedResults(client, "dramatiq-results")
        done, failed = result_message(), result_message()
        backend.store_result(done, {"a": 1}, 60_000)
        backend.store_exception(failed, ValueError("no"), 60_000)

        for is_named in (False, True):
            look = RedisBackend(url=broker_url, use_namespace_prefix_keys=is_named)
            assert done.get_result(backend=look) == {"a": 1}
            with pytest.raises(Exception, match="no"):
                failed.get_result(backend=look)
            with pytest.raises(ResultMissing):
                result_message().get_result(backend=look)
            look.client.connection_pool.disconnect()


def test_a_redis_that_is_full_keeps_no_result_and_breaks_nothing(broker_url: str) -> None:
    with open_redis(broker_url) as client:
        backend, message = NamedResults(client, "dramatiq-results"), result_message()
        client.config_set("maxmemory", 1)
        try:
            backend.store_result(message, {"a": 1}, 60_000)
        finally:
            client.config_set("maxmemory", 0)

        backend.store_result(message, {"a": 2}, 60_000)
        assert message.get_result(backend=RedisBackend(client=client)) == {"a": 2}


@pytest.mark.slow
def test_all_tasks_run_for_such_a_user(database_uri: str, limited_url: str, tmp_path: Path) -> None:
    settings = {"DRAMATIQ__NAMESPACE": "dramatiq"}
    with open_house(database_uri, limited_url, tmp_path, **settings) as house:
        project = house.project()
        sender = RawSender(limited_url)
        named = RedisBackend(client=sender.broker.client, use_namespace_prefix_keys=True)
        ids = {"project_id": project.project_id, "field_id": project.field_id}
        tasks: dict[str, dict[str, Any]] = {
            "index_documents": {"project_id": project.project_id},
            "train_field_model": ids,
            "evaluate_field_model": ids,
            "predict_field_documents": {**ids, "document_ids": None},
        }
        with house.worker() as group:
            for actor, arguments in tasks.items():
                message = sender.message(actor, message_id=uuid.uuid4().hex, **arguments)
                sender.broker.enqueue(message)
                result = message.get_result(backend=named, block=True, timeout=60_000)
                assert result["status"] == "completed"
        log = Path(group.log).read_text()
        sender.close()
    assert "NoPermission" not in log
    assert "p@ss" not in log
    assert "p%40ss" not in log
