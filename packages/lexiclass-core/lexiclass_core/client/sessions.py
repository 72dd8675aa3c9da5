"""Sessions of callers: one, or whichever is that of the thread, the request or the asyncio task."""

from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, scoped_session

CallersSession: TypeAlias = Session | scoped_session[Session]
CallersAsyncSession: TypeAlias = AsyncSession | async_scoped_session[AsyncSession]


def session_of(given: CallersSession) -> Session:
    """The session itself."""
    return given() if isinstance(given, scoped_session) else given


def async_session_of(given: CallersAsyncSession) -> AsyncSession:
    """The session itself."""
    return given() if isinstance(given, async_scoped_session) else given
