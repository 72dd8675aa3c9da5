"""What every page and action works with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request

from lexiclass_console.access.passwords import Passwords
from lexiclass_console.streams import Streams
from lexiclass_core.access.settings import ConsoleSettings
from lexiclass_core.access.tokens import User
from lexiclass_core.client import AsyncTaskClient, DatabaseUnavailable
from lexiclass_core.db import SessionFactory
from lexiclass_core.db.errors import DATABASE_ERRORS, is_transient, sqlstate_of
from lexiclass_core.documents.texts import TextReader

# The SQLSTATE foreign_key_violation.
_REFERS_TO_NOTHING: Final = "23503"


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """The servers and the settings behind the pages.

    Attributes:
        streams: The pages that are kept up to date.
        texts: Where the texts of documents lie; None if nobody has said.
        storage_keys: What reports have to be signed with; None where they are not.
    """

    client: AsyncTaskClient
    sessions: SessionFactory
    settings: ConsoleSettings
    passwords: Passwords
    streams: Streams
    texts: TextReader | None = None
    storage_keys: str | None = None

    @classmethod
    def of(cls, request: Request) -> Console:
        """The console that a request is for."""
        console: Console = request.app.state.console
        return console

    def shows_texts_to(self, user: User) -> bool:
        """Whether somebody may see requests, results, what errors quote, and what documents are."""
        return user.role.may(self.settings.texts_from)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """A transaction that sees one state of the database and changes nothing.

        Raises:
            DatabaseUnavailable: If PostgreSQL cannot be reached, or gives up on it.
        """
        with _told_as_unavailable():
            async with self.sessions() as session:
                await session.connection(
                    execution_options={
                        "isolation_level": "REPEATABLE READ",
                        "postgresql_readonly": True,
                    }
                )
                yield session

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncSession]:
        """A transaction, committed in the end.

        Raises:
            DatabaseUnavailable: If PostgreSQL cannot be reached, or gives up on it.
            HTTPException: If another removes what it refers to.
        """
        with _told_as_unavailable():
            async with self.sessions.begin() as session:
                yield session


@contextmanager
def _told_as_unavailable() -> Iterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        if sqlstate_of(error) == _REFERS_TO_NOTHING:
            raise HTTPException(
                409, "What this is about was removed meanwhile: nothing was done. Look at it anew."
            ) from error
        if not is_transient(error):
            raise
        raise DatabaseUnavailable(
            "PostgreSQL cannot be reached, or gave up on a transaction. What runs goes on, and "
            "nothing is lost; reload this page when it is back."
        ) from error
