"""Deleting a project with all it has."""

import asyncio
from typing import Final

from lexiclass_core import layout
from lexiclass_core.documents import wait_for_additions
from lexiclass_core.models import Project
from lexiclass_core.schemas import DeleteProject, DeleteProjectResult
from lexiclass_core.tasks.cancelling import cancel_all
from lexiclass_worker.errors import NotFound
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.repositories import project_removal
from lexiclass_worker.repositories.locks import index_lock
from lexiclass_worker.services.erasure import wait_until_idle

# Documents that are deleted by one statement, each with its labels and predictions.
_TOGETHER: Final = 1_000


async def delete_project(task: TaskContext, request: DeleteProject) -> DeleteProjectResult:
    """Delete a project: its tasks are cancelled, then its rows go, then its files.

    From the moment its rows are deleted this database has a note of it. So, killed at any point, it
    can be run again and does the rest; the reconciler does it, too. Messages that name the project
    end as NOT_FOUND.

    Raises:
        NotFound: If there is no such project, and no file of it.
        WorkerError: What the storage failed with.
    """
    project_id = request.project_id
    root = layout.project_root(project_id)
    await _require(task, project_id)
    task.progress.plan({"wait": 20, "erase": 80})
    async with task.commit() as session:
        own = None if task.lease is None else task.lease.task_id
        await cancel_all(session, project_id, but=own)
    await wait_until_idle(task, project_id)
    async with task.sessions.begin() as session:
        await wait_for_additions(session, project_id)
    silence_s = task.settings.dramatiq.heartbeat_timeout_ms / 1000
    async with index_lock(task.sessions, project_id, silence_s=silence_s):
        task.progress.report("erase", 0, 1)
        num_documents = await _delete_documents(task, project_id)
        async with task.commit() as session:
            num_tasks = await project_removal.delete_project(
                session, project_id, message_id=task.message_id
            )
        await asyncio.to_thread(task.storage.remove, root)
    result = DeleteProjectResult(
        project_id=project_id, num_documents=num_documents, num_tasks=num_tasks
    )
    async with task.commit(result) as session:
        await project_removal.end_removal(session, project_id)
    return result


async def _delete_documents(task: TaskContext, project_id: int) -> int:
    """Delete the documents' rows bit by bit: a statement has a time limit, a project any size."""
    num_documents = 0
    while True:
        async with task.commit() as session:
            deleted = await project_removal.delete_some_documents(
                session, project_id, most=_TOGETHER
            )
        num_documents += deleted
        if not deleted:
            return num_documents


async def _require(task: TaskContext, project_id: int) -> None:
    async with task.sessions() as session:
        is_known = await session.get(Project, project_id) is not None
        is_known = is_known or await project_removal.is_removed(session, project_id)
    root = layout.project_root(project_id)
    if not is_known and not await asyncio.to_thread(task.storage.is_directory, root):
        raise NotFound(
            f"project {project_id} does not exist, and it has no files",
            details={"project_id": project_id},
        )
