"""What the scripts of the queues cost, in commands that Redis runs, however much waits there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest
from dramatiq.brokers.redis import RedisBroker

from lexiclass_core.queueing.entries import EntryRules, queue_of_actor
from lexiclass_core.queueing.redis_keys import QueueKeys
from lexiclass_worker import queueing
from lexiclass_worker.queueing.order import QueueOrder

TRAIN, EVALUATE = "train_field_model", "evaluate_field_model"
NAMES = QueueKeys("dramatiq", "training")
# Of one take, the index being there: what asks for the figures included.
FEW = 60


@dataclass
class Queue:
    """A queue with its index."""

    url: str
    broker: RedisBroker = field(init=False)

    def __post_init__(self) -> None:
        self.broker = RedisBroker(url=self.url, middleware=[], maintenance_chance=0)
        self.client = self.broker.client
        self.order = QueueOrder(
            self.client,
            NAMES.namespace,
            rules=EntryRules(queue_of=queue_of_actor),
            priorities={TRAIN: 20, EVALUATE: 10},
            limited=[TRAIN],
        )

    def fill(self, names: QueueKeys, number: int, **fields: Callable[[int], Any]) -> None:
        """Put messages on a queue whose fields follow from their number."""
        for first in range(0, number, 1_000):
            pipeline = self.client.pipeline(transaction=False)
            for at in range(first, min(first + 1_000, number)):
                message: dict[str, Any] = {
                    "queue_name": names.queue, "actor_name": EVALUATE, "args": [],
                    "kwargs": {"project_id": 1}, "message_id": f"{at}", "message_timestamp": at,
                    "options": {},
                } | {name: value(at) for name, value in fields.items()}  # fmt: skip
                message["options"]["redis_message_id"] = f"{at}"
                pipeline.hset(names.messages, f"{at}", json.dumps(message))
                pipeline.rpush(names.name, f"{at}")
            pipeline.execute()

    def cost(self, take: Callable[[], object]) -> int:
        """How many commands Redis runs for a take, those of the script included."""
        before = self._commands()
        take()
        return self._commands() - before

    def take(self, most: int = 1, full: tuple[str, ...] = ()) -> list[bytes]:
        taken = self.order.take(NAMES.queue, self.broker.broker_id, most=most, full=full)
        return [message.key for message in taken]

    def take_due(self) -> list[bytes]:
        taken = self.order.take_due(NAMES.delayed.queue, self.broker.broker_id, most=100)
        return [message.key for message in taken]

    def _commands(self) -> int:
        return sum(command["calls"] for command in self.client.info("commandstats").values())


@pytest.fixture
def queue(broker_url: str) -> Iterator[Queue]:
    queue = Queue(broker_url)
    yield queue
    queue.client.connection_pool.disconnect()


SCRIPTS = [each for each in files(queueing).iterdir() if each.name.endswith(".lua")]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_redis_compiles_each_script(queue: Queue, script: Any) -> None:
    assert len(SCRIPTS) == 3
    assert len(queue.client.script_load(script.read_text())) == 40


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_taking_the_first_of_100_000_messages_costs_what_it_costs_of_one(queue: Queue) -> None:
    queue.fill(NAMES, 100_000)
    assert queue.take() == [b"0"]
    costs = [queue.cost(queue.take) for _ in range(20)]
    assert max(costs) < FEW


def test_a_message_that_overtakes_others_costs_one_removal_from_the_midst(queue: Queue) -> None:
    queue.fill(NAMES, 5_000, options=lambda at: {"priority": -1} if at in {2_500, 4_000} else {})
    queue.take(most=0)
    queue.client.config_resetstat()
    assert queue.take(2) == [b"2500", b"4000"]
    assert queue.client.info("commandstats")["cmdstat_lrem"]["calls"] == 2


def test_a_thousand_full_groups_are_passed_over_many_at_a_time(queue: Queue) -> None:
    queue.fill(
        NAMES,
        3_000,
        actor_name=lambda _: TRAIN,
        kwargs=lambda at: {"project_id": at % 1_000},
    )
    full = tuple(f"{TRAIN}/{project}" for project in range(1_000))
    assert queue.take(full=full) == []
    assert queue.cost(lambda: queue.take(full=full)) < FEW
    assert queue.take(full=full[:-1]) == [b"999"]


def test_a_delay_queue_costs_nothing_for_what_is_not_due(queue: Queue) -> None:
    queue.fill(
        NAMES.delayed,
        5_000,
        options=lambda at: {"eta": 1_000 if at == 4_000 else 4_000_000_000_000},
    )
    assert queue.take_due() == [b"4000"]
    assert queue.cost(queue.take_due) < FEW
