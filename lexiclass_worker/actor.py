"""How a service becomes a Dramatiq actor."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import dramatiq
from dramatiq import Actor
from dramatiq.middleware import CurrentMessage, Shutdown

from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import priority_of
from lexiclass_core.schemas import Request
from lexiclass_core.tracing import kept_trace_context
from lexiclass_worker.execution import lifecycle
from lexiclass_worker.execution.delivery import Delivery, Service
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed
from lexiclass_worker.worker import WorkerBroker

RequestT = TypeVar("RequestT", bound=Request)


class _Actor(Actor[..., Any]):
    def __call__(self, /, *args: object, **kwargs: object) -> Any:
        # Dramatiq's would take an argument of the name "self", which anybody can send, for its own.
        return self.fn(*args, **kwargs)


def actor(
    schema: type[RequestT], *, preloads: Collection[str] = ()
) -> Callable[[Service[RequestT]], Actor[..., Any]]:
    """Declare the actor of an operation, the worker's half of what it is.

    The decorated coroutine gets the task's context and the validated request; its result is
    stored. The other half, from queue to limits, is in :mod:`lexiclass_core.operations`.

    ``preloads`` are modules that children of the sandbox shall find loaded, beside what the jobs of
    this package need.
    """
    operation = OPERATIONS[schema.actor_name]

    def declare(service: Service[RequestT]) -> Actor[..., Any]:
        # Anything is accepted here, so that a wrong argument is a VALIDATION_ERROR with a row and
        # not a TypeError that is retried.
        async def run(*args: object, **kwargs: object) -> dict[str, Any]:
            broker = cast("WorkerBroker", dramatiq.get_broker())
            if broker.is_ending:
                # Taken a moment before, and begun when those that ran had been told to end.
                raise Shutdown
            return await lifecycle.run(broker.runtime, _delivery(args, kwargs), schema, service)

        run.__doc__ = service.__doc__
        decorate = dramatiq.actor(
            actor_class=_Actor,
            actor_name=schema.actor_name,
            queue_name=operation.queue,
            priority=operation.priority,
            store_results=True,
            preloads=tuple(preloads),
            # These are how a task ends, not accidents: logged by the lifecycle, without traceback.
            throws=(TaskFailed, RetryLater, Snooze, Shutdown),
        )
        return decorate(run)

    return declare


def _delivery(args: tuple[object, ...], kwargs: dict[str, object]) -> Delivery:
    message = CurrentMessage.get_current_message()
    if message is None:
        raise RuntimeError("an actor runs in a worker only; call its service instead")
    return Delivery(
        message_id=message.message_id,
        queue_name=message.queue_name,
        args=args,
        kwargs=kwargs,
        correlation_id=str(message.options.get("correlation_id") or message.message_id),
        retries=max(0, message.options.get("retries", 0)),
        priority=priority_of(message.options.get("priority")),
        sent_at=_sent_at(message.message_timestamp),
        trace_context=kept_trace_context(message.options),
    )


def _sent_at(timestamp_ms: float) -> datetime:
    """When a message was sent; now, if it names a year that there is not."""
    try:
        return datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.now(UTC)
