"""A consumer that takes messages in their order, and outlives entries which are no messages."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import redis
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import compute_backoff, dq_name
from dramatiq.errors import ConnectionClosed
from loguru import logger

from lexiclass_core.queueing.entries import EntryRules, RefusedMessage
from lexiclass_core.queueing.redis_keys import QueueKeys
from lexiclass_worker.queueing.fetcher import Fetcher
from lexiclass_worker.queueing.follow_ups import remove_unusable
from lexiclass_worker.queueing.order import Taken
from lexiclass_worker.queueing.upkeep import QueueUpkeep

# A delay queue is looked at so many times more seldom than a queue: a task that has waited for
# seconds can wait for some tenths of one.
_DELAY_QUEUE_FACTOR: Final = 5

# How often to look for what dead workers have left, and to be heard of.
_MAINTENANCE_S: Final = 1.0


class OrderedConsumer(_RedisConsumer):
    """Takes the next message only when it can begin, and then the one whose turn it is.

    Dramatiq's own consumer takes the oldest ones and more than there are threads for, so that a
    message waits behind a long task while other processes idle, and its priority counts among
    those few only. Of a delay queue it takes the oldest ones too, however long they have to wait,
    and with enough of them in its hands none that is due. Here they wait in Redis.

    An entry that is no message becomes a dead letter. Dramatiq's thread ends on one and starts
    again three seconds later, and the messages fetched together with it are stranded until the
    worker dies. So are those whose fetching was interrupted by a lost connection: each consumer
    that is made begins by putting back what Redis believes this worker has.

    Args:
        prefetch: Not used: what is taken begins.
        timeout: Longest wait for a message, in ms.

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
        fetcher: Fetcher,
        rules: EntryRules,
        upkeep: QueueUpkeep,
    ) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        self._fetcher = fetcher
        self._rules = rules
        self._upkeep = upkeep
        self._is_delayed = queue_name == dq_name(queue_name)
        self._taken: list[Taken] = []
        self._maintain_at = 0.0
        with self._connection_closed():
            self._put_back_forgotten()

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message."""
        with self._connection_closed():
            super().ack(message)  # type: ignore[no-untyped-call]
        self._release(message.options["redis_message_id"].encode())

    def nack(self, message: MessageProxy) -> None:
        """Make a message a dead letter."""
        with self._connection_closed():
            super().nack(message)  # type: ignore[no-untyped-call]
        self._release(message.options["redis_message_id"].encode())

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back that were taken and not begun."""
        with self._connection_closed():
            super().requeue(messages)  # type: ignore[no-untyped-call]

    def __next__(self) -> MessageProxy | None:
        """The next message, or None when there is none or the entry is no message."""
        try:
            with self._connection_closed():
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
        now = time.monotonic()
        if is_due := now >= self._maintain_at:
            self._maintain_at = now + _MAINTENANCE_S
            self._upkeep.look_after(self.queue_name)
            self._upkeep.maintain(self.queue_name, self.broker.broker_id)
            if not self._is_delayed:
                self._upkeep.trim_dead_letters(self.queue_name)
        take = self._fetcher.take_due if self._is_delayed else self._fetcher.take
        taken = take(self.queue_name)
        if is_due and not taken and not self._is_delayed:
            self._fetcher.look(self.queue_name)
        return taken

    def _wait(self) -> None:
        slots = self._fetcher.slots
        longest_ms = self.timeout * _DELAY_QUEUE_FACTOR if self._is_delayed else self.timeout
        if self._is_delayed or not slots.wait_for_room(self.queue_name, self.timeout / 1000):
            self.misses, backoff_ms = compute_backoff(self.misses, max_backoff=longest_ms)
            time.sleep(backoff_ms / 1000)

    def _open(self, taken: Taken) -> MessageProxy | None:
        try:
            fields = self._rules.read(taken.entry, queue=self.queue_name, key=taken.key)
        except RefusedMessage as refusal:
            self._bury(taken, str(refusal))
            return None
        options = fields["options"]
        if removed := remove_unusable(options, self._rules):
            logger.warning(
                "Left out options of a message of queue {queue} that cannot be used: {removed}",
                queue=self.queue_name,
                removed=", ".join(removed),
            )
        options.pop("eta", None)
        if self._is_delayed:
            # It is due, whatever was written there; Dramatiq puts it on its queue.
            options["eta"] = 0
        fields["args"] = tuple(fields["args"])
        return MessageProxy(Message(**fields))

    def _bury(self, taken: Taken, reason: str) -> None:
        if taken.entry is None:
            # Copied, it would take its size once more.
            self._upkeep.leave_out(self.queue_name, taken.key)
        self.broker.do_nack(self.queue_name, taken.key)
        self._release(taken.key)
        logger.error(
            "Made an entry of queue {queue} a dead letter: {reason}",
            queue=self.queue_name,
            reason=reason,
        )

    @contextmanager
    def _connection_closed(self) -> Iterator[None]:
        """Name whatever Redis refuses as Dramatiq names lost connections: then it tries again.

        A Redis that is full or a replica for a while loses no message; after another exception
        Dramatiq would never acknowledge the message, and its thread would stay taken.
        """
        try:
            yield
        except redis.RedisError as error:
            if isinstance(error, redis.ResponseError) and _is_of_keys(error):
                with suppress(redis.RedisError):
                    self._upkeep.heal(self.queue_name)
            raise ConnectionClosed(error) from None

    def _release(self, key: bytes) -> None:
        self._fetcher.slots.release(self.queue_name, key)

    def _put_back_forgotten(self) -> None:
        acks = QueueKeys(self.broker.namespace, self.queue_name).acks(self.broker.broker_id)
        believed = self.broker.client.smembers(acks)
        if forgotten := believed - self._fetcher.slots.held(self.queue_name):
            self.broker.do_requeue(self.queue_name, *forgotten)
            logger.warning(
                "Took back {count} messages of queue {queue} that a lost connection left behind",
                count=len(forgotten),
                queue=self.queue_name,
            )


def _is_of_keys(error: redis.ResponseError) -> bool:
    """Whether a command was refused for what somebody has written to its keys."""
    return any(sign in str(error) for sign in ("WRONGTYPE", "attempt to ", "user_script"))
