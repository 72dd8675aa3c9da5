"""Pages, once or kept up to date.

A page is a template and what it shows. Its blocks that are named ``live_...`` lie in elements with
these ids; to whoever asks for the page's address as a stream of events, each of them is sent anew
when it has changed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from jinja2 import Template
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from lexiclass_console.access.users import user_behind
from lexiclass_console.actions import ACTIONS
from lexiclass_console.console import Console
from lexiclass_console.templating import ENVIRONMENT, link
from lexiclass_core.access import audit
from lexiclass_core.access.tokens import User
from lexiclass_core.client import DatabaseUnavailable
from lexiclass_core.db.values import object_of
from lexiclass_core.models import AuditEvent

EVENT_STREAM: Final = "text/event-stream"
_LIVE: Final = "live_"
_RETRY_MS: Final = 5_000
_MOST_DIGITS: Final = 18
_AWAY_S: Final = 2.0
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

FoundT = TypeVar("FoundT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page shows.

    Attributes:
        later: What else it shows, found without a connection to the database: what lies in the
            storage. Blocks that are kept up to date go without.
    """

    template: str
    values: Mapping[str, Any]
    later: Callable[[], Awaitable[Mapping[str, Any]]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A request for a page.

    Attributes:
        session: A transaction that sees one state of the database.
        given: What was written in a form that was not accepted, by field.
        problems: What is wrong with it.
    """

    request: Request
    console: Console
    session: AsyncSession
    user: User
    given: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def may(self, action: str) -> bool:
        """Whether the user may do something."""
        return self.user.role.may(ACTIONS[action].role_needed(self.console.settings.texts_from))

    def number(self, name: str) -> int | None:
        """A number that the address asks for by name; None if it does not."""
        return number_in(self.request.query_params.get(name, ""))

    def asked(self, *names: str) -> dict[str, str]:
        """What the address asks for by some names, without what is left empty."""
        given = {name: self.request.query_params.get(name, "").strip() for name in names}
        return {name: text for name, text in given.items() if text}

    def told(self, entry: AuditEvent) -> str | None:
        """What became of what somebody did, as far as the user may see that; None if not at all."""
        action = ACTIONS.get(entry.action)
        if self.sees_texts or action is None:
            return entry.outcome
        if action.quotes_documents:
            return None
        if not action.quotes_requests:
            return entry.outcome
        said = object_of(entry.details).get("without_quotes")
        return said if isinstance(said, str) else None

    @property
    def sees_texts(self) -> bool:
        """Whether the user may see requests, results, texts, and which class a document has."""
        return self.console.shows_texts_to(self.user)


Show: TypeAlias = Callable[[View], Awaitable[Page]]


def existing(found: FoundT | None, what: str) -> FoundT:
    """What an address names.

    Raises:
        HTTPException: If there is none.
    """
    if found is None:
        raise HTTPException(404, f"There is no such {what}: its id is wrong, or it was deleted.")
    return found


def number_in(given: str) -> int | None:
    """The number that a part of an address is; None if it is none."""
    is_number = given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS
    return int(given) if is_number else None


def page(show: Show) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a page, for people who are logged in."""

    async def endpoint(request: Request) -> Response:
        found = await _look(request, show)
        if found is None:
            return _to_login(request)
        if _is_streamed(request):
            return _stream(request, show, found[1]["user"])
        template, values = found
        return HTMLResponse(template.render(values), headers={"Vary": "Accept"})

    return endpoint


def answer(
    send: Callable[[Request, User], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of what is no page, for people who are logged in."""

    async def endpoint(request: Request) -> Response:
        console = Console.of(request)
        async with console.reading() as session:
            user = await user_behind(request, console.settings, session)
        return _to_login(request) if user is None else await send(request, user)

    return endpoint


def _to_login(request: Request) -> Response:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(link(request, "login", {"next": back}), status_code=303)


def _is_streamed(request: Request) -> bool:
    """Whether only the blocks that change are asked for, again and again."""
    return EVENT_STREAM in request.headers.get("accept", "")


async def refused_form(
    request: Request, show: Show, given: Mapping[str, str], problems: Mapping[str, str]
) -> Response:
    """A page with a form that was not accepted: what was written in it, and what is wrong."""
    found = await _look(request, show, given, problems)
    if found is None:
        return _to_login(request)
    template, values = found
    return HTMLResponse(template.render(values), status_code=422)


async def _look(
    request: Request,
    show: Show,
    given: Mapping[str, str] = _NOTHING,
    problems: Mapping[str, str] = _NOTHING,
) -> tuple[Template, dict[str, Any]] | None:
    """What a page shows now; None to a stranger."""
    console = Console.of(request)
    async with console.reading() as session:
        user = await user_behind(request, console.settings, session)
        if user is None:
            return None
        view = View(
            request=request,
            console=console,
            session=session,
            user=user,
            given=given,
            problems=problems,
        )
        shown = await show(view)
        done = await _done(view)
    later = {} if shown.later is None or _is_streamed(request) else await shown.later()
    return ENVIRONMENT.get_template(shown.template), common(request) | {
        "user": user,
        "may": view.may,
        "sees_texts": view.sees_texts,
        "done": done,
        "told_of": view.told,
        **shown.values,
        **later,
    }


def common(request: Request) -> dict[str, Any]:
    """What every page knows; nobody is logged in unless it says who."""

    def to(name: str, query: Mapping[str, Any] | None = None, **path: Any) -> str:
        return link(request, name, query, **path)

    return {"to": to, "here": request.url.path, "user": None, "done": None}


async def _done(view: View) -> AuditEvent | None:
    """What the user did just now: the page that shows it was redirected to."""
    number = view.number("done")
    entry = None if number is None else await audit.find(view.session, number)
    return entry if entry is not None and entry.user_name == view.user.name else None


def _stream(request: Request, show: Show, user: User) -> Response:
    if not Console.of(request).streams.has_room(user.name):
        return PlainTextResponse(
            "Too many pages are kept up to date; reload this one.\n",
            status_code=503,
            headers={"Retry-After": "30"},
        )
    return StreamingResponse(
        _events(request, show, user),
        media_type=EVENT_STREAM,
        headers={"Vary": "Accept", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, show: Show, user: User) -> AsyncIterator[str]:
    sent: dict[str, str] = {}
    yield f"retry: {_RETRY_MS}\n\n"
    with Console.of(request).streams.one(user.name):
        while not await request.is_disconnected():
            try:
                found = await _look(request, show)
            except DatabaseUnavailable:
                # The page stays as it is; it goes on when PostgreSQL is back.
                yield ": away\n\n"
                await asyncio.sleep(_AWAY_S)
                continue
            except HTTPException:
                # What it shows is gone: whoever loads it anew is told.
                found = None
            if found is None:
                yield "event: end\ndata: {}\n\n"
                return
            for name, text in live_blocks(*found).items():
                if sent.get(name) != text:
                    sent[name] = text
                    yield f"event: block\ndata: {json.dumps({'id': name, 'html': text})}\n\n"
            # Also what keeps proxies from closing the connection.
            yield ": seen\n\n"
            await asyncio.sleep(Console.of(request).settings.live_interval_s)


def live_blocks(template: Template, values: Mapping[str, Any]) -> dict[str, str]:
    """The blocks of a page that change, by their ids."""
    context = template.new_context(dict(values))
    return {
        name: "".join(block(context))
        for name, block in template.blocks.items()
        if name.startswith(_LIVE)
    }
