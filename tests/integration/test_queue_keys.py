"""Keys of a queue in Redis that hold what they must not: a worker's consumers mend them."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.common import current_millis
from dramatiq.errors import ConnectionClosed

from lexiclass_core.queueing.entries import EntryRules
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_core.queueing.redis_keys import QueueKeys
from lexiclass_worker.queueing.admission import AdmissionControl
from lexiclass_worker.queueing.consumer import OrderedConsumer
from lexiclass_worker.queueing.fetcher import Fetcher
from lexiclass_worker.queueing.order import QueueOrder
from lexiclass_worker.queueing.thread_slots import ThreadSlots
from lexiclass_worker.queueing.upkeep import QueueUpkeep

QUEUE, ACTOR = "prediction", "any"
RULES = EntryRules(queue_of={ACTOR: QUEUE}.get)
NAMES, DELAYED = QueueKeys("dramatiq", QUEUE), QueueKeys("dramatiq", f"{QUEUE}.DQ")
# A worker that died, with a name that is no text.
DEAD_WORKER = b"dead \xff worker"

WRITE: dict[str, Callable[[Any, str | bytes], Any]] = {
    "string": lambda client, key: client.set(key, "some text"),
    "list": lambda client, key: client.rpush(key, "an entry"),
    "set": lambda client, key: client.sadd(key, "a member"),
    "zset": lambda client, key: client.zadd(key, {"a member": 1}),
    "hash": lambda client, key: client.hset(key, "field", "value"),
    "stream": lambda client, key: client.xadd(key, {"field": "value"}),
}


class Consuming:
    """Two consumers, of a queue and its delay queue, as Dramatiq's threads run them."""

    def __init__(self, url: str) -> None:
        self.broker = RedisBroker(url=url, middleware=[], maintenance_chance=0)
        self.client = self.broker.client
        self.expected: set[str] = set()
        self.slots = ThreadSlots()
        self.slots.open([QUEUE], tasks=3)
        self.fetcher = Fetcher(
            slots=self.slots,
            admission=AdmissionControl({}),
            order=QueueOrder(self.client, "dramatiq", rules=RULES, priorities={}, limited=()),
            worker=self.broker.broker_id,
        )
        self.upkeep = QueueUpkeep(self.client, "dramatiq", most_dead=5, most_dead_bytes=2**20)

    def open(self, queue: str = QUEUE) -> OrderedConsumer:
        return OrderedConsumer(
            self.broker, queue, 1, 10, fetcher=self.fetcher, rules=RULES, upkeep=self.upkeep
        )

    def run(self, seconds: float, until: Callable[[], bool]) -> set[str]:
        """Consume both queues; a consumer that fails is replaced. Returns the ids taken."""
        taken: set[str] = set()
        consumers: dict[str, OrderedConsumer | None] = {QUEUE: None, f"{QUEUE}.DQ": None}
        deadline = time.monotonic() + seconds
        while not (until() and taken >= self.expected):
            assert time.monotonic() < deadline, (taken, self.expected)
            for queue, opened in consumers.items():
                with suppress(ConnectionClosed):
                    consumer = consumers[queue] = opened or self.open(queue)
                    message = next(consumer)
                    if message is not None:
                        taken.add(message.message_id)
                        consumer.nack(message)
                    continue
                consumers[queue] = None
        return taken

    def send(self, message_id: str, *, delay: int | None = None) -> None:
        message = Message[None](
            queue_name=QUEUE,
            actor_name=ACTOR,
            args=(),
            kwargs={},
            options={},
            message_id=message_id,
        )
        self.broker.enqueue(message, delay=delay)


@pytest.fixture
def consuming(broker_url: str) -> Iterator[Consuming]:
    consuming = Consuming(broker_url)
    yield consuming
    consuming.client.connection_pool.disconnect()


KEYS: dict[str, tuple[str | bytes, str]] = {
    **{f"queue {key}": (key, kind) for key, kind in NAMES.types.items()},
    **{f"delayed {key}": (key, kind) for key, kind in DELAYED.types.items()},
    "acks of a dead worker": (NAMES.acks(DEAD_WORKER), "set"),
    "acks of one's own": (b"", "set"),
}
CASES = [
    pytest.param(key, wrong, id=f"{name} is a {wrong}")
    for name, (key, right) in KEYS.items()
    for wrong in WRITE
    if wrong != right
]


@pytest.mark.slow_variants(20)
@pytest.mark.parametrize(("key", "wrong"), CASES)
def test_a_key_of_a_wrong_type_heals_and_what_is_sent_then_is_taken(
    consuming: Consuming, key: str | bytes, wrong: str
) -> None:
    client = consuming.client
    key = key or NAMES.acks(consuming.broker.broker_id)
    consuming.send("before")
    consuming.open()
    client.zadd(NAMES.heartbeats, {DEAD_WORKER: 1})
    lost = {NAMES.messages} if key == NAMES.messages else set()
    client.delete(key)
    WRITE[wrong](client, key)

    # A message that was lost with its key is its sender's, or the reconciler's, to send again.
    consuming.expected = set() if lost else {"before"}
    if key in {NAMES.messages, DELAYED.messages}:
        consuming.run(10, lambda: client.type(key) != wrong.encode())
    else:
        consuming.run(10, lambda: client.type(key) in {b"none", _right(key)})
    consuming.send("after")
    consuming.send("later", delay=1)
    consuming.expected = {"after", "later"}
    consuming.run(10, lambda: True)

    assert MessageStore(client, "dramatiq").find([QUEUE], ["x"]) == set()


