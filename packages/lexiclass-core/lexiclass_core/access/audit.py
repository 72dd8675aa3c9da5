"""What people did, kept for those who ask later."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.access.tokens import User
from lexiclass_core.models import AuditEvent
from lexiclass_core.storable import storable


async def record(
    session: AsyncSession,
    user: User,
    action: str,
    subject: str,
    outcome: str,
    details: dict[str, Any],
) -> int:
    """Write down what this transaction does for somebody. Returns the entry's id.

    What it quotes of others, such as keys of dead letters, is written as far as a row can hold it.
    """
    written = await session.execute(
        insert(AuditEvent)
        .values(
            user_name=user.name,
            role=user.role,
            action=action,
            subject=subject,
            outcome=storable(outcome),
            details=storable(details),
        )
        .returning(AuditEvent.id)
    )
    return int(written.scalar_one())


async def find(session: AsyncSession, entry_id: int) -> AuditEvent | None:
    """The entry with an id."""
    return await session.scalar(select(AuditEvent).where(AuditEvent.id == entry_id))


async def page(
    session: AsyncSession, *, before: int | None = None, limit: int = 50
) -> Sequence[AuditEvent]:
    """What was done, newest first, before an entry."""
    statement = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEvent.id < before)
    return (await session.scalars(statement)).all()
