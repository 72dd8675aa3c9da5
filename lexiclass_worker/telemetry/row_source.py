"""PostgreSQL as a source of metrics: one reading of its rows, which fails alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.db import create_engine

Reading = Callable[[AsyncConnection], Awaitable[list[Metric]]]

_TIMEOUT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """One reading, on a connection of its own: a table that is locked or lacking hides no other.

    Attributes:
        name: Label of the reading in ``lexiclass_scrape_errors``.
        reading: Makes the series. Each of its statements is given 2 seconds.
    """

    name: str
    database_uri: str
    reading: Reading

    def read(self) -> list[Metric]:
        """The series.

        Raises:
            SQLAlchemyError: PostgreSQL refuses, has no such table, or takes more than 2 seconds.
            OSError: PostgreSQL is not there.
            TimeoutError: PostgreSQL does not answer.
        """
        return asyncio.run(self._read())

    async def _read(self) -> list[Metric]:
        engine = create_engine(
            self.database_uri,
            pool_size=1,
            application_name="lexiclass-metrics",
            command_timeout_s=2 * _TIMEOUT_S,
            connect_timeout_s=_TIMEOUT_S,
        )
        try:
            async with engine.connect() as connection:
                # Ended by the server, which would go on counting for a client that went away.
                await connection.execute(
                    text("SELECT set_config('statement_timeout', :milliseconds, true)"),
                    {"milliseconds": str(int(_TIMEOUT_S * 1000))},
                )
                return await self.reading(connection)
        finally:
            await engine.dispose()
