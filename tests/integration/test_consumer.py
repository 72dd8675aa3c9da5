"""A worker's consumer on a Redis that refuses what it is asked."""

import json
import math
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed

from lexiclass_core.queueing.entries import EntryRules
from lexiclass_core.signing import Signer
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.queueing.admission import AdmissionControl
from lexiclass_worker.queueing.consumer import OrderedConsumer
from lexiclass_worker.queueing.fetcher import Fetcher
from lexiclass_worker.queueing.order import QueueOrder
from lexiclass_worker.queueing.thread_slots import ThreadSlots
from lexiclass_worker.queueing.upkeep import QueueUpkeep

QUEUE = "prediction"


class Taking:
    """A queue, and a consumer of it with one thread."""

    def __init__(self, url: str, *, signer: Signer | None = None) -> None:
        self.broker = RedisBroker(url=url, middleware=[], maintenance_chance=0)
        self.client = self.broker.client
        self.slots = ThreadSlots()
        self.slots.open([QUEUE], tasks=1)
        self.rules = EntryRules(
            queue_of={"any": QUEUE, "another": QUEUE, "elsewhere": "training"}.get, signer=signer
        )
        self.upkeep = QueueUpkeep(self.client, "dramatiq", most_dead=100, most_dead_bytes=2**20)
        self.fetcher = Fetcher(
            slots=self.slots,
            admission=AdmissionControl({}),
            order=QueueOrder(self.client, "dramatiq", rules=self.rules, priorities={}, limited=()),
            worker=self.broker.broker_id,
        )
        self.consumer = self.open(QUEUE)

    def open(self, queue: str) -> OrderedConsumer:
        """A consumer of a queue or a delay queue."""
        return OrderedConsumer(
            self.broker,
            queue,
            1,
            10,
            fetcher=self.fetcher,
            rules=self.rules,
            upkeep=self.upkeep,
        )

    def send_with(self, *, queue: str = QUEUE, **options: Any) -> None:
        """Put a message with some options on a queue."""
        self.broker.enqueue(
            Message[None](queue_name=queue, actor_name="any", args=(), kwargs={}, options=options)
        )

    def send(self, entry: bytes | None = None) -> None:
        """Put a message on the queue, or whatever else."""
        if entry is not None:
            self.broker.do_enqueue(QUEUE, str(uuid.uuid4()), entry)
            return
        message = Message[None](queue_name=QUEUE, actor_name="any", args=(), kwargs={}, options={})
        self.broker.enqueue(message)

    def take(self) -> MessageProxy:
        """The next message, which must be there."""
        message = next(self.consumer)
        assert message is not None
        return message

    def refuse_writes(self) -> None:
        """As a primary does that a failover has made a replica."""
        self.client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))

    def allow_writes(self) -> None:
        """Take it back."""
        self.client.execute_command("REPLICAOF", "NO", "ONE")


@pytest.fixture
def taking(broker_url: str) -> Iterator[Taking]:
    taking = Taking(broker_url)
    yield taking
    taking.allow_writes()
    taking.client.connection_pool.disconnect()


@pytest.mark.parametrize("end", ["ack", "nack"])
def test_a_message_whose_end_redis_refuses_can_be_ended_later_and_frees_its_thread(
    taking: Taking, end: str
) -> None:
    taking.send()
    taking.send()
    message = taking.take()
    taking.refuse_writes()
    with pytest.raises(ConnectionClosed):
        getattr(taking.consumer, end)(message)
    assert next(taking.consumer) is None, "the thread is not free yet"
    taking.allow_writes()
    getattr(taking.consumer, end)(message)
    second = taking.take()
    taking.consumer.ack(second)
    assert taking.broker.do_qsize(QUEUE) == 0


def test_what_redis_does_not_hand_out_is_there_when_it_does(taking: Taking) -> None:
    taking.send()
    taking.refuse_writes()
    with pytest.raises(ConnectionClosed):
        next(taking.consumer)
    taking.allow_writes()
    taking.consumer.ack(taking.take())
    assert taking.slots.held(QUEUE) == set()


@pytest.mark.parametrize(
    "eta", [10**15, math.inf, -math.inf, math.nan, -1, 10**400, "soon", None, True, [], {"a": 1}]
)
def test_a_message_in_the_queue_itself_is_due_whatever_its_eta_says(
    taking: Taking, eta: object
) -> None:
    taking.send_with(eta=eta)
    message = taking.take()
    assert "eta" not in message.options


@pytest.mark.parametrize("eta", [-math.inf, math.nan, -1, "soon", None, True, [], {"a": 1}])
def test_a_delayed_message_with_a_time_that_is_none_goes_to_its_queue(
    taking: Taking, eta: object
) -> None:
    taking.send_with(queue=f"{QUEUE}.DQ", eta=eta)
    message = next(taking.open(f"{QUEUE}.DQ"))
    assert message is not None
    # What Dramatiq's thread asks of it.
    assert message.options["eta"] <= 0


