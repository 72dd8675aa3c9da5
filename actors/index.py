"""The front doors of indexing, and of the chunks of a large one."""

from lexiclass_core.schemas import (
    IndexChunkResult,
    IndexDocumentChunk,
    IndexDocuments,
    IndexResult,
)
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import bulk_indexing, indexing


@actor(IndexDocuments)
async def index_documents(task: TaskContext, request: IndexDocuments) -> IndexResult:
    """Index a project's documents."""
    return await indexing.index_documents(task, request)


@actor(IndexDocumentChunk)
async def index_document_chunk(task: TaskContext, request: IndexDocumentChunk) -> IndexChunkResult:
    """Make some shards of a large index."""
    return await bulk_indexing.index_document_chunk(task, request)
