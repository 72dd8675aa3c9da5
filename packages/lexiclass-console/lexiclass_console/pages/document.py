"""A document: its text, its labels, what was predicted of it."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from lexiclass_console.serving import Page, View
from lexiclass_console.texts import ShownText, text_of
from lexiclass_core.documents.viewing import view_document


async def show(view: View) -> Page:
    """A document with each field of its project."""
    document = await view_document(view.session, view.request.path_params["document_id"])
    if document is None:
        raise HTTPException(404, "There is no such document: its id is wrong, or it was deleted.")
    text = (
        # What is kept up to date is beside it.
        ShownText()
        if view.is_streamed
        else await text_of(view, document.project_id, document.id, document.content_path)
    )
    return Page(template="document.html", values={"document": document, "text": text})
