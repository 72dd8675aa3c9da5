"""Sends a message again, or makes it a dead letter, as its run ended."""

import random
import time
from contextlib import suppress
from typing import Any, Final

import redis
from dramatiq import Broker
from dramatiq.broker import MessageProxy
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Interrupt, Middleware, Shutdown
from loguru import logger

from lexiclass_worker.causes import cause_of
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed

_MAX_UNEXPECTED_RETRIES: Final = 20
_MAX_UNEXPECTED_BACKOFF_MS: Final = 300_000
_REDIS_PAUSE_S: Final = 2.0


class Retries(Middleware):
    """Replaces Dramatiq's middleware of that name, which differs in three ways.

    There a shutdown uses up a retry, the number of attempts is the message's own count and not
    that of the task row, and each retry carries the traceback, with whatever it quotes, to Redis.
    """

    @property
    def actor_options(self) -> set[str]:
        """Senders may set these on messages of other workers; they have no effect here."""
        return {"max_retries", "min_backoff", "max_backoff", "throws", "retry_when"}

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Decide by the exception's kind."""
        del result
        match exception:
            case None:
                return
            case _ if message.options.get("is_reminder"):
                logger.info("The reminder did not end the task, whose message comes back itself")
            case TaskFailed() | ActorNotFound():
                message.fail()
            case RetryLater():
                message.options["retries"] = message.options.get("retries", 0) + 1
                _enqueue(broker, message, delay_ms=round(exception.delay_s * 1000))
            case Snooze():
                logger.info("{reason}: the message comes back", reason=str(exception))
                _enqueue(broker, message, delay_ms=round(exception.delay_s * 1000))
            case _ if _is_shutdown(exception):
                logger.info("Interrupted by a shutdown: the message goes back to its queue")
                _enqueue(broker, message, delay_ms=None)
            case _:
                self._retry_unexpected(broker, message, exception)

    def _retry_unexpected(
        self, broker: Broker, message: MessageProxy, exception: BaseException
    ) -> None:
        """An exception from outside the task's lifecycle: its row knows nothing of it."""
        # Whoever sends may have put anything there.
        retries = max(0, message.options.get("retries", 0))
        logger.opt(exception=exception).error("The message failed outside its task")
        if retries >= _MAX_UNEXPECTED_RETRIES:
            message.fail()
            return
        message.options["retries"] = retries + 1
        ceiling = min(_MAX_UNEXPECTED_BACKOFF_MS, 1000 * 2**retries)
        delay_ms = random.randint(ceiling // 2, ceiling)  # noqa: S311 - no secret
        _enqueue(broker, message, delay_ms=delay_ms)


def _enqueue(broker: Broker, message: MessageProxy, *, delay_ms: int | None) -> None:
    """Send a copy of the message, however long Redis is away.

    The original is acknowledged after this hook, and an exception in a hook is logged and
    forgotten: giving up would lose the message. A worker that is killed meanwhile loses nothing,
    for the original is then not acknowledged.
    """
    copy: Any = message.copy()
    is_sent = False
    while not is_sent:
        # A shutdown may come in between: once more too often does no harm.
        with suppress(Interrupt):
            is_sent = _try_to_enqueue(broker, copy, delay_ms=delay_ms)


def _try_to_enqueue(broker: Broker, message: Any, *, delay_ms: int | None) -> bool:
    try:
        broker.enqueue(message, delay=delay_ms)
    except redis.RedisError as error:
        logger.warning(
            "Redis did not take the message back ({error}); trying again in {seconds} s",
            error=cause_of(error),
            seconds=_REDIS_PAUSE_S,
        )
        time.sleep(_REDIS_PAUSE_S)
        return False
    return True


def _is_shutdown(exception: BaseException) -> bool:
    # A coroutine that did not end within a second is reported as a RuntimeError from the Shutdown.
    return isinstance(exception, Shutdown) or isinstance(exception.__cause__, Shutdown)
