"""Actions: a form that is posted, what it does, and where to look afterwards."""

from __future__ import annotations

from typing import Any, get_origin

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lexiclass_console.access.requests import read_form
from lexiclass_console.access.users import user_behind
from lexiclass_console.actions import ACTIONS, Action, Doing, Form
from lexiclass_console.console import Console
from lexiclass_console.templating import link
from lexiclass_core.access import audit


async def act(request: Request) -> Response:
    """Do what a form asks for and write down who did it, in one transaction."""
    action = ACTIONS.get(request.path_params["action"])
    if action is None:
        raise HTTPException(404, "There is no such action.")
    fields = await read_form(request)
    back = local_address(fields.pop("next", [""])[-1], request)
    console = Console.of(request)
    async with console.writing() as session:
        user = await user_behind(request, console.settings, session)
        if user is None:
            return RedirectResponse(link(request, "login", {"next": back}), status_code=303)
        if not user.role.may(action.needs):
            raise HTTPException(
                403, f"{action.name} needs the role {action.needs}; yours is {user.role}."
            )
        form = _read(action, fields)
        outcome = await action.do(Doing(session=session, client=console.client, user=user), form)
        entry = await audit.record(
            session, user, action.name, outcome.subject, outcome.message, outcome.details
        )
    if outcome.after_commit is not None:
        await outcome.after_commit()
    if outcome.task_id is not None:
        back = link(request, "task", task_id=outcome.task_id)
    mark = "&" if "?" in back else "?"
    return RedirectResponse(f"{back}{mark}done={entry}", status_code=303)


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
        raise HTTPException(422, f"{where}: {problem['msg']}") from None


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
