"""Login links and sessions: random tokens of which the database has the digests."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import AccessToken
from lexiclass_core.statuses import Role

LOGIN_LINK_S: Final = 15 * 60
"""Seconds in which a login link can be used."""

_TOKEN_BYTES: Final = 32


class User(NamedTuple):
    """Somebody, as what they may act."""

    name: str
    role: Role


async def issue_login(session: AsyncSession, user: User, *, lasts_s: float = LOGIN_LINK_S) -> str:
    """Make a token that opens one session.

    Returns:
        43 characters that a URL can hold. They are not kept.
    """
    return await _issue(session, "login", user, lasts_s)


async def open_session(
    session: AsyncSession, user: User, *, lasts_s: float, prefix: str = ""
) -> str:
    """Make the token of a session, and forget those that have ended.

    It begins with the prefix, which is digested with it: a token with another one is none.
    """
    await session.execute(delete(AccessToken).where(AccessToken.expires_at < func.now()))
    return await _issue(session, "session", user, lasts_s, prefix)


async def redeem(session: AsyncSession, token: str) -> User | None:
    """Take a login token, which is gone with that; None if there is none, or no longer."""
    taken = await session.execute(
        delete(AccessToken)
        .where(
            AccessToken.kind == "login",
            AccessToken.digest == _digest(token),
            AccessToken.expires_at > func.now(),
        )
        .returning(AccessToken.user_name, AccessToken.role)
    )
    row = taken.one_or_none()
    return None if row is None else User(row.user_name, Role(row.role))


async def user_of(session: AsyncSession, token: str) -> User | None:
    """Whose session a token is; None if there is none, or no longer."""
    found = await session.execute(
        select(AccessToken.user_name, AccessToken.role).where(
            AccessToken.kind == "session",
            AccessToken.digest == _digest(token),
            AccessToken.expires_at > func.now(),
        )
    )
    row = found.one_or_none()
    return None if row is None else User(row.user_name, Role(row.role))


async def end_session(session: AsyncSession, token: str) -> None:
    """End a session."""
    await session.execute(
        delete(AccessToken).where(
            AccessToken.kind == "session", AccessToken.digest == _digest(token)
        )
    )


async def _issue(
    session: AsyncSession, kind: str, user: User, lasts_s: float, prefix: str = ""
) -> str:
    token = prefix + secrets.token_urlsafe(_TOKEN_BYTES)
    await session.execute(
        insert(AccessToken).values(
            kind=kind,
            digest=_digest(token),
            user_name=user.name,
            role=user.role,
            expires_at=func.now() + timedelta(seconds=lasts_s),
        )
    )
    return token


def _digest(token: str) -> str:
    # Random bytes need no slow hash.
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
