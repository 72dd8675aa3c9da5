"""A document: its text, its labels, what was predicted of it, what is like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lexiclass_console.serving import Page, View, existing
from lexiclass_console.texts import text_of
from lexiclass_core.client import TaskSnapshot
from lexiclass_core.documents.describing import latest_description
from lexiclass_core.documents.listing import documents_with
from lexiclass_core.documents.viewing import view_document


async def show(view: View) -> Page:
    """A document with each field of its project."""
    document_id = view.request.path_params["document_id"]
    document = existing(await view_document(view.session, document_id), "document")
    found = await latest_description(view.session, document.project_id, document.id)
    task = None if found is None else TaskSnapshot.of(found.task)
    result = None if found is None else found.result
    similar = [] if result is None else [each.document_id for each in result.similar]

    async def later() -> Mapping[str, Any]:
        text = await text_of(view, document.project_id, document.id, document.content_path)
        return {"text": text}

    return Page(
        template="document.html",
        values={
            "document": document,
            "description": result,
            "describing": task,
            "told": {}
            if task is None or task.status.is_final
            else await view.console.client.latest([task.id]),
            "field_names": {field.id: field.name for field in document.fields},
            "similar": {
                each.id: each
                for each in await documents_with(view.session, document.project_id, similar)
            },
        },
        later=later,
    )
