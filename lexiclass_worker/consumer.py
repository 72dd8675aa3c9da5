"""A consumer that outlives entries which are no messages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from dramatiq import Message, MessageProxy
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed, DecodeError
from loguru import logger


class ResilientConsumer(_RedisConsumer):
    """Makes an undecodable entry a dead letter.

    Dramatiq's own consumer thread ends on one and starts again three seconds later, and the
    messages fetched together with it are stranded until the worker dies.

    It also takes back the delayed messages that were in memory when a connection was lost: Dramatiq
    forgets them there, while Redis believes that this worker has them.

    Args:
        broker: The broker whose messages these are.
        queue_name: The queue, or a delay queue.
        prefetch: Most messages to hold.
        timeout: Longest wait for a message, in ms.

    Raises:
        ConnectionClosed: If Redis cannot be reached.
    """

    def __init__(self, broker: RedisBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]
        if queue_name == dq_name(queue_name):
            with _connection_closed():
                self._take_back()

    def _take_back(self) -> None:
        acks = f"{self.broker.namespace}:__acks__.{self.broker.broker_id}.{self.queue_name}"
        held = self.broker.client.smembers(acks)
        if held:
            self.broker.do_requeue(self.queue_name, *held)
            logger.warning(
                "Took back {count} messages of queue {queue} that a lost connection left behind",
                count=len(held),
                queue=self.queue_name,
            )

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message."""
        with _connection_closed():
            super().ack(message)  # type: ignore[no-untyped-call]

    def nack(self, message: MessageProxy) -> None:
        """Make a message a dead letter."""
        with _connection_closed():
            super().nack(message)  # type: ignore[no-untyped-call]

    def __next__(self) -> MessageProxy | None:
        """The next message, or None when there is none or the entry is no message."""
        with _connection_closed():
            return self._next_message()

    def _next_message(self) -> MessageProxy | None:
        try:
            message: MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        except DecodeError as error:
            data = error.data
            self._bury(data, lambda entry: entry == data)
            return None
        except TypeError:
            # An id that is no string, and cannot even be looked up.
            self._bury(b"", lambda entry: not _is_well_formed(_decode(entry)))
            return None
        if message is None:
            return None
        if _is_well_formed(message.asdict()) and self._can_be_settled(message):
            _remove_unusable_options(message.options)
            return message
        self.queued_message_ids.discard(message.message_id)
        sent = message.asdict()
        self._bury(message.encode(), lambda entry: _decode(entry) == sent)
        return None

    def _can_be_settled(self, message: MessageProxy) -> bool:
        """Whether it has the id under which Redis holds it, and is in the queue that it names.

        Without the id it could never be acknowledged; from another queue it would end the thread
        that runs it, which looks for the consumer of the queue it names.
        """
        return (
            isinstance(message.options.get("redis_message_id"), str)
            and message.queue_name == self.queue_name
        )

    def _bury(self, data: bytes, is_it: Callable[[bytes], bool]) -> None:
        """Make an entry a dead letter; the id under which Redis holds it is only known there."""
        messages = f"{self.broker.namespace}:{self.queue_name}.msgs"
        ids = [key for key, entry in self.broker.client.hscan_iter(messages) if is_it(entry)]
        for key in ids:
            self.broker.do_nack(self.queue_name, key)
        logger.error(
            "Made {count} entries of queue {queue} dead letters that are no message for it: "
            "{start!r}",
            count=len(ids),
            queue=self.queue_name,
            start=data[:200],
        )


@contextmanager
def _connection_closed() -> Iterator[None]:
    """Name every lost connection as Dramatiq expects it: other exceptions end its threads."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise ConnectionClosed(error) from None


def _is_well_formed(fields: dict[str, Any] | None) -> bool:
    """Whether each field of a message has its type: hooks and threads end on others."""
    types: dict[str, type | tuple[type, ...]] = {
        "actor_name": str,
        "kwargs": dict,
        "options": dict,
        "message_id": str,
        "message_timestamp": (int, float),
    }
    return fields is not None and all(
        isinstance(fields[name], expected) for name, expected in types.items()
    )


def _remove_unusable_options(options: dict[str, Any]) -> None:
    """Remove what a sender may have put there and Dramatiq takes for its own, unchecked."""
    # Names of classes have no meaning here, and end the thread that compares with them.
    options.pop("throws", None)
    # Tasks have a limit of their own, after which they are not sent again.
    options.pop("time_limit", None)
    if type(options.get("retries", 0)) is not int:
        del options["retries"]


def _decode(entry: bytes) -> dict[str, Any] | None:
    try:
        return Message.decode(entry).asdict()
    except DecodeError:
        return None
