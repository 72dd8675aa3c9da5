"""The front door of indexing."""

from lexiclass_core.schemas import IndexDocuments, IndexResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import indexing


@actor(IndexDocuments)
async def index_documents(task: TaskContext, request: IndexDocuments) -> IndexResult:
    """Index a project's documents."""
    return await indexing.index_documents(task, request)
