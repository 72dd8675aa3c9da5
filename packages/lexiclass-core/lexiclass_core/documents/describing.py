"""What a worker has found out of a document, for whoever looks at it."""

from typing import Final, NamedTuple

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from lexiclass_core.models import Task
from lexiclass_core.schemas import DescribeDocument, DescribeResult

_MOST_LOOKED_AT: Final = 1_000


class Description(NamedTuple):
    """The latest look-up of a document.

    Attributes:
        result: What came of it; None where it has not ended, or not well.
    """

    task: Task
    result: DescribeResult | None


async def latest_description(
    session: AsyncSession, project_id: int, document_id: int
) -> Description | None:
    """The latest task that describes a document, among the last 1,000 of its kind."""
    recent = (
        select(Task)
        .where(Task.type == DescribeDocument.actor_name)
        .order_by(Task.id.desc())
        .limit(_MOST_LOOKED_AT)
        .subquery()
    )
    task = aliased(Task, recent)
    found = await session.scalar(
        select(task)
        .where(
            task.project_id == project_id,
            task.request["document_id"].astext == str(document_id),
        )
        .order_by(task.id.desc())
        .limit(1)
    )
    return None if found is None else Description(found, _result(found))


def _result(task: Task) -> DescribeResult | None:
    try:
        return DescribeResult.model_validate(task.result)
    except ValidationError:
        # Without one yet, or an erasure has taken a document out of it.
        return None
