"""Brings tasks, messages and files together again after something was lost.

PostgreSQL says what is to be done, Redis only carries it. What has no message any more is sent once
more; what cannot run is closed; what a task left behind is set right or removed. A message too many
does no harm: its task has one lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.codes import ErrorCode
from lexiclass_core.db import SessionFactory
from lexiclass_core.documents import settle, unsettled
from lexiclass_core.envelope import Envelope
from lexiclass_core.models import Task
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queueing.entries import EntryRules
from lexiclass_core.queueing.envelopes import envelope_of, is_of_task, unsendable
from lexiclass_core.queueing.messages import DeadLetter, MessageStore
from lexiclass_core.schemas import TaskError
from lexiclass_core.tasks import idle
from lexiclass_core.tasks.idle import IdleTask
from lexiclass_core.tasks.reading import by_message_ids
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.execution.removal import FirstFailure, remove_deleted_projects, remove_pruned
from lexiclass_worker.repositories import reconciliation, stalled_sessions, workers
from lexiclass_worker.repositories.model_versions import VersionRow
from lexiclass_worker.setting_groups import ReconcilerSettings

T = TypeVar("T")

_PAGE_SIZE: Final = 5_000
_BATCH_SIZE: Final = 500
# A worker that runs says the rest of a statement within milliseconds.
_SHORTEST_SILENCE_S: Final = 10.0
# Listed as silent until then, for whoever looks what has become of it.
_WORKER_SILENCE_S: Final = 600.0


@dataclass(slots=True)
class ReconcilerReport:
    """What a pass did, or would do.

    Attributes:
        sent: Tasks whose message was lost, and is sent again.
        cancelled: Tasks that were to be cancelled, and that nobody runs.
        failed: Tasks that cannot run.
        versions: Model versions, by row id, whose training ended without them.
        removed: Files and folders that belong to nothing.
        settled: Projects with an addition of documents that was killed, and is settled now.
        disconnected: Sessions of stopped workers, by process id, that kept rows locked.
        workers: Workers, by name, that have said nothing for long.
    """

    sent: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    disconnected: list[int] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, list[Any]]:
        """The lists by name."""
        return asdict(self)

    def __bool__(self) -> bool:
        return any(self.as_dict().values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Looks at everything once at each call of :meth:`run`.

    Attributes:
        send: Puts a message on its queue; called in a thread.
        settings: How long something must have been left alone before it is touched.
        rules: Which messages workers run.
    """

    sessions: SessionFactory
    messages: MessageStore
    send: Callable[[Envelope], None]
    storage: Storage
    settings: ReconcilerSettings
    rules: EntryRules = field(default_factory=EntryRules)
    _examined: set[int] = field(default_factory=set, init=False)

    async def run(self, *, is_dry_run: bool = False) -> ReconcilerReport:
        """Set right what can be, or only say what would be.

        Raises:
            RedisError: If Redis does not answer: nobody knows then what it holds, and nothing is
                sent.
            SQLAlchemyError: If PostgreSQL does not.
            OSError: If the storage fails, once all has been done that can be.
        """
        report = await self.end_stalled_sessions(is_dry_run=is_dry_run)
        if not is_dry_run:
            async with self.sessions.begin() as session:
                report.workers = await workers.remove_silent(session, silence_s=_WORKER_SILENCE_S)
        await self._reconcile_tasks(report, is_dry_run=is_dry_run)
        await self._reconcile_versions(report, is_dry_run=is_dry_run)
        # What somebody has put into the storage may stop one of these, and no other.
        steps = (self._remove_files, self._settle_additions, self._remove_deleted_projects)
        failure = FirstFailure()
        for step in steps:
            with failure.kept():
                await step(report, is_dry_run=is_dry_run)
        failure.raise_it()
        return report

    async def end_stalled_sessions(self, *, is_dry_run: bool = False) -> ReconcilerReport:
        """Free the rows that stopped workers keep locked, or say which: the first part of a pass.

        Any process may do this at any time: whoever makes the passes may be the one that stopped.

        Raises:
            SQLAlchemyError: If PostgreSQL does not answer.
        """
        look = stalled_sessions.find if is_dry_run else stalled_sessions.end
        async with self.sessions() as session:
            silence_s = max(self.settings.interval_s, _SHORTEST_SILENCE_S)
            return ReconcilerReport(disconnected=await look(session, silence_s=silence_s))

    async def _reconcile_tasks(self, report: ReconcilerReport, *, is_dry_run: bool) -> None:
        async with self.sessions() as session:
            found = await idle.idle_tasks(
                session, quiet_s=self.settings.interval_s, page_size=_PAGE_SIZE
            )
        if not found:
            return
        lost, dead = await self._without_message(found)
        cancelled = [task for task in found if task.is_cancelled]
        unknown = [task for task in found if task.type not in OPERATIONS and not task.is_cancelled]
        if is_dry_run:
            report.sent = [task.id for task in lost]
            report.cancelled = [task.id for task in cancelled]
            report.failed = sorted(task.id for task in (*dead, *unknown))
            return
        report.cancelled = await self._settle(cancelled, idle.cancel)
        report.failed = sorted(
            [
                *await self._settle(dead, partial(idle.fail, error=_GIVEN_UP)),
                *await self._settle(unknown, partial(idle.fail, error=_UNKNOWN)),
            ]
        )
        for batch in _batches(lost, _BATCH_SIZE):
            sendable: list[Task] = []
            async with self.sessions.begin() as session:
                for task in await idle.claim(session, batch):
                    problem = unsendable(task, most_bytes=self.rules.most_bytes)
                    if problem is None:
                        sendable.append(task)
                    else:
                        report.failed += await idle.fail_claimed(session, task.id, problem)
            report.sent += await asyncio.to_thread(self._send, sendable)

    async def _without_message(
        self, idle_tasks: Sequence[IdleTask]
    ) -> tuple[list[IdleTask], list[IdleTask]]:
        """Tasks that no worker will get: those that got lost, and those that were given up."""
        tasks = [task for task in idle_tasks if task.type in OPERATIONS and not task.is_cancelled]
        queues = sorted({OPERATIONS[task.type].queue for task in tasks})
        ids = {task.message_id for task in tasks}
        found = await asyncio.to_thread(self.messages.find, queues, ids)
        missing = [task for task in tasks if task.message_id not in found]
        ids = {task.message_id for task in missing}
        letters = await asyncio.to_thread(self.messages.find_dead, queues, ids)
        buried = await self._buried(letters)
        lost = [task for task in missing if task.message_id not in buried]
        return lost, [task for task in missing if task.message_id in buried]

    async def _buried(self, letters: Sequence[DeadLetter]) -> set[str | None]:
        """The ids of those dead letters that are of the tasks with their ids, and were run.

        Others can be anybody's: the task's own message is lost all the same.
        """
        ids = {letter.message_id for letter in letters if letter.message_id is not None}
        async with self.sessions() as session:
            rows = await by_message_ids(session, ids)
        return {
            letter.message_id
            for letter in letters
            if (task := rows.get(letter.message_id)) is not None
            and is_of_task(letter.fields, task)
            and self.rules.refusal(letter.entry, letter.queue, letter.raw_key) is None
        }

    async def _settle(
        self,
        tasks: Sequence[IdleTask],
        settle: Callable[[AsyncSession, Sequence[IdleTask]], Awaitable[list[int]]],
    ) -> list[int]:
        closed: list[int] = []
        for batch in _batches(tasks, _BATCH_SIZE):
            async with self.sessions.begin() as session:
                closed += await settle(session, batch)
        return closed

    def _send(self, tasks: Sequence[Task]) -> list[int]:
        for task in tasks:
            self.send(envelope_of(task))
        return [task.id for task in tasks]

    async def _reconcile_versions(self, report: ReconcilerReport, *, is_dry_run: bool) -> None:
        async with self.sessions.begin() as session:
            versions = await reconciliation.unfinished_versions(session)
            report.versions = [version.id for version in versions]
            if not is_dry_run:
                if versions:
                    await reconciliation.fail_versions(session, versions)
                await reconciliation.settle_projects(session)

    async def _remove_files(self, report: ReconcilerReport, *, is_dry_run: bool) -> None:
        age_s = self.settings.orphan_age_s
        async with self.sessions() as session:
            versions = await reconciliation.failed_versions(session, older_than_s=age_s)

        failure = FirstFailure()
        with failure.kept():
            report.removed += await asyncio.to_thread(
                self.storage.remove_abandoned, older_than_s=age_s, is_dry_run=is_dry_run
            )
        for version in versions:
            with failure.kept():
                report.removed += await asyncio.to_thread(
                    self._remove_version, version, is_dry_run=is_dry_run
                )
        with failure.kept():
            pruned = await remove_pruned(self.sessions, self.storage, is_dry_run=is_dry_run)
            report.removed += [removal.path for removal in pruned if not removal.readers]
        failure.raise_it()

    async def _settle_additions(self, report: ReconcilerReport, *, is_dry_run: bool) -> None:
        failure = FirstFailure()
        for project_id, key in await asyncio.to_thread(unsettled, self.storage):
            with failure.kept():
                # One that is under way, or is being settled by its own process, is left alone.
                if is_dry_run or await settle(
                    self.sessions.begin, self.storage, project_id, key, waits=False
                ):
                    report.settled.append(project_id)
        failure.raise_it()

    async def _remove_deleted_projects(self, report: ReconcilerReport, *, is_dry_run: bool) -> None:
        report.removed += await remove_deleted_projects(
            self.sessions, self.storage, is_dry_run=is_dry_run
        )

    def _remove_version(self, version: VersionRow, *, is_dry_run: bool) -> list[str]:
        """Remove the folder of a failed version, which is looked for once in a process' life."""
        if version.id in self._examined:
            return []
        path = layout.model_directory(version.project_id, version.field_id, version.version)
        removed = [self.storage.locate(path)] if self.storage.is_directory(path) else []
        if removed and not is_dry_run:
            self.storage.remove(path)
        self._examined.add(version.id)
        return removed


def _batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


_GIVEN_UP: Final = TaskError(
    code=ErrorCode.INTERNAL_ERROR,
    message="its message is a dead letter that no run has made: the worker that took it lacks this "
    "actor, as one of an older release does, or failed to begin the task time after time; "
    "lexiclass-worker dead-letters replay sends it again once such workers are exchanged",
)
_UNKNOWN: Final = TaskError(
    code=ErrorCode.VALIDATION_ERROR,
    message=f"no actor has the name of its type: expected one of {', '.join(OPERATIONS)}",
)
