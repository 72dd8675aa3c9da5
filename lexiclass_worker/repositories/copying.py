"""COPY, which SQLAlchemy leaves to the driver."""

import json
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db.errors import ends_connection
from lexiclass_worker.errors import DatabaseUnavailable


@asynccontextmanager
async def copying(session: AsyncSession) -> AsyncIterator[Any]:
    """The driver's connection, in the caller's transaction.

    Raises:
        DatabaseUnavailable: If a COPY takes too long: the driver calls it as files do.
    """
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver = raw.driver_connection
    if driver is None:
        raise RuntimeError("the session has no connection to the server")
    try:
        yield driver
    except TimeoutError as error:
        raise DatabaseUnavailable("a COPY took too long; trying again can help") from error
    except asyncpg.PostgresError as error:
        # SQLAlchemy, which leaves such a server by itself, does not see this one.
        if ends_connection(error):
            await connection.invalidate()
        raise


async def copy_rows(
    session: AsyncSession, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Insert rows of numbers, texts, truth values, JSON (as objects) and nulls by COPY.

    As text: the driver's own way to copy records leaves a prepared statement in the session, which
    behind a pooler is soon another's.
    """

    async def blocks() -> AsyncIterator[bytes]:
        # A message for each row would cost more than the row.
        block: list[str] = []
        for row in rows:
            block.append("\t".join(map(_field, row)) + "\n")
            if len(block) == _ROWS_OF_A_BLOCK:
                yield "".join(block).encode()
                block.clear()
        yield "".join(block).encode()

    async with copying(session) as driver:
        await driver.copy_to_table(table, columns=columns, source=blocks(), format="text")


def _field(value: object) -> str:
    match value:
        case None:
            return r"\N"
        case bool():
            return "t" if value else "f"
        case dict() | list():
            return _escaped(json.dumps(value))
        case _:
            return _escaped(str(value))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


_ROWS_OF_A_BLOCK: Final = 500
# https://www.postgresql.org/docs/current/sql-copy.html, "Text Format"
_ESCAPES: Final = {"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
_SPECIAL: Final = re.compile(r"[\\\t\n\r]")
