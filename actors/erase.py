"""The front doors of erasing: documents, and whole projects."""

from lexiclass_core.schemas import (
    DeleteProject,
    DeleteProjectResult,
    EraseDocuments,
    EraseResult,
)
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import erasure, project_deletion


@actor(EraseDocuments)
async def erase_documents(task: TaskContext, request: EraseDocuments) -> EraseResult:
    """Delete documents and what is known of them."""
    return await erasure.erase_documents(task, request)


@actor(DeleteProject)
async def delete_project(task: TaskContext, request: DeleteProject) -> DeleteProjectResult:
    """Delete a project with all it has."""
    return await project_deletion.delete_project(task, request)
