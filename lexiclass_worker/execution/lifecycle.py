"""A task, from its message to what its row says afterwards.

Everything here happens inside the actor's body: an exception in a Dramatiq hook is logged and
lost, one in the body reaches the retries middleware.
"""

import asyncio
import time
from contextlib import ExitStack
from typing import Any

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.codes import ErrorCode
from lexiclass_core.db import single_statements
from lexiclass_core.db.errors import DATABASE_ERRORS, describe
from lexiclass_core.models import Task, TaskStatus
from lexiclass_core.operations import OPERATIONS, Operation
from lexiclass_core.queueing.envelopes import LONGEST_ID, kept_correlation_id
from lexiclass_core.schemas import Request
from lexiclass_core.storable import is_storable, storable
from lexiclass_core.tasks import admission, cancelling, starting
from lexiclass_core.tasks.errors import MessageIdTaken
from lexiclass_core.tasks.leases import Lease
from lexiclass_core.tasks.states import TASK
from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import DatabaseUnavailable, InvalidRequest
from lexiclass_worker.execution.attempt import Attempt
from lexiclass_worker.execution.delivery import Delivery, RequestT, Runtime, Service
from lexiclass_worker.execution.fan_out import telling_the_parent
from lexiclass_worker.execution.outcome import (
    LONGEST_DELAY_S,
    LOOK_AGAIN_S,
    MessageRefused,
    RetryLater,
    Snooze,
    TaskFailed,
    stored_outcome,
)
from lexiclass_worker.execution.overrides import configured, project_limits
from lexiclass_worker.execution.retry_policy import retry_delay_s
from lexiclass_worker.telemetry.counting import (
    Outcome,
    count_lapsed_lease,
    observe_task,
    observe_wait,
)
from lexiclass_worker.telemetry.tracing import AttemptSpan, attempt_span


async def run(
    runtime: Runtime, delivery: Delivery, schema: type[RequestT], service: Service[RequestT]
) -> dict[str, Any]:
    """Run a service for a message, once in effect however often it is delivered.

    Returns:
        The result as JSON, also when another delivery of the message produced it.

    Raises:
        TaskFailed: The task is failed for good, or cancelled.
        MessageRefused: The message has the id of another's task.
        RetryLater: The task is to be sent again.
        Snooze: It may not start now, or another worker runs it; the message is to be sent again.
    """
    operation = configured(OPERATIONS[schema.actor_name], runtime.settings)
    began = time.monotonic()
    outcome: Outcome = "failed"
    code: str | None = None
    with ExitStack() as context:
        span = AttemptSpan()
        try:
            task, lease = await _start(runtime, delivery, schema, operation)
            # The row's number: a message does not know of attempts that ended with a worker.
            context.enter_context(logger.contextualize(attempt=task.attempts))
            if lease is not None:
                span = context.enter_context(attempt_span(task))
                _observe_start(task, schema.actor_name, operation.queue)
            async with telling_the_parent(runtime, task):
                if lease is None:
                    outcome = "skipped"
                    logger.info("Already {status}: nothing is run again", status=task.status)
                    return stored_outcome(task)
                attempt = Attempt(
                    runtime=runtime, delivery=delivery, operation=operation, task=task, lease=lease
                )
                result = await attempt.run(schema, service)
                outcome = "succeeded"
        except (RetryLater, Snooze, TaskFailed, asyncio.CancelledError) as ending:
            if outcome != "skipped":
                outcome = _outcome_of(ending)
                code = ending.error.code if isinstance(ending, RetryLater | TaskFailed) else None
            raise
        else:
            return result
        finally:
            seconds = time.monotonic() - began
            actor, queue = schema.actor_name, operation.queue
            span.tell(outcome, code)
            observe_task(actor=actor, queue=queue, outcome=outcome, code=code, seconds=seconds)
            logger.info("Task {outcome} after {seconds:.3f} s", outcome=outcome, seconds=seconds)


