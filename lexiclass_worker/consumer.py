"""A consumer that outlives entries which are no messages."""

from dramatiq import MessageProxy
from dramatiq.brokers.redis import _RedisConsumer
from dramatiq.errors import DecodeError
from loguru import logger


class ResilientConsumer(_RedisConsumer):
    """Makes an undecodable entry a dead letter.

    Dramatiq's own consumer thread ends on one and starts again three seconds later, and the
    messages fetched together with it are stranded until the worker dies.
    """

    def __next__(self) -> MessageProxy | None:
        """The next message, or None when there is none or the entry is no message."""
        try:
            message: MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
        except DecodeError as error:
            self._bury(error.data)
            return None
        if message is not None and not isinstance(message.options.get("redis_message_id"), str):
            # Sent by hand, without the id under which Redis holds it: it could never be acked.
            self.queued_message_ids.discard(message.message_id)
            self._bury(message.encode())
            return None
        return message

    def _bury(self, data: bytes) -> None:
        """Dead-letter the entry with this content; its id is only known to Redis."""
        messages = f"{self.broker.namespace}:{self.queue_name}.msgs"
        for key, value in self.broker.client.hscan_iter(messages):
            if value == data:
                self.broker.do_nack(self.queue_name, key)
                logger.error(
                    "Dead-lettered an entry of queue {queue} that is no message: {start!r}",
                    queue=self.queue_name,
                    start=data[:200],
                )
                return
        logger.error(
            "Queue {queue} held an entry that is no message: {start!r}",
            queue=self.queue_name,
            start=data[:200],
        )
