"""A consumer that takes messages in their order, and outlives entries which are no messages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import compute_backoff, dq_name
from dramatiq.errors import ConnectionClosed, DecodeError
from loguru import logger

from lexiclass_worker.repositories.queue_order import Taken
from lexiclass_worker.tasks.dispatch import Dispatch

# A delay queue is looked at so many times more seldom than a queue: a task that has waited for
# seconds can wait for some tenths of one.
_SELDOM: Final = 5

# How often to look for what dead workers have left; any command of the broker would do that too.
_MAINTENANCE_S: Final = 1.0


class OrderedConsumer(_RedisConsumer):
    """Takes the next message only when it can begin, and then the one whose turn it is.

    Dramatiq's own consumer takes the oldest ones and more than there are threads for, so that a
    message waits behind a long task while other processes idle, and its priority counts among
    those few only. Of a delay queue it takes the oldest ones too, however long they have to wait,
    and with enough of them in its hands none that is due. Here they wait in Redis.

    An entry that cannot be decoded becomes a dead letter. Dramatiq's thread ends on one and starts
    again three seconds later, and the messages fetched together with it are stranded until the
    worker dies. So are those whose fetching was interrupted by a lost connection: each consumer
    that is made begins by putting back what Redis believes this worker has.

    Args:
        broker: The broker whose messages these are.
        queue_name: The queue, or a delay queue.
        prefetch: Not used: what is taken begins.
        timeout: Longest wait for a message, in ms.
        dispatch: Says what may be taken.

    Raises:
        ConnectionClosed: If Redis cannot be reached.
    """

    def __init__(
        self,
        broker: RedisBroker,
        queue_name: str,
        prefetch: int,
        timeout: int,
        *,
        dispatch: Dispatch,
    ) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        self._dispatch = dispatch
        self._is_delayed = queue_name == dq_name(queue_name)
        self._taken: list[Taken] = []
        self._maintain_at = 0.0
        with _connection_closed():
            self._put_back_forgotten()

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message."""
        with _connection_closed():
            super().ack(message)  # type: ignore[no-untyped-call]
        self._release(message.options["redis_message_id"].encode())

    def nack(self, message: MessageProxy) -> None:
        """Make a message a dead letter."""
        with _connection_closed():
            super().nack(message)  # type: ignore[no-untyped-call]
        self._release(message.options["redis_message_id"].encode())

    def __next__(self) -> MessageProxy | None:
        """The next message, or None when there is none or the entry is no message."""
        try:
            with _connection_closed():
                if not self._taken:
                    self._taken = self._take()
                if self._taken:
                    self.misses = 0
                    return self._open(self._taken.pop(0))
        except ConnectionClosed:
            # The consumer that replaces this one puts them back.
            for message in self._taken:
                self._release(message.key)
            raise
        self._wait()
        return None

    def _take(self) -> list[Taken]:
        if (now := time.monotonic()) >= self._maintain_at:
            self._maintain_at = now + _MAINTENANCE_S
            # Fetches nothing, and puts back what workers held that have not been heard of.
            self.broker.do_fetch(self.queue_name, 0)
        take = self._dispatch.take_due if self._is_delayed else self._dispatch.take
        return take(self.queue_name)

    def _wait(self) -> None:
        lanes = self._dispatch.lanes
        longest_ms = self.timeout * _SELDOM if self._is_delayed else self.timeout
        if self._is_delayed or not lanes.wait_for_room(self.queue_name, self.timeout / 1000):
            self.misses, backoff_ms = compute_backoff(self.misses, max_backoff=longest_ms)
            time.sleep(backoff_ms / 1000)

    def _open(self, taken: Taken) -> MessageProxy | None:
        message = _decode(taken.entry)
        if message is None or not self._can_be_settled(message, taken.key):
            self._bury(taken)
            return None
        _remove_unusable_options(message.options)
        return MessageProxy(message)

    def _can_be_settled(self, message: Message[Any], key: bytes) -> bool:
        """Whether it names itself as Redis does, and is in the queue that it names.

        Otherwise it could never be acknowledged; from another queue it would end the thread that
        runs it, which looks for the consumer of the queue it names.
        """
        named = message.options.get("redis_message_id")
        return (
            isinstance(named, str)
            and named.encode(errors="replace") == key
            and message.queue_name == self.queue_name
        )

    def _bury(self, taken: Taken) -> None:
        self.broker.do_nack(self.queue_name, taken.key)
        self._release(taken.key)
        logger.error(
            "Made an entry of queue {queue} a dead letter that is no message for it: {start!r}",
            queue=self.queue_name,
            start=taken.entry[:200],
        )

    def _release(self, key: bytes) -> None:
        self._dispatch.lanes.release(self.queue_name, key)

    def _put_back_forgotten(self) -> None:
        acks = f"{self.broker.namespace}:__acks__.{self.broker.broker_id}.{self.queue_name}"
        believed = self.broker.client.smembers(acks)
        if forgotten := believed - self._dispatch.lanes.held(self.queue_name):
            self.broker.do_requeue(self.queue_name, *forgotten)
            logger.warning(
                "Took back {count} messages of queue {queue} that a lost connection left behind",
                count=len(forgotten),
                queue=self.queue_name,
            )


@contextmanager
def _connection_closed() -> Iterator[None]:
    """Name whatever Redis refuses as Dramatiq names lost connections, after which it tries again.

    A Redis that is full or a replica for a while loses no message; after another exception Dramatiq
    would never acknowledge the message, and its thread would stay taken.
    """
    try:
        yield
    except redis.RedisError as error:
        raise ConnectionClosed(error) from None


def _decode(entry: bytes) -> Message[Any] | None:
    """The message, if each field has its type: hooks and threads end on others."""
    types: dict[str, type | tuple[type, ...]] = {
        "actor_name": str,
        "kwargs": dict,
        "options": dict,
        "message_id": str,
        "message_timestamp": (int, float),
    }
    try:
        message: Message[Any] = Message.decode(entry)
    except DecodeError:
        return None
    fields = message.asdict()
    is_well_formed = all(isinstance(fields[name], expected) for name, expected in types.items())
    return message if is_well_formed else None


def _remove_unusable_options(options: dict[str, Any]) -> None:
    """Remove what a sender may have put there and Dramatiq takes for its own, unchecked."""
    # Names of classes have no meaning here, and end the thread that compares with them.
    options.pop("throws", None)
    # Tasks have a limit of their own, after which they are not sent again.
    options.pop("time_limit", None)
    if type(options.get("retries", 0)) is not int:
        del options["retries"]
