"""A console as a browser sees it, without one."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette

from lexiclass_console.access.users import COOKIE
from lexiclass_core.access.tokens import User, open_session
from lexiclass_core.db import SessionFactory
from lexiclass_core.statuses import Role

HOST = "http://localhost"
OURS = {"Sec-Fetch-Site": "same-origin"}


@asynccontextmanager
async def browser(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is not logged in, and follows redirects as a browser does."""
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=HOST, follow_redirects=True) as client,
    ):
        yield client


async def log_in(
    client: httpx.AsyncClient, sessions: SessionFactory, role: Role, name: str = "anna"
) -> None:
    """Give a browser the session of somebody."""
    async with sessions.begin() as session:
        token = await open_session(session, User(name, role), lasts_s=600)
    client.cookies.set(COOKIE, token)


def words(response: httpx.Response) -> str:
    """What a page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.text))
