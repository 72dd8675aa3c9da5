"""Adding documents to a project, and replacing those it has.

The files of an addition and its rows become visible together. New texts are written to their
places before there are rows that name them. A text that replaces another is written to a place of
its own, and the row names that from the commit on; then
:func:`~lexiclass_core.documents.settling.settle` brings it to the usual place. Whoever reads by the
row sees the old text until the commit and the new one after it. What an addition has written is
noted before, so that one that was killed can be tidied up after.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db import Transaction
from lexiclass_core.documents.addition import Addition
from lexiclass_core.documents.fields import lock_documents
from lexiclass_core.documents.ownership import require_own, this_database
from lexiclass_core.documents.settling import settle
from lexiclass_core.documents.texts import TextStore

_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def adding(
    transaction: Transaction, texts: TextStore, project_id: int
) -> AsyncIterator[Addition]:
    """Add documents to a project: all of them where the block ends well, or after an error none.

    Two additions to a project run one after the other. The project may be one that another
    transaction has just made, but not an open one: see :func:`adding_in`.

    Raises:
        ProjectNotFound: If there is none.
        ForeignStorage: If the texts would go to the storage of another database.
    """

    async def open_project(session: AsyncSession) -> int:
        del session
        return project_id

    async with adding_in(transaction, texts, open_project) as addition:
        yield addition


@asynccontextmanager
async def adding_in(
    transaction: Transaction,
    texts: TextStore,
    open_project: Callable[[AsyncSession], Any],
) -> AsyncIterator[Addition]:
    """As :func:`adding`; the project is what a coroutine finds or makes in the same transaction."""
    key = uuid4().hex
    project_id: int | None = None
    try:
        async with transaction() as session:
            project_id = int(await open_project(session))
            await lock_documents(session, project_id)
            database = await this_database(session)
            await asyncio.to_thread(require_own, texts, database)
            yield Addition(session, texts, project_id, key, database)
    finally:
        # Also after an error: rows that are not there need no files. And if only the answer to the
        # commit was lost the rows are there.
        if project_id is not None:
            await _settle(transaction, texts, project_id, key)


async def _settle(transaction: Transaction, texts: TextStore, project_id: int, key: str) -> None:
    """Settle an addition, or leave it to the reconciler: the addition itself has ended already."""
    try:
        await settle(transaction, texts, project_id, key)
    except Exception as error:  # noqa: BLE001 - whatever it is, the addition came to what it came to
        _log.warning(
            "files of an addition of documents to project %s could not be tidied up; the "
            "reconciler of the workers will: %r",
            project_id,
            error,
        )
