"""SQL as another program would write it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from lexiclass_core.db import create_session_factory
from lexiclass_worker.repositories.stalled_sessions import WORKER_NAME
from tests.support.workers import wait_until

T = TypeVar("T")
Row = dict[str, Any]

FINAL = frozenset({"succeeded", "failed", "cancelled"})


class Database:
    """A synchronous view of a database, over connections of its own."""

    def __init__(self, uri: str) -> None:
        self._runner = asyncio.Runner()
        # This loop stands still between two calls, and does not see a server go.
        self._engine = create_async_engine(
            uri,
            pool_pre_ping=True,
            # The tables may be those of another release from one statement to the next.
            connect_args={"prepared_statement_cache_size": 0},
        )
        self._sessions = create_session_factory(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.run(self._engine.dispose())
        self._runner.close()

    def run(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Do something in one transaction."""

        async def transaction() -> T:
            async with self._sessions.begin() as session:
                return await work(session)

        return self._runner.run(transaction())

    def rows(self, statement: str, **values: Any) -> list[Row]:
        """The rows of a query."""

        async def query(session: AsyncSession) -> list[Row]:
            result = await session.execute(text(statement), values)
            return [dict(row) for row in result.mappings()]

        return self.run(query)

    def row(self, statement: str, **values: Any) -> Row | None:
        """The first row of a query."""
        return next(iter(self.rows(statement, **values)), None)

    def value(self, statement: str, **values: Any) -> Any:
        """The only value of a query."""
        (row,) = self.rows(statement, **values)
        (value,) = row.values()
        return value

    def execute(self, statement: str, **values: Any) -> None:
        """Run a statement that gives no rows."""

        async def execute(session: AsyncSession) -> None:
            await session.execute(text(statement), values)

        self.run(execute)

    def task(self, message_id: str) -> Row | None:
        """The task row of a message."""
        return self.row("SELECT * FROM task WHERE message_id = :id", id=message_id)

    def wait_for_task(
        self, message_id: str, *statuses: str, timeout_s: float = 120.0
    ) -> dict[str, Any]:
        """The task row once it has one of some statuses."""

        def look() -> Row | None:
            task = self.task(message_id)
            return task if task is not None and task["status"] in statuses else None

        try:
            return wait_until(look, timeout_s=timeout_s)
        except AssertionError as error:
            raise AssertionError(
                f"{error}: expected {statuses}, found {self.task(message_id)}"
            ) from None

    def finished(self, message_id: str, *, timeout_s: float = 120.0) -> Row:
        """The task row once it is final."""
        return self.wait_for_task(message_id, *FINAL, timeout_s=timeout_s)

    def succeeded(self, message_id: str, *, timeout_s: float = 120.0) -> Row:
        """The task row once it is final, which must be with success."""
        task = self.finished(message_id, timeout_s=timeout_s)
        assert task["status"] == "succeeded", task["error"]
        return task

    def failed(self, message_id: str, *, timeout_s: float = 120.0) -> Row:
        """The task row once it is final, which must be without success."""
        task = self.finished(message_id, timeout_s=timeout_s)
        assert task["status"] == "failed", task
        return task


async def stopped_halfway(database_uri: str, statement: str) -> "asyncpg.Connection[Any]":
    """A worker's session that has executed a statement, and prepared another, and says no more."""
    connection = await asyncpg.connect(
        database_uri.replace("+asyncpg", ""),
        server_settings={
            "application_name": WORKER_NAME,
            "idle_in_transaction_session_timeout": "100",
        },
    )
    await connection.execute("BEGIN")
    await connection.execute(statement)
    await connection.prepare("SELECT 1 AS never_executed")
    return connection


async def until_closed(connection: "asyncpg.Connection[Any]") -> None:
    """Return when it has heard that the server has ended its session."""
    async with asyncio.timeout(60):
        while not connection.is_closed():
            await asyncio.sleep(0.01)
