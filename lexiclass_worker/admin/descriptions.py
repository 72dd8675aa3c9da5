"""Where documents are from and how they begin, beside what is found out about them."""

from collections.abc import Collection
from typing import NamedTuple

from lexiclass_core.db import SessionFactory
from lexiclass_worker.admin.texts import excerpt, read_texts
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import Settings
from lexiclass_worker.repositories import document_rows


class Description(NamedTuple):
    """What people know a document by.

    Attributes:
        excerpt: The beginning of its text; None if it cannot be read.
    """

    source_id: str | None = None
    source: str | None = None
    excerpt: str | None = None


async def describe(
    sessions: SessionFactory,
    storage: Storage,
    settings: Settings,
    project_id: int,
    document_ids: Collection[int],
) -> dict[int, Description]:
    """The descriptions of documents of a project; one that is gone has an empty one."""
    async with sessions() as session:
        rows = await document_rows.sources_of(session, project_id, list(document_ids))
    places = [(row.document_id, row.content_path) for row in rows.values()]
    texts = await read_texts(storage, settings, project_id, places)
    found = dict.fromkeys(document_ids, Description())
    for number, row in rows.items():
        found[number] = Description(row.source_id, row.source, excerpt(texts.get(number)))
    return found
