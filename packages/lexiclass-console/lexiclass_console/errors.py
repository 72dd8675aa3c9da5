"""What went wrong, as a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from lexiclass_console.serving import common
from lexiclass_console.templating import ENVIRONMENT
from lexiclass_core.client import (
    BrokerUnavailable,
    ChangeRefused,
    DatabaseUnavailable,
    InvalidTask,
    TaskClientError,
    TaskFinished,
    TaskNotFound,
    VersionError,
)
from lexiclass_core.documents import (
    DocumentError,
    DocumentNotFound,
    FieldNotFound,
    ProjectNotFound,
)
from lexiclass_core.references import UnresolvedName
from lexiclass_core.versions import ReportCorrupt

_TITLES: Final[Mapping[int, str]] = {
    400: "This request cannot be read",
    403: "This is not for you",
    404: "Nothing is here",
    405: "This cannot be done here",
    409: "This cannot be done now",
    413: "This is too large",
    415: "This is no form",
    422: "Something is wrong in the form",
    502: "This is not as it was written",
    503: "A server cannot be reached",
}

# The first of these that an error is.
_STATUS_CODES: Final[Mapping[type[Exception], int]] = {
    TaskNotFound: 404,
    TaskFinished: 409,
    InvalidTask: 409,
    BrokerUnavailable: 503,
    DatabaseUnavailable: 503,
    TaskClientError: 400,
    ChangeRefused: 409,
    ReportCorrupt: 502,
    VersionError: 404,
    ProjectNotFound: 404,
    FieldNotFound: 404,
    DocumentNotFound: 404,
    DocumentError: 409,
    UnresolvedName: 409,
}


async def _http_error(request: Request, error: Exception) -> Response:
    # Starlette passes what HANDLERS names for this function.
    found = cast("HTTPException", error)
    return _page(request, found.status_code, found.detail, found.headers)


async def _error_of_ours(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in _STATUS_CODES.items() if isinstance(error, kind))
    return _page(request, status, str(error), {"Retry-After": "5"} if status == 503 else None)


def _page(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    values = common(request) | {
        "title": _TITLES.get(status, "This did not work"),
        "message": message,
        "status": status,
    }
    return HTMLResponse(
        ENVIRONMENT.get_template("error.html").render(values), status_code=status, headers=headers
    )


Handler = Callable[[Request, Exception], Awaitable[Response]]
HANDLERS: Final[dict[Any, Handler]] = {
    HTTPException: _http_error,
    **dict.fromkeys((TaskClientError, VersionError, DocumentError, UnresolvedName), _error_of_ours),
}
