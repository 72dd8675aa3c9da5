"""One attempt of one task, from its message to what its row says afterwards.

Everything here happens inside the actor's body: an exception in a Dramatiq hook is logged and
lost, one in the body reaches the retries middleware.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from loguru import logger
from sqlalchemy.exc import SQLAlchemyError

from lexiclass_core.codes import ErrorCode
from lexiclass_core.db import SessionFactory
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.queue_config import Route
from lexiclass_core.schemas import Request, Result, TaskError
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import (
    DatabaseUnavailable,
    InvalidRequest,
    TimeLimitReached,
    WorkerError,
    translate,
)
from lexiclass_worker.repositories import tasks
from lexiclass_worker.storage import Storage
from lexiclass_worker.tasks.context import TaskContext
from lexiclass_worker.tasks.outcome import RetryLater, TaskFailed
from lexiclass_worker.tasks.policy import has_attempts_left, retry_delay_s, route_of
from lexiclass_worker.tasks.progress import Progress, ProgressWriter
from lexiclass_worker.tasks.storable import DEEPEST, is_storable, storable
from lexiclass_worker.telemetry.metrics import Outcome, observe_task

RequestT = TypeVar("RequestT", bound=Request)
Service = Callable[[TaskContext, RequestT], Awaitable[Result]]

# Dramatiq waits one second for an interrupted coroutine before it gives up on it.
_RELEASE_TIMEOUT_S: Final = 0.6

# What the index of task rows takes is 2,704 bytes, 4 for a character at most.
_LONGEST_MESSAGE_ID: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as it was delivered.

    Attributes:
        args: Positional arguments; there should be none.
        retries: How often this message was sent again so far.
        sent_at: When it was first sent.
    """

    message_id: str
    queue_name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    correlation_id: str
    retries: int
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a worker process has for its tasks."""

    settings: Settings
    sessions: SessionFactory
    storage: Storage


async def run(
    runtime: Runtime, delivery: Delivery, schema: type[RequestT], service: Service[RequestT]
) -> dict[str, Any]:
    """Run a service for a message, once in effect however often it is delivered.

    Returns:
        The result as JSON, also when an earlier delivery of the message produced it.

    Raises:
        TaskFailed: The task is failed for good.
        RetryLater: The task is to be sent again.
    """
    route = route_of(schema.actor_name, runtime.settings)
    began = time.monotonic()
    task = await _start(runtime, delivery, schema, route)
    if TaskStatus(task.status).is_final:
        logger.info("Already {status}: nothing is run again", status=task.status)
        observe_task(
            actor=schema.actor_name,
            queue=route.queue,
            outcome="skipped",
            seconds=time.monotonic() - began,
        )
        return _stored_outcome(task)
    attempt = _Attempt(runtime=runtime, delivery=delivery, route=route, task=task)
    outcome: Outcome = "failed"
    try:
        result = await attempt.run(schema, service)
    except RetryLater:
        outcome = "retrying"
        raise
    except asyncio.CancelledError:
        outcome = "interrupted"
        raise
    else:
        outcome = "succeeded"
        return result
    finally:
        seconds = time.monotonic() - began
        observe_task(actor=schema.actor_name, queue=route.queue, outcome=outcome, seconds=seconds)
        logger.info("Task {outcome} after {seconds:.3f} s", outcome=outcome, seconds=seconds)


async def _start(runtime: Runtime, delivery: Delivery, schema: type[Request], route: Route) -> Task:
    if not is_storable(delivery.message_id) or len(delivery.message_id) > _LONGEST_MESSAGE_ID:
        raise TaskFailed(
            InvalidRequest(
                f"the message id cannot be recorded: expected at most {_LONGEST_MESSAGE_ID} "
                f"characters, without NUL and lone surrogates, found {len(delivery.message_id)}"
            ).as_task_error()
        )
    project_id = delivery.kwargs.get("project_id")
    new = tasks.NewTask(
        message_id=delivery.message_id,
        type=schema.actor_name,
        project_id=project_id if _is_bigint(project_id) else None,
        request=storable(delivery.kwargs),
        correlation_id=storable(delivery.correlation_id),
        queued_at=delivery.sent_at,
    )
    try:
        async with runtime.sessions.begin() as session:
            return await tasks.start(session, new, max_attempts=route.retry.max_attempts)
    except (SQLAlchemyError, OSError) as error:
        # No row, no limit on attempts: a database that is down for a night loses no task.
        logger.warning("The task could not be started: {error}", error=type(error).__name__)
        raise RetryLater(
            DatabaseUnavailable(
                "PostgreSQL could not be reached to start the task"
            ).as_task_error(),
            delay_s=retry_delay_s(route.retry, delivery.retries + 1),
        ) from error


def _is_bigint(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _stored_outcome(task: Task) -> dict[str, Any]:
    if task.result is not None:
        return task.result
    error = task.error or {"code": ErrorCode.CANCELLED, "message": "the task was cancelled"}
    raise TaskFailed(TaskError.model_validate(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One attempt that has been counted."""

    runtime: Runtime
    delivery: Delivery
    route: Route
    task: Task

    async def run(self, schema: type[RequestT], service: Service[RequestT]) -> dict[str, Any]:
        try:
            self._refuse_crash_loop()
            result = await self._serve(schema, service)
            async with self.runtime.sessions.begin() as session:
                await tasks.succeed(session, self.task.id, result)
        except asyncio.CancelledError:
            await self._release()
            raise
        except Exception as error:
            raise await self._settle(error) from error
        return result

    async def _serve(self, schema: type[RequestT], service: Service[RequestT]) -> dict[str, Any]:
        if self.delivery.args:
            raise InvalidRequest(
                f"{schema.actor_name} takes keyword arguments only, "
                f"found {len(self.delivery.args)} positional"
            )
        if not is_storable(self.delivery.kwargs):
            raise InvalidRequest(
                "the arguments hold what JSON or PostgreSQL has no place for: NUL characters, "
                "lone surrogates, NaN, infinities, or more than "
                f"{DEEPEST} levels"
            )
        request = schema.model_validate(dict(self.delivery.kwargs))
        progress = Progress()
        context = TaskContext(
            message_id=self.delivery.message_id,
            settings=self.runtime.settings,
            sessions=self.runtime.sessions,
            storage=self.runtime.storage,
            progress=progress,
        )
        limit_s = self.route.time_limit_s
        async with ProgressWriter(progress, self.runtime.sessions, self.task.id):
            try:
                async with asyncio.timeout(limit_s) as deadline:
                    result = await service(context, request)
            except TimeoutError as error:
                if not deadline.expired():
                    raise
                raise TimeLimitReached(
                    f"stopped at the time limit of {limit_s:g} s, in stage "
                    f"{progress.stage or 'start'!r}",
                    details={"time_limit_s": limit_s, "stage": progress.stage},
                ) from error
        return result.model_dump(mode="json")

    def _refuse_crash_loop(self) -> None:
        allowed, made = self.route.retry.max_attempts, self.task.attempts
        if made > allowed:
            raise _CrashLoop(
                f"none of the {made - 1} attempts before this one came to an end: "
                "the worker died in them, or lost its database",
                details={"attempts": made - 1, "max_attempts": allowed},
            )

    async def _settle(self, error: Exception) -> TaskFailed | RetryLater:
        """Write what the attempt failed with; the exception says what the message becomes."""
        failure = translate(error)
        if failure.code is ErrorCode.INTERNAL_ERROR:
            logger.opt(exception=error).error("The task failed unexpectedly")
        attempts, policy = self.task.attempts, self.route.retry
        described = failure.as_task_error()
        described.details.setdefault("attempts", attempts)
        delay_s = retry_delay_s(policy, attempts)
        is_tried_again = failure.retryable and has_attempts_left(policy, attempts)
        logger.warning(
            "Attempt {attempts} of {allowed} failed: {code}: {message}",
            attempts=attempts,
            allowed=policy.max_attempts,
            code=described.code,
            message=described.message,
        )
        try:
            async with self.runtime.sessions.begin() as session:
                if is_tried_again:
                    await tasks.retry(session, self.task.id, described, delay_s=delay_s)
                else:
                    await tasks.fail(session, self.task.id, described)
        except (SQLAlchemyError, OSError) as closing:
            # Send the message again, and close the row then.
            logger.warning("The row could not be written: {error}", error=type(closing).__name__)
            return RetryLater(described, delay_s=delay_s)
        return RetryLater(described, delay_s=delay_s) if is_tried_again else TaskFailed(described)

    async def _release(self) -> None:
        try:
            async with (
                asyncio.timeout(_RELEASE_TIMEOUT_S),
                self.runtime.sessions.begin() as session,
            ):
                await tasks.release(session, self.task.id)
        except (SQLAlchemyError, OSError) as error:
            # The message goes back to its queue all the same; its next start takes the row over.
            logger.warning("The row could not be released: {error}", error=type(error).__name__)


class _CrashLoop(WorkerError):
    code = ErrorCode.CRASHED
