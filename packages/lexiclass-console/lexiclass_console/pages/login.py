"""Coming in, and leaving."""

from __future__ import annotations

import math

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lexiclass_console.access.passwords import TooManyAttempts
from lexiclass_console.access.requests import read_form
from lexiclass_console.access.users import (
    BROWSER_COOKIE,
    COOKIE,
    forget_session,
    remember_browser,
    session_prefix,
    set_session,
)
from lexiclass_console.acting import local_address
from lexiclass_console.console import Console
from lexiclass_console.serving import common
from lexiclass_console.templating import ENVIRONMENT, link
from lexiclass_core.access.tokens import User, end_session, open_session, redeem


async def show(request: Request) -> Response:
    """The page that asks who somebody is.

    A login link leads here: what looks at it before a person does would use it up otherwise.
    """
    return _form(request, token=request.query_params.get("token", ""))


async def log_in(request: Request) -> Response:
    """Open a session for whoever has a login link, or knows a password."""
    fields = await read_form(request)
    token, name, password = (fields.get(each, [""])[-1] for each in ("token", "name", "password"))
    console = Console.of(request)
    user, prefix, mark = None, "", ""
    status, headers = 403, {}
    if token:
        async with console.writing() as session:
            user = await redeem(session, token)
        problem = "This link was used before, or is too old. Make a new one."
    else:
        problem = "This name and password do not belong together."
        try:
            address = request.client.host if request.client is not None else ""
            browser = request.cookies.get(BROWSER_COOKIE, "")
            if await console.passwords.is_right(name, password, address, browser):
                account = console.settings.accounts[name]
                user, prefix = User(name, account.role), session_prefix(account)
                mark = console.passwords.remembered(name)
        except TooManyAttempts as error:
            wait_s = math.ceil(error.wait_s)
            problem = (
                f"Too many passwords were tried. Wait {wait_s} s, or log in by a link: "
                "lexiclass-worker console link"
            )
            status, headers = 429, {"Retry-After": str(wait_s)}
    if user is None:
        back = fields.get("next", [""])[-1]
        answer = _form(request, problem=problem, status=status, name=name, back=back)
        answer.headers.update(headers)
        return answer
    async with console.writing() as session:
        opened = await open_session(
            session, user, lasts_s=console.settings.session_s, prefix=prefix
        )
    address = local_address(fields.get("next", [""])[-1], request)
    response = RedirectResponse(address, status_code=303)
    set_session(response, request, opened, console.settings.session_s)
    if mark:
        remember_browser(response, request, mark)
    return response


async def log_out(request: Request) -> Response:
    """End the session."""
    async with Console.of(request).writing() as session:
        await end_session(session, request.cookies.get(COOKIE, ""))
    response = RedirectResponse(link(request, "login"), status_code=303)
    forget_session(response, request)
    return response


def _form(
    request: Request,
    *,
    token: str = "",
    problem: str = "",
    status: int = 200,
    name: str = "",
    back: str = "",
) -> Response:
    values = common(request) | {
        "token": token,
        "problem": problem,
        "has_passwords": Console.of(request).settings.has_passwords,
        "name": name,
        "next": back or request.query_params.get("next", ""),
        "is_lost": bool(request.query_params.get("lost")),
    }
    page = ENVIRONMENT.get_template("login.html").render(values)
    return HTMLResponse(page, status_code=status)