@pytest.mark.parametrize("eta", [10**15, math.inf, 10**400])
def test_a_delayed_message_that_is_never_due_is_in_nobodys_hands(
    taking: Taking, eta: object
) -> None:
    taking.send_with(queue=f"{QUEUE}.DQ", eta=eta)
    assert next(taking.open(f"{QUEUE}.DQ")) is None
    assert taking.slots.held(f"{QUEUE}.DQ") == set()


def target(**fields: Any) -> dict[str, Any]:
    """A message that follows another."""
    return {
        "queue_name": QUEUE, "actor_name": "any", "args": [], "kwargs": {"a": 1}, "options": {},
        "message_id": "next", "message_timestamp": 1, **fields,
    }  # fmt: skip


def pipeline(length: int) -> dict[str, Any]:
    """So many messages one after the other."""
    last = target()
    for _ in range(length - 1):
        last = target(options={"pipe_target": last})
    return last


USABLE: dict[str, dict[str, Any]] = {
    "pipeline": {"pipe_target": pipeline(20)},
    "pipeline that waits": {"pipe_target": target(options={"delay": 1_000})},
    "callbacks": {"on_success": "any", "on_failure": "any"},
    "odd": {"colour": "blue", "priority": 5, "retries": -1},
}
UNUSABLE: dict[str, dict[str, Any]] = {
    "pipe to an index": {"pipe_target": target(queue_name=f"{QUEUE}.turns")},
    "pipe to nowhere": {"pipe_target": target(queue_name="x", actor_name="x")},
    "pipe to another queue": {"pipe_target": target(queue_name="training")},
    "pipe to the delay queue": {"pipe_target": target(queue_name=f"{QUEUE}.DQ")},
    "pipe of nothing": {"pipe_target": {}},
    "pipe of a list": {"pipe_target": [target()]},
    "pipe without arguments": {"pipe_target": target(kwargs=None)},
    "pipe with more": {"pipe_target": target(surprise=1)},
    "pipe at the end of days": {"pipe_target": target(options={"delay": 1e300})},
    "pipe to nowhere after one": {
        "pipe_target": target(options={"pipe_target": target(queue_name="y")})
    },
    "long pipeline": {"pipe_target": pipeline(21)},
    "very long pipeline": {"pipe_target": pipeline(150)},
    "callback to nobody": {"on_success": "nobody"},
    "callback of a number": {"on_failure": 5},
    "group": {"group_completion_uuid": "u", "group_completion_callbacks": [target()]},
    "result for ever": {"result_ttl": 10**15},
    "result for nonsense": {"result_ttl": "long"},
    "classes that throw": {"throws": "ValueError"},
    "no time": {"time_limit": 0},
}


@pytest.mark.parametrize("options", USABLE.values(), ids=USABLE.keys())
def test_options_that_can_be_used_stay(taking: Taking, options: dict[str, Any]) -> None:
    taking.send_with(**options)
    taken = taking.take().options
    del taken["redis_message_id"]
    assert taken == options


@pytest.mark.parametrize("options", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_options_that_cannot_be_used_are_left_out_and_the_message_is_taken(
    taking: Taking, options: dict[str, Any]
) -> None:
    taking.send_with(**options, correlation_id="stays")
    message = taking.take()
    assert message.options.keys() == {"redis_message_id", "correlation_id"}


OLD, NEW, FORGED = (letter * 32 for letter in "onf")


@pytest.mark.parametrize("change", [
    {"actor_name": "another"}, {"kwargs": {"project_id": 2}}, {"args": [1]},
    {"message_id": "another"}, {"message_timestamp": 2}, {"options": {"priority": -5}},
    {"options": {"on_success": "any"}}, {"options": {"signature": None}},
    {"options": {"signature": "é"}}, {"options": {"signature": "0" * 64}},
])  # fmt: skip
def test_where_messages_are_signed_only_those_are_taken_that_nobody_has_changed(
    signing: Taking, change: dict[str, Any]
) -> None:
    def sign(fields: dict[str, Any], key: str = NEW) -> dict[str, Any]:
        signer = Signer.of(key)
        assert signer is not None
        options = {**fields["options"], "signature": signer.sign(fields)}
        return {**fields, "options": options}

    def put(fields: dict[str, Any]) -> str:
        key = str(uuid.uuid4())
        options = {**fields["options"], "redis_message_id": key, "retries": 2}
        signing.broker.do_enqueue(QUEUE, key, json.dumps({**fields, "options": options}).encode())
        return key

    fields = target(kwargs={"project_id": 1, "weight": 1.5, "name": "ä"})
    unsigned, forged = put(fields), put(sign(fields, FORGED))
    good, old = sign(fields), sign(fields, OLD)
    options = {**good["options"], **change.get("options", {})}
    changed = put({**good, **change, "options": options})
    put(good)
    put(old)

    for _ in range(2):
        signing.consumer.ack(signing.take())

    assert next(signing.consumer) is None
    dead: Any = signing.client.hkeys(f"dramatiq:{QUEUE}.XQ.msgs")
    assert {key.decode() for key in dead} == {unsigned, forged, changed}


@pytest.fixture
def signing(broker_url: str) -> Iterator[Taking]:
    signing = Taking(broker_url, signer=Signer.of(f"{NEW}\n{OLD}"))
    yield signing
    signing.client.connection_pool.disconnect()
