"""Binds what a log line should say about the task it belongs to."""

import threading
from contextlib import AbstractContextManager
from typing import Final

from dramatiq import Broker, Middleware
from dramatiq.broker import MessageProxy
from loguru import logger

from lexiclass_worker.config import Settings, unknown_variables
from lexiclass_worker.telemetry.logs import configure_logging

_LONGEST_ID: Final = 200


class LogContext(Middleware):
    """Every line logged while a message is processed carries the message's ids.

    List it first: its before-hook then runs before, and its after-hook after, those of all other
    middleware, and their lines carry the ids too. Async actors and threads started by
    ``asyncio.to_thread`` inherit the context.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bound = _Bound()

    def after_process_boot(self, _broker: Broker) -> None:
        """Set logging up in the worker process, whose stderr is now Dramatiq's pipe."""
        configure_logging(self._settings)
        for unknown in unknown_variables():
            if unknown.is_doubtful:
                logger.warning("No setting, so nothing looks at it: {}", unknown)

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Bind the ids."""
        # A thread that never came to its after-hook must not lend its ids to the next message.
        self._unbind()
        context = logger.contextualize(**_context(message))
        context.__enter__()
        self._bound.context = context

    def after_process_message(
        self,
        _broker: Broker,
        _message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """Let the ids go."""
        del result, exception
        self._unbind()

    def after_skip_message(self, _broker: Broker, _message: MessageProxy) -> None:
        """Let the ids go."""
        self._unbind()

    def _unbind(self) -> None:
        context, self._bound.context = self._bound.context, None
        if context is not None:
            context.__exit__(None, None, None)


class _Bound(threading.local):
    """What this worker thread has bound; nothing when the message was never started."""

    context: AbstractContextManager[None] | None = None


def _context(message: MessageProxy) -> dict[str, str | int]:
    """Only ids and names: arguments may be large, and of any type in a raw message."""
    context: dict[str, str | int] = {
        "message_id": _identifier(message.message_id),
        "actor": message.actor_name,
        "queue": message.queue_name,
    }
    for name in ("project_id", "field_id"):
        value = _integer(message.kwargs.get(name))
        if value is not None:
            context[name] = value
    context["correlation_id"] = _identifier(
        message.options.get("correlation_id") or message.message_id
    )
    return context


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _identifier(value: object) -> str:
    return str(value)[:_LONGEST_ID]
