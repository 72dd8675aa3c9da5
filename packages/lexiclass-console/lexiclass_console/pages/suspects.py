"""Labels of a field that look wrong."""

from __future__ import annotations

from typing import Final

from lexiclass_console.serving import Page, View, existing
from lexiclass_core.documents.overview import field_overview
from lexiclass_core.documents.suspects import list_suspects
from lexiclass_core.statuses import SuspectStatus

_PAGE_SIZE: Final = 100
_TERMS: Final = 8


async def show(view: View) -> Page:
    """The most suspect first, each with its reasons."""
    field_id = view.request.path_params["field_id"]
    field = existing(await field_overview(view.session, field_id), "field")
    asked = view.request.query_params.get("status", SuspectStatus.OPEN)
    status = SuspectStatus(asked) if asked in set(SuspectStatus) else SuspectStatus.OPEN
    return Page(
        template="suspects.html",
        values={
            "field": field.summary,
            "suspects": await list_suspects(
                view.session, field.summary.project_id, field_id, status=status, limit=_PAGE_SIZE
            ),
            "status": status,
            "statuses": list(SuspectStatus),
            "limit": _PAGE_SIZE,
            "most_terms": _TERMS,
        },
    )
