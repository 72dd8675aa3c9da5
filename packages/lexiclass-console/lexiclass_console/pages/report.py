"""A version's report itself, as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lexiclass_console.console import Console
from lexiclass_console.reports import find_report
from lexiclass_core.access.tokens import User
from lexiclass_core.layout import REPORT_JSON, REPORT_PAGE

_TYPES: Final = {REPORT_JSON: "application/json", REPORT_PAGE: "text/html; charset=utf-8"}

# It quotes names of classes and documents, which anybody may have chosen: whatever the page says
# itself, nothing in it runs, loads anything, or is of the console's origin.
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
    "Referrer-Policy": "no-referrer",
}


async def send(request: Request, user: User) -> Response:
    """A file of the report, for those who may see what it tells of documents."""
    console, path = Console.of(request), request.path_params
    name, field_id, version = path["file"], path["field_id"], path["version"]
    if name not in _TYPES:
        raise HTTPException(404, f"A report is {REPORT_PAGE} or {REPORT_JSON}.")
    test_set = request.query_params.get("test_set") or None
    keys = console.storage_keys
    if not console.shows_texts_to(user):
        found = await find_report(
            console.client, field_id, version, test_set=test_set, keys=keys, name=name
        )
        if found.report is None:
            raise HTTPException(502 if found.is_damaged else 404, found.problem)
        if found.report.tells_documents:
            raise HTTPException(
                403,
                "This report tells single documents, which your role may not see; its figures are "
                "on the version's page.",
            )
        return Response(found.content, media_type=_TYPES[name], headers=_HEADERS)
    try:
        file = await console.client.models.report(
            field_id, version, name=name, test_set=test_set, keys=keys
        )
    except (OSError, ImportError) as error:
        raise HTTPException(503, f"The storage cannot be read: {error}") from error
    return Response(file.content, media_type=_TYPES[name], headers=_HEADERS)
