"""What commands connect to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

from lexiclass_worker.config import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from lexiclass_core.client import TaskClient
    from lexiclass_core.client.messages import Sender
    from lexiclass_core.db import SessionFactory
    from lexiclass_core.queueing.messages import MessageStore
    from lexiclass_worker.admin.context import AdminContext

T = TypeVar("T")


def explicit_timeout_s(settings: Settings) -> float | None:
    """DATABASE__COMMAND_TIMEOUT_S if it is set; None where its default holds."""
    is_set = "command_timeout_s" in settings.database.model_fields_set
    return settings.database.command_timeout_s if is_set else None


@asynccontextmanager
async def open_engine(settings: Settings, *, has_time: bool = False) -> AsyncIterator[AsyncEngine]:
    """An engine on DATABASE_URI; a statement may take DATABASE__COMMAND_TIMEOUT_S.

    If ``has_time`` only a limit that somebody has set applies, and not the default one.
    """
    from lexiclass_core.db import create_engine

    timeout_s = settings.database.command_timeout_s
    engine = create_engine(
        settings.require_database_uri(),
        application_name="lexiclass-cli",
        command_timeout_s=explicit_timeout_s(settings) if has_time else timeout_s,
    )
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_sessions(settings: Settings) -> AsyncIterator[SessionFactory]:
    """Sessions on DATABASE_URI."""
    from lexiclass_core.db import create_session_factory

    async with open_engine(settings) as engine:
        yield create_session_factory(engine)


def in_sessions(settings: Settings, work: Callable[[SessionFactory], Awaitable[T]]) -> T:
    """What some work on DATABASE_URI comes to, in transactions of its own."""

    async def run() -> T:
        async with open_sessions(settings) as sessions:
            return await work(sessions)

    return asyncio.run(run())


def in_session(settings: Settings, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """The same in one transaction."""

    async def run(sessions: SessionFactory) -> T:
        async with sessions.begin() as session:
            return await work(session)

    return in_sessions(settings, run)


def in_context(settings: Settings, work: Callable[[AdminContext], Awaitable[T]]) -> T:
    """The same on DATABASE_URI and STORAGE__BASE_PATH."""
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.artifacts.opening import open_storage

    storage = open_storage(settings.storage.base_path)
    return in_sessions(
        settings,
        lambda sessions: work(AdminContext(sessions=sessions, storage=storage, settings=settings)),
    )


@contextmanager
def open_messages(settings: Settings) -> Iterator[MessageStore]:
    """What Redis holds for the workers."""
    from lexiclass_core.queueing.messages import MessageStore
    from lexiclass_worker.telemetry.queues import connect

    with connect(settings.dramatiq.broker_url.get_secret_value()) as client:
        yield MessageStore(client, settings.dramatiq.namespace)


@contextmanager
def open_sender(settings: Settings) -> Iterator[Sender]:
    """A way to put messages on their queues."""
    from lexiclass_core.client.messages import Sender

    url = settings.dramatiq.broker_url.get_secret_value()
    sender = Sender(url, settings.dramatiq.namespace, settings.dramatiq.signer)
    try:
        yield sender
    finally:
        sender.close()


@contextmanager
def open_client(settings: Settings) -> Iterator[TaskClient]:
    """A task client."""
    from lexiclass_core.client import TaskClient

    with TaskClient(
        database_uri=settings.require_database_uri(),
        broker_url=settings.dramatiq.broker_url.get_secret_value(),
        namespace=settings.dramatiq.namespace,
        command_timeout_s=settings.database.command_timeout_s,
        signing_keys=settings.dramatiq.signing_keys_text,
        message_bytes=settings.dramatiq.message_bytes,
    ) as client:
        yield client
