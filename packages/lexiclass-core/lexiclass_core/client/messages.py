"""Messages: a request as Dramatiq sends it."""

import uuid
from typing import TYPE_CHECKING, Any

from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.queue_config import ROUTES
from lexiclass_core.schemas import Request

if TYPE_CHECKING:
    from dramatiq import Message


def new_message_id() -> str:
    """An id no other message has."""
    return str(uuid.uuid4())


class Sender:
    """A broker that only sends: no middleware, no actors.

    Raises:
        ImportError: Without the ``client`` extra; the message says how to install it.
    """

    def __init__(self, broker_url: str, namespace: str) -> None:
        try:
            import redis  # noqa: PLC0415
            from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "sending tasks needs Dramatiq and redis: pip install 'lexiclass-core[client]'"
            ) from error
        self._broker_error = redis.RedisError
        self._broker = RedisBroker(url=broker_url, namespace=namespace, middleware=[])

    def send(self, message: "Message[Any]") -> None:
        """Put a message on its queue.

        Raises:
            BrokerUnavailable: If Redis did not take it.
        """
        try:
            self._broker.enqueue(message)
        except self._broker_error as error:
            raise BrokerUnavailable(
                f"the message could not be sent to Redis ({type(error).__name__}); "
                "nothing was submitted, try again"
            ) from error

    def close(self) -> None:
        """Close the connections to Redis."""
        self._broker.client.close()


def create_message(request: Request, message_id: str, correlation_id: str) -> "Message[Any]":
    """The message of a request, addressed to its actor's queue."""
    from dramatiq import Message  # noqa: PLC0415

    return Message(
        queue_name=ROUTES[request.actor_name].queue,
        actor_name=request.actor_name,
        args=(),
        # What was not given is left to the actor: its defaults are the worker's to choose.
        kwargs=request.model_dump(mode="json", exclude_unset=True),
        options={"correlation_id": correlation_id},
        message_id=message_id,
    )
