"""One attempt at a task: its service, under its lease, and what the row says of it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from loguru import logger

from lexiclass_core.codes import ErrorCode
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.models import Task
from lexiclass_core.operations import Operation
from lexiclass_core.schemas import TaskError
from lexiclass_core.storable import DEEPEST, is_storable
from lexiclass_core.tasks import reading, transitions
from lexiclass_core.tasks.errors import LeaseLost
from lexiclass_core.tasks.leases import Lease
from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import (
    InvalidRequest,
    SandboxCrashed,
    StorageUnavailable,
    TimeLimitReached,
    WorkerError,
    WorkStopped,
    translate,
    without_secrets,
)
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.delivery import Delivery, RequestT, Runtime, Service
from lexiclass_worker.execution.fan_out import send_chunks
from lexiclass_worker.execution.interruption import Interruption
from lexiclass_worker.execution.outcome import (
    LOOK_AGAIN_S,
    LOOK_FOR_CHUNKS_S,
    FanOut,
    RetryLater,
    Snooze,
    TaskFailed,
    stored_outcome,
)
from lexiclass_worker.execution.progress import Progress
from lexiclass_worker.execution.progress_publisher import ProgressPublisher
from lexiclass_worker.execution.retry_policy import is_full_disk, is_tried_again, retry_delay_s
from lexiclass_worker.telemetry.counting import count_lost_lease
from lexiclass_worker.telemetry.tracing import StageSpans

# Dramatiq waits one second for an interrupted coroutine before it gives up on it.
_RELEASE_TIMEOUT_S: Final = 0.6

# Each unknown argument, or field of one, would be a problem that is listed.
_MOST_NAMED: Final = 50
_MOST_KEYS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt that has been counted, and has the task's lease."""

    runtime: Runtime
    delivery: Delivery
    operation: Operation
    task: Task
    lease: Lease

    async def run(self, schema: type[RequestT], service: Service[RequestT]) -> dict[str, Any]:
        """Do the work and close the row.

        Returns:
            The result as JSON; that of the worker which took the task over, if one did.

        Raises:
            TaskFailed: The task is failed for good, or cancelled.
            RetryLater: The task is to be sent again.
            Snooze: Another worker has taken the task over and is not done, or the task waits: for
                its chunks, or for others to end.
        """
        interruption = Interruption()
        try:
            with self.runtime.leases.keeping(self.lease, interruption):
                try:
                    self._refuse_crash_loop()
                    return await self._serve(schema, service, interruption)
                except (LeaseLost, FanOut, Snooze):
                    raise
                except Exception as error:
                    raise await self._settle(error) from error
        except asyncio.CancelledError:
            await self._release()
            raise
        except LeaseLost as lost:
            count_lost_lease(actor=self.task.type)
            logger.warning("The attempt is given up: {reason}", reason=str(lost))
            return await self._outcome_elsewhere()
        except FanOut as fan_out:
            await send_chunks(self.runtime, fan_out.task_id)
            raise Snooze(str(fan_out), delay_s=LOOK_FOR_CHUNKS_S) from fan_out
        finally:
            if self.runtime.live is not None:
                self.runtime.live.tell_change(self.task.id)

    async def _serve(
        self, schema: type[RequestT], service: Service[RequestT], interruption: Interruption
    ) -> dict[str, Any]:
        request = self._validate(schema)
        await asyncio.to_thread(self.runtime.storage.require_root)
        stages = StageSpans()
        progress = Progress(on_stage=stages.enter)
        context = TaskContext(
            message_id=self.delivery.message_id,
            settings=self.runtime.settings,
            sessions=self.runtime.sessions,
            storage=self.runtime.storage,
            sandbox=self.runtime.sandbox,
            progress=progress,
            lease=self.lease,
            interruption=interruption,
            began_at=self.task.started_at or datetime.now(UTC),
            num_chunks=self.task.num_chunks,
            before=TaskError.of_row(self.task.error),
        )
        limit_s = self.operation.time_limit_s

        def time_is_up() -> None:
            stage = progress.stage or "start"
            interruption.stop(
                TimeLimitReached(
                    f"stopped at the time limit of {limit_s:g} s, in stage {stage!r}",
                    details={"time_limit_s": limit_s, "stage": progress.stage},
                )
            )

        limit = asyncio.get_running_loop().call_later(limit_s, time_is_up)
        try:
            async with self._publisher(progress), interruption:
                result = await service(context, request)
                if not context.is_closed:
                    async with context.commit(result):
                        pass
        except SandboxCrashed as crash:
            crash.details.setdefault("stage", progress.stage)
            raise
        finally:
            limit.cancel()
            stages.close()
        return result.model_dump(mode="json")

    def _publisher(self, progress: Progress) -> ProgressPublisher:
        runtime = self.runtime
        return ProgressPublisher(progress, runtime.sessions, self.lease, self.task, runtime.live)

    def _validate(self, schema: type[RequestT]) -> RequestT:
        if self.delivery.args:
            raise InvalidRequest(
                f"{schema.actor_name} takes keyword arguments only, "
                f"found {len(self.delivery.args)} positional"
            )
        names, fields = self.delivery.kwargs.keys(), schema.model_fields.keys()
        if len(names - fields) > _MOST_NAMED:
            raise InvalidRequest(
                f"{schema.actor_name} has no such arguments: {len(names - fields)} of the "
                f"{len(names)} found; expected some of {', '.join(fields)}"
            )
        for name, value in self.delivery.kwargs.items():
            if isinstance(value, dict) and len(value) > _MOST_KEYS:
                raise InvalidRequest(
                    f"the argument {name} has {len(value)} fields: expected at most {_MOST_KEYS}"
                )
        if not is_storable(self.delivery.kwargs):
            raise InvalidRequest(
                "the arguments hold what JSON or PostgreSQL has no place for: NUL characters, "
                "lone surrogates, NaN, infinities, or more than "
                f"{DEEPEST} levels"
            )
        return schema.model_validate(dict(self.delivery.kwargs))

    def _refuse_crash_loop(self) -> None:
        made, crashes = self.task.attempts - 1, self.task.crashes
        allowed, crashes_allowed = (
            self.operation.retry.max_attempts,
            self.operation.retry.max_crashes,
        )
        if made < allowed and crashes < crashes_allowed:
            return
        last = TaskError.of_row(self.task.error)
        cause = "the worker died in them, or lost its database" if last is None else last.message
        raise _CrashLoop(
            f"none of the {made} attempts before this one came to an end, "
            f"{crashes} of them with a crash; the last: {cause}",
            details={
                "attempts": made,
                "max_attempts": allowed,
                "crashes": crashes,
                "max_crashes": crashes_allowed,
                "last": {} if last is None else last.details,
            },
        )

    async def _settle(self, error: Exception) -> TaskFailed | RetryLater:
        """Write what the attempt failed with; the exception says what the message becomes.

        Raises:
            LeaseLost: If that is not for this worker to say.
        """
        failure = translate(error)
        if failure.code is ErrorCode.INTERNAL_ERROR:
            logger.opt(exception=error).error("Task {id} failed unexpectedly", id=self.task.id)
            # Whose log has the traceback.
            failure.details.setdefault("worker", self.runtime.leases.holder.name)
            failure.details.setdefault("message_id", self.delivery.message_id)
        policy, attempts = self.operation.retry, self.task.attempts
        crashes = self.task.crashes + isinstance(failure, SandboxCrashed)
        described = without_secrets(failure.as_task_error(), self.runtime.settings.redact)
        described.details.setdefault("attempts", attempts)
        delay_s = retry_delay_s(policy, attempts, is_full_disk=is_full_disk(failure))
        # A task whose work was not begun waits: for however long it takes to make room.
        counts = not isinstance(failure, StorageUnavailable) or failure.is_begun
        comes_back = not counts or is_tried_again(
            policy, failure, attempts=attempts, crashes=crashes
        )
        logger.warning(
            "Attempt {attempts} of {allowed} ended: {code}: {message}",
            attempts=attempts,
            allowed=policy.max_attempts,
            code=described.code,
            message=described.message,
        )
        try:
            async with self.runtime.sessions.begin() as session:
                if comes_back:
                    await transitions.retry(
                        session,
                        self.lease,
                        described,
                        delay_s=delay_s,
                        crashes=crashes,
                        counts=counts,
                    )
                elif isinstance(failure, WorkStopped):
                    await transitions.cancel(session, self.lease, described)
                else:
                    await transitions.fail(session, self.lease, described, crashes=crashes)
        except (*DATABASE_ERRORS, OSError) as closing:
            # Send the message again, and close the row then.
            self.runtime.leases.leave(self.lease)
            logger.warning("The row could not be written: {error}", error=cause_of(closing))
            return RetryLater(described, delay_s=delay_s)
        return RetryLater(described, delay_s=delay_s) if comes_back else TaskFailed(described)

    async def _release(self) -> None:
        try:
            async with (
                asyncio.timeout(_RELEASE_TIMEOUT_S),
                self.runtime.sessions.begin() as session,
            ):
                await transitions.release(session, self.lease)
        except LeaseLost as lost:
            logger.info("Nothing to release: {reason}", reason=str(lost))
        except (*DATABASE_ERRORS, OSError) as error:
            # The message goes back to its queue all the same, and waits until the lease lapses.
            logger.warning("The row could not be released: {error}", error=cause_of(error))

    async def _outcome_elsewhere(self) -> dict[str, Any]:
        try:
            async with self.runtime.sessions.begin() as session:
                task = await reading.get(session, self.task.id)
        except (*DATABASE_ERRORS, OSError) as error:
            raise Snooze(
                "the task was taken over, and its row cannot be read", delay_s=LOOK_AGAIN_S
            ) from error
        if task is None:
            raise TaskFailed(WorkStopped("the task's row was deleted").as_task_error())
        return stored_outcome(task)


class _CrashLoop(WorkerError):
    code = ErrorCode.CRASHED
