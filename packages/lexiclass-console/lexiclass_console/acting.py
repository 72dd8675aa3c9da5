"""Actions: a form that is posted, what it does, and where to look afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, get_origin
from urllib.parse import urlsplit

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lexiclass_console.access.requests import read_form
from lexiclass_console.access.users import user_behind
from lexiclass_console.actions import ACTIONS, Action, Doing, Form, FormRefused, Outcome
from lexiclass_console.console import Console
from lexiclass_console.serving import Show, refused_form
from lexiclass_console.templating import link
from lexiclass_core.access import audit
from lexiclass_core.access.tokens import User
from lexiclass_core.client import InvalidTask


def acting(form_pages: Mapping[str, Show]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of all actions.

    A form of one of the pages, by action, is shown again where what was written in it is not
    acceptable, with what is wrong beside each field.
    """
    return partial(_act, form_pages=form_pages)


async def _act(request: Request, form_pages: Mapping[str, Show]) -> Response:
    """Do what a form asks for and write down who did it, in one transaction."""
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise HTTPException(404, "There is no such action.")
    fields = await read_form(request)
    back = local_address(fields.pop("next", [""])[-1], request)
    try:
        done = await _do(request, action, fields)
    except FormRefused as refused:
        if (show := form_pages.get(action.name)) is None:
            raise HTTPException(422, str(refused)) from None
        given = {name: values[-1] for name, values in fields.items()}
        return await refused_form(request, show, given, refused.problems)
    if done is None:
        asked = {"next": _page_of_form(request) or back, "lost": 1}
        return RedirectResponse(link(request, "login", asked), status_code=303)
    outcome, user, entry = done
    if outcome.after_commit is not None and (ended := await outcome.after_commit()) is not None:
        async with Console.of(request).writing() as session:
            entry = await _record(session, user, action, ended)
    if outcome.task_id is not None:
        back = link(request, "task", task_id=outcome.task_id)
    mark = "&" if "?" in back else "?"
    return RedirectResponse(f"{back}{mark}done={entry}", status_code=303)


async def _do(
    request: Request, action: Action, fields: dict[str, list[str]]
) -> tuple[Outcome, User, int] | None:
    """Do it. Returns what became of it, by whom, and its audit entry's id; None to a stranger."""
    console = Console.of(request)
    async with console.writing() as session:
        user = await user_behind(request, console.settings, session)
        if user is None:
            return None
        needed = action.role_needed(console.settings.texts_from)
        if not user.role.may(needed):
            raise HTTPException(
                403, f"{action.name} needs the role {needed}; yours is {user.role}."
            )
        form = _read(action, fields)
        try:
            outcome = await action.do(
                Doing(session=session, client=console.client, user=user), form
            )
        except InvalidTask:
            if action.refusals_quote_requests and not console.shows_texts_to(user):
                raise HTTPException(
                    409, "The task cannot be submitted; why not is for those who may see requests."
                ) from None
            raise
        entry = await _record(session, user, action, outcome)
    return outcome, user, entry


async def _record(session: AsyncSession, user: User, action: Action, outcome: Outcome) -> int:
    """Write down what was done. Returns the entry's id."""
    details = outcome.details | ({"is_refused": True} if outcome.is_refused else {})
    if outcome.without_quotes is not None:
        details["without_quotes"] = outcome.without_quotes
    return await audit.record(session, user, action.name, outcome.subject, outcome.message, details)


def _read(action: Action, fields: dict[str, list[str]]) -> Form:
    given: dict[str, Any] = {}
    for name, values in fields.items():
        field = action.form.model_fields.get(name)
        several = field is not None and get_origin(field.annotation) is list
        given[name] = values if several else values[-1]
    try:
        return action.form.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        # A regular expression tells people nothing.
        is_pattern = problem["type"] == "string_pattern_mismatch"
        said = (
            "this is none of what can be chosen or written here" if is_pattern else problem["msg"]
        )
        raise HTTPException(422, f"{where}: {said}") from None


def _page_of_form(request: Request) -> str | None:
    """The page that a form was sent from, by its ``Referer``; None if that does not say."""
    try:
        sent_from = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return None
    if sent_from.netloc != request.headers.get("host"):
        return None
    address = local_address(sent_from._replace(scheme="", netloc="").geturl(), request)
    # Where a form was refused, its page is the answer of an action, which nobody can look at.
    actions = f"{link(request, 'overview')}actions/"
    return None if address.startswith(actions) else address


def local_address(given: str, request: Request) -> str:
    """Where to go next: an address of the console, whatever a form says."""
    home = link(request, "overview")
    plain = given.isascii() and given.isprintable() and "\\" not in given
    # "//host" is another host.
    if not plain or not given.startswith(home) or given.startswith("//"):
        return home
    path, _, query = given.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("done=")]
    return f"{path}?{'&'.join(kept)}" if kept else path
