"""Whether a request comes from where it says: its host, its origin, its size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCHEMES: Final = ("http", "https")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_MOST_FORM_BYTES: Final = 1 << 20
_MOST_FORM_FIELDS: Final = 2_000

# Ids in it are read as numbers, which Python does with 4,300 digits at most.
_LONGEST_PATH: Final = 2_000

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class TrustedRequests:
    """Refuses requests for other hosts, and unsafe ones from other origins; sets headers.

    A browser says in ``Sec-Fetch-Site`` whether a page of ours sends a request; where it does not,
    the Origin must be ours (Fetch Metadata Request Headers, W3C; OWASP on cross-site request
    forgery). Programs that send neither are refused: the task client is theirs.

    Args:
        app: What is protected.
        allowed_hosts: Names under which it may be asked for; ``*`` is any.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Collection[str]) -> None:
        self._app = app
        self._allowed_hosts = {host.lower() for host in allowed_hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        problem = self._problem(Request(scope))
        answer = self._app if problem is None else PlainTextResponse(problem, status_code=403)
        if len(scope["path"]) > _LONGEST_PATH:
            answer = PlainTextResponse("No page has so long a path.\n", status_code=414)
        await answer(scope, receive, send_with_headers)

    def _problem(self, request: Request) -> str | None:
        host = request.headers.get("host", "")
        if not ({"*", _without_port(host)} & self._allowed_hosts):
            return (
                "This console is not reached under this name. Add it to CONSOLE__ALLOWED_HOSTS.\n"
            )
        if request.method in _SAFE_METHODS:
            return None
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None:
            is_ours = site == "same-origin"
        else:
            is_ours = (origin or "").lower() in {f"{each}://{host.lower()}" for each in _SCHEMES}
        return None if is_ours else "A page of another site has sent this: it is refused.\n"


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()


async def read_form(request: Request) -> dict[str, list[str]]:
    """Read the fields of a form, in the order in which they were sent.

    Raises:
        HTTPException: If it is no form, or larger than any of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Expected the fields of a form.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_FORM_BYTES:
            raise HTTPException(413, "This form is too large.")
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FORM_FIELDS,
        )
    except ValueError:
        raise HTTPException(400, "This form cannot be read.") from None
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
