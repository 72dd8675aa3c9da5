"""What people did, kept for those who ask later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.access.tokens import User
from lexiclass_core.models import AuditEvent
from lexiclass_core.statuses import Role
from lexiclass_core.storable import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Something that somebody did."""

    id: int
    at: datetime
    user: User
    action: str
    subject: str
    outcome: str
    details: dict[str, Any]

    @classmethod
    def of(cls, row: AuditEvent) -> "AuditEntry":
        """The entry that a row is."""
        return cls(
            id=row.id,
            at=row.created_at,
            user=User(row.user_name, Role(row.role)),
            action=row.action,
            subject=row.subject,
            outcome=row.outcome,
            details=row.details,
        )


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


async def find(session: AsyncSession, entry_id: int) -> AuditEntry | None:
    """The entry with an id."""
    row = await session.scalar(select(AuditEvent).where(AuditEvent.id == entry_id))
    return None if row is None else AuditEntry.of(row)


async def page(
    session: AsyncSession, *, before: int | None = None, limit: int = 50
) -> Sequence[AuditEntry]:
    """What was done, newest first, before an entry."""
    statement = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEvent.id < before)
    return [AuditEntry.of(row) for row in await session.scalars(statement)]
