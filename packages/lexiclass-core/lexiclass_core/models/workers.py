"""Workers, and the plugins they have."""

from datetime import datetime

from sqlalchemy import ARRAY, Integer, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base, StoredObject


class Worker(Base):
    """A worker process that has registered, and has not ended in order.

    Attributes:
        name: What it signs leases with: no other process has it.
        group_pid: Process id of its group's master on that host.
        threads: Tasks of each queue that it runs side by side.
        seen_at: When it was last heard of; :mod:`lexiclass_core.workers` has what that means.
        away_since: When this process last began not to reach the database.
        away_until: When it reached it again.
        plugins_digest: Of the :class:`PluginCatalog` with its plugins; null until it has looked.
        settings: What :mod:`lexiclass_core.worker_settings` reads; loaded when it is asked for.
    """

    __tablename__ = "worker"

    name: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int] = mapped_column(Integer)
    group_pid: Mapped[int] = mapped_column(Integer)
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    threads: Mapped[int] = mapped_column(Integer)
    version: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    away_since: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    plugins_digest: Mapped[str | None]
    settings: Mapped[StoredObject] = mapped_column(deferred=True)

    __table_args__ = (UniqueConstraint("name"),)


class PluginCatalog(Base):
    """The plugins that workers have, as they describe them; equal ones are kept once.

    Attributes:
        digest: SHA-256 of ``content``, in hexadecimal digits.
        content: What :mod:`lexiclass_core.plugins` reads.
        seen_at: When a worker last said that it has these.
    """

    __tablename__ = "plugin_catalog"

    digest: Mapped[str]
    content: Mapped[StoredObject]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("digest"),)
