"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from lexiclass_console.access.passwords import Passwords
from lexiclass_console.access.requests import TrustedRequests
from lexiclass_console.acting import acting
from lexiclass_console.console import Console
from lexiclass_console.errors import HANDLERS
from lexiclass_console.pages import (
    activity,
    comparison,
    dead_letters,
    document,
    documents,
    field,
    find,
    login,
    overview,
    plugins,
    projects,
    queues,
    report,
    review,
    suspects,
    task,
    tasks,
    training,
    version,
)
from lexiclass_console.pages import settings as settings_page
from lexiclass_console.serving import answer, page
from lexiclass_console.streams import Streams
from lexiclass_core.access.settings import ConsoleSettings
from lexiclass_core.client import AsyncTaskClient, open_texts
from lexiclass_core.db import create_engine, create_session_factory

_HERE: Final = Path(__file__).parent


def create_console(
    *,
    database_uri: str | None = None,
    engine: AsyncEngine | None = None,
    broker_url: str,
    namespace: str = "dramatiq",
    signing_keys: str | None = None,
    settings: ConsoleSettings | None = None,
    storage: str | None = None,
    storage_keys: str | None = None,
) -> Starlette:
    """Make the console, which can be served by itself or mounted under any path.

    Its lifespan closes the connections. An application that mounts it enters that itself, as
    ``async with console.router.lifespan_context(console)``.

    Args:
        database_uri: ``postgresql://user:password@host:5432/database``.
        engine: Instead of that, an engine of the caller's on asyncpg, which is left open.
        broker_url: ``redis://:password@host:6379/0``.
        namespace: Prefix of the broker's keys, the workers' DRAMATIQ__NAMESPACE.
        signing_keys: The workers' DRAMATIQ__SIGNING_KEYS, if they run signed messages only.
        settings: Who is let in. Without any, those who have a one-time link.
        storage: The workers' STORAGE__BASE_PATH, from which texts and reports are shown.
            The pages show none without it.
        storage_keys: The workers' STORAGE__SIGNING_KEYS, if they have any.

    Raises:
        InvalidAddress: If a URL cannot be used.
        ImportError: If the storage is a URL, and what reads it is not installed.
        ValueError: If it is not one of URI and engine that is given.
    """
    settings = settings or ConsoleSettings()
    own: AsyncEngine | None = None
    if engine is None and database_uri is not None:
        engine = own = create_engine(database_uri, application_name="lexiclass-console")
    elif engine is None or database_uri is not None:
        raise ValueError("give a database_uri or an engine, and not both")
    console = Console(
        client=AsyncTaskClient(
            engine=engine,
            broker_url=broker_url,
            namespace=namespace,
            signing_keys=signing_keys,
            storage=storage,
        ),
        sessions=create_session_factory(engine),
        settings=settings,
        passwords=Passwords(settings.accounts),
        streams=Streams(settings.max_streams),
        texts=None if storage is None else open_texts(storage),
        storage_keys=storage_keys,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            await console.client.close()
            if own is not None:
                await own.dispose()

    app = Starlette(
        routes=[
            Route("/", page(overview.show), name="overview"),
            Route("/tasks", page(tasks.show), name="tasks"),
            Route("/tasks/{task_id}", page(task.show), name="task"),
            Route("/find", answer(find.send), name="find"),
            Route("/queues", page(queues.show), name="queues"),
            Route("/dead-letters", page(dead_letters.show), name="dead_letters"),
            Route("/projects", page(projects.show_all), name="projects"),
            Route("/projects/{project_id:int}", page(projects.show), name="project"),
            Route("/projects/{project_id:int}/documents", page(documents.show), name="documents"),
            Route("/documents/{document_id:int}", page(document.show), name="document"),
            Route("/fields/{field_id:int}", page(field.show), name="field"),
            Route("/fields/{field_id:int}/train", page(training.show), name="training"),
            Route("/fields/{field_id:int}/compare", page(comparison.show), name="comparison"),
            Route(
                "/fields/{field_id:int}/versions/{version:int}", page(version.show), name="version"
            ),
            Route(
                "/fields/{field_id:int}/versions/{version:int}/{file}",
                answer(report.send),
                name="report",
            ),
            Route("/fields/{field_id:int}/suspects", page(suspects.show), name="suspects"),
            Route("/fields/{field_id:int}/review", page(review.show), name="review"),
            Route("/plugins", page(plugins.show), name="plugins"),
            Route("/settings", page(settings_page.show), name="settings"),
            Route("/activity", page(activity.show), name="activity"),
            Route(
                "/actions/{action}",
                acting({"submit.train": training.show}),
                methods=["POST"],
                name="action",
            ),
            Route("/login", login.show, methods=["GET"], name="login"),
            Route("/login", login.log_in, methods=["POST"]),
            Route("/logout", login.log_out, methods=["POST"], name="logout"),
            Mount("/static", StaticFiles(directory=_HERE / "static"), name="static"),
        ],
        middleware=[Middleware(TrustedRequests, allowed_hosts=settings.allowed_hosts)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.state.console = console
    return app
