"""A worker's consumer on a Redis that refuses what it is asked."""

import uuid
from collections.abc import Iterator

import pytest
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed

from lexiclass_worker.consumer import OrderedConsumer
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.repositories.queue_order import QueueOrder
from lexiclass_worker.tasks.dispatch import Dispatch
from lexiclass_worker.tasks.gate import Gate
from lexiclass_worker.tasks.lanes import Lanes

QUEUE = "prediction"


class Taking:
    """A queue, and a consumer of it with one thread."""

    def __init__(self, url: str) -> None:
        self.broker = RedisBroker(url=url, middleware=[], maintenance_chance=0)
        self.client = self.broker.client
        self.lanes = Lanes()
        self.lanes.open([QUEUE], tasks=1)
        dispatch = Dispatch(
            lanes=self.lanes,
            gate=Gate({}),
            order=QueueOrder(self.client, "dramatiq", priorities={}, limited=()),
            worker=self.broker.broker_id,
        )
        self.consumer = OrderedConsumer(self.broker, QUEUE, 1, 10, dispatch=dispatch)

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
    assert taking.lanes.held(QUEUE) == set()
