"""The database itself: what the storage knows it by, whom its tables serve, its backups."""

from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base


class Installation(Base):
    """One row: what the storage knows this database by.

    Attributes:
        key: Made up when the tables were made, and kept by a dump.
    """

    __tablename__ = "installation"

    key: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())


class SchemaSupport(Base):
    """One row: which workers the tables serve.

    Attributes:
        serves_from: The version of the tables whose workers are the oldest that can use these.
    """

    __tablename__ = "schema_support"

    serves_from: Mapped[str]


class Backup(Base):
    """A backup that was made, of this database and of the storage; none has its own row.

    Attributes:
        name: What whoever made it calls it.
    """

    __tablename__ = "backup"

    name: Mapped[str]