def test_looking_for_a_message_parses_none_of_more_values_than_any(consuming: Consuming) -> None:
    """Each takes twenty times as much memory as in the entry, of whoever looks."""
    bomb = b'{"message_id": "x", "args": [' + b"[]," * 2_000_001 + b"[]]}"
    client = consuming.client
    client.hset(f"dramatiq:{QUEUE}.msgs", "bomb", bomb)
    client.rpush(f"dramatiq:{QUEUE}", "bomb")

    assert MessageStore(client, "dramatiq").find([QUEUE], ["x"]) == set()


def _right(key: str | bytes) -> bytes:
    return dict(KEYS.values()).get(key, "set").encode()


@pytest.mark.slow
def test_dead_letters_are_bounded_in_number_the_newest_stay(consuming: Consuming) -> None:
    client = consuming.client
    for number in range(9):
        client.hset(NAMES.messages, f"junk-{number}", b"no message")
        client.rpush(NAMES.name, f"junk-{number}")
        # Two may become dead letters within a millisecond.
        client.zadd(NAMES.dead, {f"old-{number}": number})
        client.hset(NAMES.dead_messages, f"old-{number}", b"x")

    consuming.run(10, lambda: client.zcard(NAMES.dead) == 5)

    dead: Any = client.zrange(NAMES.dead, 0, -1)
    assert {key.partition(b"-")[0] for key in dead} == {b"junk"}
    assert sorted(client.hkeys(NAMES.dead_messages)) == sorted(dead)


def test_dead_letters_are_bounded_in_what_they_take_together(consuming: Consuming) -> None:
    client = consuming.client
    now = current_millis()
    for number in range(4):
        client.zadd(NAMES.dead, {f"large-{number}": now + number})
        client.hset(NAMES.dead_messages, f"large-{number}", b"x" * 400_000)

    consuming.upkeep.trim_dead_letters(QUEUE)

    assert client.zrange(NAMES.dead, 0, -1) == [b"large-2", b"large-3"]
    assert sorted(client.hkeys(NAMES.dead_messages)) == [b"large-2", b"large-3"]


def fetch_as(consuming: Consuming, worker: str, *, silent_ms: int, queue: str = QUEUE) -> None:
    """Let a worker fetch a message and go silent."""
    consuming.send(f"of {worker}")
    names = QueueKeys("dramatiq", queue)
    key: Any = consuming.client.lpop(NAMES.name)
    consuming.client.sadd(names.acks(worker), key)
    consuming.client.zadd(NAMES.heartbeats, {worker: current_millis() - silent_ms})


def test_what_silent_workers_have_fetched_is_put_back_and_what_others_hold_is_not(
    consuming: Consuming,
) -> None:
    fetch_as(consuming, "silent", silent_ms=20_000)
    fetch_as(consuming, "silent for long", silent_ms=10**9)
    fetch_as(consuming, "busy", silent_ms=10_000)

    consuming.expected = {"of silent", "of silent for long"}
    taken = consuming.run(10, lambda: True)

    assert taken == consuming.expected
    assert consuming.client.scard(NAMES.acks("busy")) == 1
    for _ in range(2):
        consuming.upkeep.maintain(QUEUE, "me")
    known: Any = consuming.client.zrange(NAMES.heartbeats, 0, -1)
    # Whoever went silent within a day may have fetched from queues that are not ours.
    assert {name.decode() for name in known} == {"silent", "busy", "me", consuming.broker.broker_id}


def test_any_number_of_silent_workers_costs_a_bounded_piece_of_work(consuming: Consuming) -> None:
    client = consuming.client
    day_ago, now = current_millis() - 90_000_000, current_millis()
    for first in range(0, 5_000, 500):
        client.zadd(NAMES.heartbeats, {f"old {first + n}": day_ago - n for n in range(500)})
        client.zadd(NAMES.heartbeats, {f"new {first + n}": now - 60_000 - n for n in range(500)})
    fetch_as(consuming, "lost", silent_ms=16_000)
    fetch_as(consuming, "lost among the others", silent_ms=61_000)
    fetch_as(consuming, "lost long ago", silent_ms=10**10, queue="training")
    client.config_resetstat()

    while client.llen(NAMES.name) < 2:
        before = commands(client)
        consuming.upkeep.maintain(QUEUE, "me")
        assert commands(client) - before < 3_000

    for _ in range(200):
        consuming.upkeep.maintain(QUEUE, "me")
    known: Any = client.zrange(NAMES.heartbeats, 0, -1)
    assert not [name for name in known if name.startswith(b"old")]
    assert b"lost long ago" in known
    assert "cmdstat_keys" not in client.info("commandstats")


def commands(client: Any) -> int:
    """How many commands Redis has run, those of scripts included."""
    return sum(command["calls"] for command in client.info("commandstats").values())


def test_dead_letters_are_kept_for_a_week(consuming: Consuming) -> None:
    client, week_ms = consuming.client, 7 * 86_400_000
    for number in range(3_000):
        client.zadd(NAMES.dead, {f"{number}": current_millis() - week_ms - 1_000})
        client.hset(NAMES.dead_messages, f"{number}", b"x")
    client.zadd(NAMES.dead, {"young": current_millis() - week_ms + 100_000})
    client.hset(NAMES.dead_messages, "young", b"x")
    for _ in range(3):
        consuming.upkeep.maintain(QUEUE, "me")
    assert client.zrange(NAMES.dead, 0, -1) == client.hkeys(NAMES.dead_messages) == [b"young"]
