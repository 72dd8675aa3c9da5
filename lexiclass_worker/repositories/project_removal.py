"""What rows know of projects that are deleted, and whose files go after them."""

from sqlalchemy import (
    delete,
    exists,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import (
    Document,
    Project,
    ProjectRemoval,
    Task,
    TaskStatus,
)
from lexiclass_core.schemas import DeleteProject
from lexiclass_core.tasks.states import has_lease, is_open


async def delete_some_documents(session: AsyncSession, project_id: int, *, most: int) -> int:
    """Delete some documents of a project, with their labels and predictions. Returns how many."""
    some = select(Document.id).where(Document.project_id == project_id).limit(most)
    deleted = await session.execute(
        delete(Document)
        .where(Document.id.in_(some))
        .returning(Document.id)
        .execution_options(synchronize_session=False)
    )
    return len(deleted.all())


async def delete_project(session: AsyncSession, project_id: int, *, message_id: str) -> int:
    """Delete a project and its tasks, but for that of the deletion itself; count the tasks.

    A task that is running loses its lease with its row.
    """
    await session.execute(
        delete(Project).where(Project.id == project_id).execution_options(synchronize_session=False)
    )
    tasks = await session.execute(
        delete(Task)
        .where(Task.project_id == project_id, Task.message_id != message_id)
        .returning(Task.id)
        .execution_options(synchronize_session=False)
    )
    return len(tasks.all())


async def is_removed(session: AsyncSession, project_id: int) -> bool:
    """Whether a project was deleted, and its files are still to be removed."""
    found = select(ProjectRemoval.id).where(ProjectRemoval.project_id == project_id)
    return await session.scalar(found) is not None


async def end_removal(session: AsyncSession, project_id: int) -> None:
    """Say that the files of a deleted project are gone."""
    await session.execute(
        delete(ProjectRemoval)
        .where(ProjectRemoval.project_id == project_id)
        .execution_options(synchronize_session=False)
    )


async def removable_projects(session: AsyncSession) -> list[int]:
    """Projects that were deleted, that nobody works on, and that no task is deleting."""
    of_project = Task.project_id == ProjectRemoval.project_id
    is_busy = exists().where(
        of_project,
        Task.status == TaskStatus.STARTED,
        has_lease(),
    )
    is_deleting = exists().where(
        of_project,
        Task.type == DeleteProject.actor_name,
        is_open(),
    )
    return list(
        await session.scalars(
            select(ProjectRemoval.project_id)
            .where(~exists().where(Project.id == ProjectRemoval.project_id), ~is_busy, ~is_deleting)
            .order_by(ProjectRemoval.project_id)
        )
    )


async def forget_project(session: AsyncSession, project_id: int) -> None:
    """Delete the task rows of a project that was deleted, but for those of its deletion."""
    await session.execute(
        delete(Task)
        .where(
            Task.project_id == project_id,
            Task.type != DeleteProject.actor_name,
            ~is_open(),
        )
        .execution_options(synchronize_session=False)
    )
