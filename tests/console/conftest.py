"""What tests of the console share."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from lexiclass_console import ConsoleSettings, create_console
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_core.statuses import Role
from tests.support.console import browser, log_in


@pytest.fixture
def console(database_uri: str, broker_url: str) -> Starlette:
    """A console on the servers of this test."""
    return create_console(
        database_uri=database_uri,
        broker_url=broker_url,
        settings=ConsoleSettings(live_interval_s=0.05),
    )


@pytest.fixture
async def stranger(console: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who is not logged in."""
    async with browser(console) as client:
        yield client


@pytest.fixture
async def operator(stranger: httpx.AsyncClient, sessions: SessionFactory) -> httpx.AsyncClient:
    """Somebody who may act."""
    await log_in(stranger, sessions, Role.OPERATOR)
    return stranger


@pytest.fixture
async def viewer(stranger: httpx.AsyncClient, sessions: SessionFactory) -> httpx.AsyncClient:
    """Somebody who may look."""
    await log_in(stranger, sessions, Role.VIEWER, "vera")
    return stranger


@pytest.fixture
async def client(database_uri: str, broker_url: str) -> AsyncIterator[AsyncTaskClient]:
    """What submits tasks."""
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client
