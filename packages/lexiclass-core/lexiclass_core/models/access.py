"""Who is let into the console, and what they did there."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base, one_of
from lexiclass_core.statuses import Role


class AccessToken(Base):
    """What lets somebody into the console: a login link that is used once, or a session.

    Attributes:
        kind: ``login`` or ``session``.
        digest: SHA-256 of the token, in hexadecimal digits; the token itself is nowhere.
    """

    __tablename__ = "access_token"

    kind: Mapped[str]
    digest: Mapped[str]
    user_name: Mapped[str]
    role: Mapped[str]
    expires_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("digest"),
        Index(None, "expires_at"),
        CheckConstraint("kind IN ('login', 'session')", name="kind"),
        one_of("role", Role),
    )


class AuditEvent(Base):
    """What somebody did in the console, written in the transaction that did it.

    What is done outside of one, such as a removal from Redis, has an entry before and one after.

    Attributes:
        action: What, such as ``task.cancel``.
        subject: On what, such as ``task 12``.
    """

    __tablename__ = "audit_event"

    user_name: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    outcome: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (one_of("role", Role),)
