"""An ASGI application at an address, and the link that lets somebody into a console."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from threading import Thread

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from lexiclass_console import create_console
from lexiclass_core.access.tokens import User, issue_login
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.statuses import Role
from lexiclass_worker.embedded.process import free_port
from tests.support.house import House

PREFIX = "/ops/lexiclass"


@contextmanager
def served(app: ASGIApp, port: int) -> Iterator[None]:
    """Serve an application from a thread."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield
    finally:
        server.should_exit = True
        thread.join()


def console_of(house: House) -> Starlette:
    """A console on the servers of a house."""
    return create_console(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.environment["DRAMATIQ__NAMESPACE"],
        storage=str(house.storage),
    )


@contextmanager
def served_console(house: House, *, prefix: str = PREFIX) -> Iterator[str]:
    """A console under a path of another application. Yields its address."""
    console = console_of(house)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with console.router.lifespan_context(console):
            yield

    outer = Starlette(routes=[Mount(prefix, app=console)], lifespan=lifespan)
    port = free_port()
    with served(outer, port):
        yield f"http://127.0.0.1:{port}{prefix}"


def login_link(house: House, address: str, *, role: Role = Role.ADMIN) -> str:
    """A link that lets somebody in once."""

    async def issue() -> str:
        engine = create_engine(house.environment["DATABASE_URI"])
        async with create_session_factory(engine).begin() as session:
            token = await issue_login(session, User("anna", role))
        await engine.dispose()
        return token

    # Playwright's loop may run in this thread.
    with ThreadPoolExecutor() as thread:
        token = thread.submit(lambda: asyncio.run(issue())).result()
    return f"{address}/login?token={token}"
