"""The texts of stored documents, whole or their beginning."""

import asyncio
from collections.abc import Iterable
from typing import Final

from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.jobs.document_refs import DocumentRef
from lexiclass_worker.services.inputs import project_documents

EXCERPT_CHARACTERS: Final = 120
"""Characters of a text's beginning."""


async def read_texts(
    context: AdminContext, project_id: int, documents: Iterable[DocumentRef]
) -> dict[int, str]:
    """The texts of documents of a project; those that cannot be read are left out.

    No file outside of the project's folder is read.
    """
    return await asyncio.to_thread(_read, context, project_id, list(documents))


def excerpt(text: str | None, characters: int = EXCERPT_CHARACTERS) -> str | None:
    """The beginning of a text on one line."""
    if text is None:
        return None
    # No more is looked at than can be needed: a line of blanks is rare, a long text is not.
    line = " ".join(text[: 8 * characters].split())
    if len(line) <= characters and len(text) <= 8 * characters:
        return line
    return line[: characters - 1].rstrip() + "…"


def _read(context: AdminContext, project_id: int, documents: list[DocumentRef]) -> dict[int, str]:
    # It loads NumPy, which a command that shows no text does not wait for.
    from lexiclass import Document  # noqa: PLC0415
    from lexiclass_worker.ml.documents import read_documents  # noqa: PLC0415

    source = project_documents(context.storage, context.settings, project_id)
    return {
        int(document.id): document.text
        for document in read_documents(source, documents)
        if isinstance(document, Document)
    }