def _observe_start(task: Task, actor: str, queue: str) -> None:
    if (waited_s := starting.wait_s(task)) is not None:
        observe_wait(queue=queue, seconds=waited_s)
    if starting.follows_a_silent_worker(task):
        count_lapsed_lease(actor=actor)


def _outcome_of(ending: BaseException) -> Outcome:
    match ending:
        case RetryLater():
            return "retrying"
        case Snooze():
            return "skipped"
        case TaskFailed() if ending.error.code == ErrorCode.CANCELLED:
            return "cancelled"
        case TaskFailed():
            return "failed"
        case _:
            return "interrupted"


async def _start(
    runtime: Runtime, delivery: Delivery, schema: type[Request], operation: Operation
) -> tuple[Task, Lease | None]:
    """Take the task's lease; without one there is nothing to run."""
    if not is_storable(delivery.message_id) or len(delivery.message_id) > LONGEST_ID:
        raise TaskFailed(
            InvalidRequest(
                f"the message id cannot be recorded: expected at most {LONGEST_ID} "
                f"characters, without NUL and lone surrogates, found {len(delivery.message_id)}"
            ).as_task_error()
        )
    project_id = delivery.kwargs.get("project_id")
    new = starting.NewTask(
        message_id=delivery.message_id,
        type=schema.actor_name,
        queue=operation.queue,
        project_id=project_id if _is_bigint(project_id) else None,
        request=storable(delivery.kwargs),
        correlation_id=kept_correlation_id(delivery.correlation_id),
        queued_at=delivery.sent_at,
        priority=delivery.priority,
        trace_context=delivery.trace_context,
    )
    if runtime.registry is not None:
        await runtime.registry.catch_up()
    limit = project_limits(runtime.settings).get(schema.actor_name)
    # What is counted must stay so until the lease is taken; without a limit nothing is counted.
    begin = runtime.sessions.begin() if limit else single_statements(runtime.sessions)
    try:
        async with begin as session:
            task, lease, refusal = await _take(runtime, session, new, operation, limit=limit)
            is_idle = lease is None and not TaskStatus(task.status).is_final
            due_in_s = await starting.due_in_s(session, task.id) if is_idle else 0.0
    except MessageIdTaken as error:
        logger.error("The message is not run: {reason}", reason=str(error))
        raise MessageRefused(InvalidRequest(str(error)).as_task_error()) from error
    except (*DATABASE_ERRORS, OSError) as error:
        # No row, no limit on attempts: a database that is down for a night loses no task.
        logger.warning("The task could not be started: {error}", error=cause_of(error))
        raise RetryLater(
            DatabaseUnavailable(
                f"PostgreSQL did not let the task start: {describe(error)}"
            ).as_task_error(),
            delay_s=retry_delay_s(operation.retry, delivery.retries + 1),
        ) from error
    if is_idle and due_in_s > 0:
        raise Snooze(
            f"task {task.id} is due in {due_in_s:.1f} s", delay_s=min(due_in_s, LONGEST_DELAY_S)
        )
    if is_idle and refusal is not None:
        raise Snooze(refusal, delay_s=LOOK_AGAIN_S)
    return task, lease


async def _take(
    runtime: Runtime,
    session: AsyncSession,
    new: starting.NewTask,
    operation: Operation,
    *,
    limit: int | None,
) -> tuple[Task, Lease | None, str | None]:
    """Take the lease, or find out why there is none to be had."""
    refusal = await admission.refusal(
        session,
        message_id=new.message_id,
        actor=new.type,
        project_id=new.project_id,
        limit=limit,
    )
    lease: Lease | None = None
    if refusal is None:
        task, lease = await starting.take(
            session, new, runtime.leases.holder, max_attempts=operation.retry.max_attempts
        )
    else:
        task = await starting.note(session, new)
    if lease is None:
        cancelled = await cancelling.cancel_requested(session, TASK.c.id == task.id)
        task = next(iter(cancelled), task)
    return task, lease, refusal


def _is_bigint(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63
