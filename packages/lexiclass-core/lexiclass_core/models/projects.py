"""Projects, and what they have in the storage."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base, one_of
from lexiclass_core.statuses import ProjectIndexStatus, ProjectModelStatus, ProjectStatus


class Project(Base):
    """Documents that are classified together, and the fields they are classified by.

    ``takes_unknown_indexes`` is true of a project from before :class:`ProjectIndex`, until it is
    indexed: what it has of indexes is used without being known. ``build_key`` is a secret that who
    can write to the storage does not know: what a build of an index leaves there is signed with it.
    """

    __tablename__ = "project"

    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default=ProjectStatus.ACTIVE)
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    index_status: Mapped[str] = mapped_column(server_default=ProjectIndexStatus.PENDING)
    model_status: Mapped[str] = mapped_column(server_default=ProjectModelStatus.PENDING)
    last_indexed_at: Mapped[datetime | None]
    last_trained_at: Mapped[datetime | None]
    takes_unknown_indexes: Mapped[bool] = mapped_column(server_default=text("false"))
    build_key: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())

    __table_args__ = (
        one_of("status", ProjectStatus),
        one_of("index_status", ProjectIndexStatus),
        one_of("model_status", ProjectModelStatus),
    )


class ProjectIndex(Base):
    """An index of a project, by the name of its folder.

    Attributes:
        manifests: SHA-256 of each manifest that it may have, with its signature or null: of the one
            that was published last, and beside it of the one that is being published.
    """

    __tablename__ = "project_index"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str]
    manifests: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (UniqueConstraint("project_id", "name"),)


class ProjectRemoval(Base):
    """A project whose row was deleted, by whomever, and whose files are still to be removed."""

    __tablename__ = "project_removal"

    project_id: Mapped[int]

    __table_args__ = (UniqueConstraint("project_id"),)
