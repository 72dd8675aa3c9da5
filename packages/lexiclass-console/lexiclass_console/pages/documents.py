"""The documents of a project, by what the address asks for."""

from __future__ import annotations

from typing import Any, Final

from lexiclass_console.serving import Page, View, existing
from lexiclass_core.documents.browsing import MOST_LOOKED_AT, DocumentQuery, list_documents
from lexiclass_core.documents.overview import project_overview
from lexiclass_core.documents.viewing import class_choices
from lexiclass_core.numbers import number_of
from lexiclass_core.statuses import IndexStatus

_NAMES: Final = ("text", "index_status", "field_id", "label", "class_id", "cursor")
_LABELS: Final[dict[str, dict[str, bool]]] = {
    "labelled": {"is_labelled": True},
    "unlabelled": {"is_labelled": False},
    "training": {"is_training_data": True},
    "test": {"is_training_data": False},
}


async def show(view: View) -> Page:
    """A list of documents, the newest first."""
    project_id = view.request.path_params["project_id"]
    project = existing(await project_overview(view.session, project_id), "project")
    asked = view.asked(*_NAMES)
    cursor = asked.pop("cursor", None)
    if not view.sees_texts:
        asked.pop("class_id", None)
    fields = {field.id: field for field in project.fields}
    field = fields.get(number_of(asked.get("field_id", "")) or 0)
    choices = (
        None
        if field is None or not view.sees_texts
        else await class_choices(view.session, [field.id])
    )
    found = await list_documents(
        view.session,
        _query(project_id, asked, None if field is None else field.id),
        cursor=cursor,
    )
    return Page(
        template="documents.html",
        values={
            "project": project,
            "asked": asked,
            "field": field,
            "classes": (choices or {}).get(field.id, []) if field is not None else [],
            "labels": list(_LABELS),
            "statuses": list(IndexStatus),
            "page": found,
            "looked_at": MOST_LOOKED_AT,
            "is_first": cursor is None,
        },
    )


def _query(project_id: int, asked: dict[str, str], field_id: int | None) -> DocumentQuery:
    """What is asked for; what cannot be understood is left aside, as if it were not."""
    status = asked.get("index_status", "")
    of_label: dict[str, Any] = dict(_LABELS.get(asked.get("label", ""), {}))
    if "is_training_data" in of_label and field_id is None:
        # Of which field is not said: a label of any.
        of_label = {"is_labelled": True}
    if of_label.get("is_labelled") is not False and field_id is not None:
        of_label["class_id"] = number_of(asked.get("class_id", ""))
    return DocumentQuery(
        project_id=project_id,
        text=asked.get("text"),
        index_status=IndexStatus(status) if status in set(IndexStatus) else None,
        field_id=field_id,
        **of_label,
    )
