"""What rows know of documents that are to be erased."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Row,
    and_,
    any_,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import (
    Document,
    Field,
    Model,
    Task,
)
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.tasks.leases import running_tasks
from lexiclass_worker.repositories.model_versions import VersionOfField
from lexiclass_worker.repositories.traces import without_documents

_PAGE: Final = 500


class Erased(NamedTuple):
    """Documents as they are before they are deleted.

    Attributes:
        paths: What the rows say of where their texts lie.
        came: When each of them came.
    """

    paths: dict[int, str | None]
    came: dict[int, datetime]


async def find(session: AsyncSession, project_id: int, ids: Sequence[int]) -> Erased:
    """Those of some documents that are the project's."""
    rows = (
        await session.execute(
            select(Document.id, Document.content_path, Document.created_at).where(
                Document.project_id == project_id, _is_any(Document.id, ids)
            )
        )
    ).all()
    return Erased(
        paths={document_id: path for document_id, path, _ in rows},
        came={document_id: created_at for document_id, _, created_at in rows},
    )


async def delete_documents(session: AsyncSession, project_id: int, ids: Sequence[int]) -> None:
    """Delete documents of a project, with their labels and predictions."""
    await session.execute(
        delete(Document)
        .where(Document.project_id == project_id, _is_any(Document.id, ids))
        .execution_options(synchronize_session=False)
    )


async def now(session: AsyncSession) -> datetime:
    """The database's clock."""
    moment: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def running(
    session: AsyncSession, project_id: int, *, message_id: str, until: datetime | None = None
) -> list[int]:
    """The tasks of a project that run, but for one.

    With ``until``, those that had begun before that moment and write of documents.
    """
    others = and_(Task.project_id == project_id, Task.message_id != message_id)
    if until is not None:
        quoting = [name for name, each in OPERATIONS.items() if each.quotes_documents]
        others = and_(others, Task.started_at <= until, Task.type.in_(quoting))
    return await running_tasks(session, others)


async def versions_since(
    session: AsyncSession, project_id: int, since: datetime
) -> list[VersionOfField]:
    """The versions of a project that have files and were trained since a moment."""
    trained = (
        select(Model.field_id, Model.version)
        .join(Field, Field.id == Model.field_id)
        .where(
            Field.project_id == project_id,
            Model.files_removed_at.is_(None),
            func.coalesce(Model.trained_at, Model.updated_at) >= since,
        )
        .order_by(Model.field_id, Model.version)
    )
    return [VersionOfField(*row) for row in await session.execute(trained)]


async def forget_documents(session: AsyncSession, project_id: int, ids: Collection[int]) -> None:
    """Take the numbers of documents out of what tasks and models of a project say.

    Out of requests, results, errors and metrics, that is; rows that name none stay as they are.
    """
    await session.execute(_ERASING)
    await _forget_in_tasks(session, project_id, ids)
    models = await session.execute(
        select(Model.id, Model.metrics)
        .join(Field, Field.id == Model.field_id)
        .where(Field.project_id == project_id)
    )
    await _rewrite(session, Model, _that_name(models.all(), ids), ids)
    await session.execute(_FORGET_ERRORS, {"project_id": project_id, "ids": list(ids)})
    await session.execute(_FORGET_NEIGHBOURS, {"project_id": project_id, "ids": list(ids)})


async def _forget_in_tasks(session: AsyncSession, project_id: int, ids: Collection[int]) -> None:
    after = 0
    while True:
        page = (
            await session.execute(
                select(Task.id, Task.request, Task.result, Task.error)
                .where(Task.project_id == project_id, Task.id > after)
                .order_by(Task.id)
                .limit(_PAGE)
            )
        ).all()
        await _rewrite(session, Task, _that_name(page, ids), ids)
        if len(page) < _PAGE:
            return
        after = page[-1].id


def _that_name(rows: Sequence[Row[*tuple[Any, ...]]], ids: Collection[int]) -> list[int]:
    """Those of some rows, each an id and what is said, that say something of documents."""
    return [row.id for row in rows if without_documents(list(row[1:]), ids) != list(row[1:])]


async def _rewrite(
    session: AsyncSession,
    table: type[Task] | type[Model],
    row_ids: Sequence[int],
    ids: Collection[int],
) -> None:
    """Take documents out of rows, which are read anew: a task may have ended since."""
    if not row_ids:
        return
    columns = (Task.request, Task.result, Task.error) if table is Task else (Model.metrics,)
    rows = await session.execute(
        select(table.id, *columns)
        .where(_is_any(table.id, row_ids))
        .order_by(table.id)
        .with_for_update()
    )
    for row_id, *said in rows.all():
        changed = {
            column.key: rest
            for column, value in zip(columns, said, strict=True)
            if (rest := without_documents(value, ids)) != value
        }
        if changed:
            await session.execute(
                update(table)
                .where(table.id == row_id)
                .values(changed)
                .execution_options(synchronize_session=False)
            )


def _is_any(column: Any, ids: Sequence[int]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = column == any_(bindparam(None, list(ids), type_=ARRAY(BigInteger)))
    return found


# What final tasks say never changes otherwise.
_ERASING: Final = text("SELECT set_config('lexiclass.erases', 'on', true)")
_FORGET_ERRORS: Final = text(
    """
    UPDATE model SET (test_errors, test_error_labels, test_error_predictions) = (
        SELECT coalesce(array_agg(error ORDER BY place), '{}'),
            CASE WHEN test_error_labels IS NOT NULL
                THEN coalesce(array_agg(label ORDER BY place), '{}') END,
            CASE WHEN test_error_predictions IS NOT NULL
                THEN coalesce(array_agg(prediction ORDER BY place), '{}') END
        FROM unnest(test_errors, test_error_labels, test_error_predictions)
            WITH ORDINALITY AS errors (error, label, prediction, place)
        WHERE error <> ALL(CAST(:ids AS bigint[]))
    )
    FROM field
    WHERE field.id = model.field_id AND field.project_id = :project_id
        AND test_errors && CAST(:ids AS bigint[])
    """
)
_FORGET_NEIGHBOURS: Final = text(
    """
    UPDATE label_suspect SET neighbours = ARRAY(
        SELECT neighbour FROM unnest(neighbours) WITH ORDINALITY AS alike (neighbour, place)
        WHERE neighbour <> ALL(CAST(:ids AS bigint[])) ORDER BY place
    )
    FROM field
    WHERE field.id = label_suspect.field_id AND field.project_id = :project_id
        AND neighbours && CAST(:ids AS bigint[])
    """
)
