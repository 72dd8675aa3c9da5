"""The front door of describing documents."""

from lexiclass_core.schemas import DescribeDocument, DescribeResult
from lexiclass_worker.actor import actor
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.services import description


@actor(DescribeDocument)
async def describe_document(task: TaskContext, request: DescribeDocument) -> DescribeResult:
    """Find out what only files tell of a document."""
    return await description.describe_document(task, request)
