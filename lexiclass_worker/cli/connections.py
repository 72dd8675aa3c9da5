"""What commands connect to."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from lexiclass_core.client import TaskClient
from lexiclass_core.client.messages import Sender
from lexiclass_core.db import SessionFactory, create_engine, create_session_factory
from lexiclass_worker.config import Settings
from lexiclass_worker.repositories.messages import MessageStore
from lexiclass_worker.telemetry.queues import connect


@asynccontextmanager
async def open_engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """An engine on DATABASE_URI."""
    engine = create_engine(settings.require_database_uri(), application_name="lexiclass-cli")
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_sessions(settings: Settings) -> AsyncIterator[SessionFactory]:
    """Sessions on DATABASE_URI."""
    async with open_engine(settings) as engine:
        yield create_session_factory(engine)


@contextmanager
def open_messages(settings: Settings) -> Iterator[MessageStore]:
    """What Redis holds for the workers."""
    with connect(settings.dramatiq.broker_url.get_secret_value()) as client:
        yield MessageStore(client, settings.dramatiq.namespace)


@contextmanager
def open_sender(settings: Settings) -> Iterator[Sender]:
    """A way to put messages on their queues."""
    url = settings.dramatiq.broker_url.get_secret_value()
    sender = Sender(url, settings.dramatiq.namespace)
    try:
        yield sender
    finally:
        sender.close()


@contextmanager
def open_client(settings: Settings) -> Iterator[TaskClient]:
    """A task client."""
    with TaskClient(
        database_uri=settings.require_database_uri(),
        broker_url=settings.dramatiq.broker_url.get_secret_value(),
        namespace=settings.dramatiq.namespace,
    ) as client:
        yield client
