"""Messages: a task's request as Dramatiq sends it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.envelope import Envelope
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_core.signing import Signer

if TYPE_CHECKING:
    from dramatiq import Message

T = TypeVar("T")

_CONNECT_TIMEOUT_S: Final = 2.0
_ANSWER_TIMEOUT_S: Final = 5.0


def to_message(envelope: Envelope, signer: Signer | None = None) -> "Message[Any]":
    """An envelope as Dramatiq's message, signed if need be. Needs the ``client`` extra."""
    from dramatiq import Message  # noqa: PLC0415

    message = Message[Any](
        queue_name=envelope.queue,
        actor_name=envelope.actor_name,
        args=(),
        kwargs=envelope.kwargs,
        options=_options(envelope),
        message_id=envelope.message_id,
        message_timestamp=round((envelope.queued_at or datetime.now(UTC)).timestamp() * 1000),
    )
    return message if signer is None else signed(message, signer)


def signed(message: "Message[Any]", signer: Signer) -> "Message[Any]":
    """A message with its signature."""
    return message.copy(options={"signature": signer.sign(message.asdict())})


class Sender:
    """A broker that only sends and looks: no middleware, no actors.

    Raises:
        ImportError: Without the ``client`` extra; the message says how to install it.
        InvalidAddress: If the URL is not one of Redis.
    """

    def __init__(self, broker_url: str, namespace: str, signer: Signer | None = None) -> None:
        try:
            import redis  # noqa: PLC0415
            from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
            from redis.retry import Retry  # noqa: PLC0415

            from lexiclass_core.addresses.redis_clients import open_redis  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "sending tasks needs Dramatiq and redis: pip install 'dramatiq[redis]>=2.2,<3'"
            ) from error
        self._broker_error = redis.RedisError
        client = open_redis(
            broker_url,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            socket_timeout=_ANSWER_TIMEOUT_S,
            # Once more, for a connection that has died in the pool; not where Redis hangs.
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
        )
        self._broker = RedisBroker(
            client=client, namespace=namespace, middleware=[], maintenance_chance=0
        )
        self._signer = signer
        self._store = MessageStore(client, namespace)

    def send(self, envelope: Envelope) -> None:
        """Put a message on its queue, or on the one beside it for those that are not due yet.

        Raises:
            BrokerUnavailable: If Redis did not take it.
        """
        message = to_message(envelope, self._signer)
        delay_ms = _delay_ms(envelope.not_before)
        with self._available("did not take the message"):
            self._broker.enqueue(message, delay=delay_ms)

    def look(self, work: Callable[[MessageStore], T]) -> T:
        """Do something with what Redis holds of the queues.

        Raises:
            BrokerUnavailable: If Redis did not answer.
        """
        with self._available("did not answer"):
            return work(self._store)

    def close(self) -> None:
        """Close the connections to Redis."""
        self._broker.client.close()

    @contextmanager
    def _available(self, problem: str) -> Iterator[None]:
        try:
            yield
        except self._broker_error as error:
            raise BrokerUnavailable(f"Redis {problem} ({type(error).__name__}: {error})") from error


def _options(envelope: Envelope) -> dict[str, Any]:
    options: dict[str, Any] = {"correlation_id": envelope.correlation_id}
    if envelope.priority is not None:
        options["priority"] = envelope.priority
    if envelope.is_reminder:
        options["is_reminder"] = True
    return options


def _delay_ms(not_before: datetime | None) -> int | None:
    if not_before is None:
        return None
    delay_s = (not_before - datetime.now(UTC)).total_seconds()
    return round(delay_s * 1000) if delay_s > 0 else None
