"""What is kept of a project's indexes: the manifests that each may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Label,
    bindparam,
    delete,
    func,
    inspect,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Project, ProjectIndex

Manifests = Mapping[str, str | None]
"""The signature of each manifest, by its SHA-256; None where it has none."""


@dataclass(frozen=True, slots=True)
class KeptIndexes:
    """What is kept of all indexes of a project.

    Attributes:
        manifests: Those that each index may have.
        takes_unknown: Whether an index that nothing is kept of is used.
    """

    manifests: Mapping[str, Manifests] = field(default_factory=dict)
    takes_unknown: bool = False


_PROJECT, _INDEX = inspect(Project).local_table, inspect(ProjectIndex).local_table


def kept_columns(project_id: ColumnElement[int]) -> tuple[Label[Any], Label[Any]]:
    """Two columns of a statement, for :func:`kept_in`."""
    each = func.jsonb_object_agg(_INDEX.c.name, _INDEX.c.manifests, type_=JSONB)
    manifests = select(each).where(_INDEX.c.project_id == project_id)
    takes_unknown = select(_PROJECT.c.takes_unknown_indexes).where(_PROJECT.c.id == project_id)
    return (
        manifests.scalar_subquery().label("index_manifests"),
        takes_unknown.scalar_subquery().label("takes_unknown_indexes"),
    )


def kept_in(columns: Sequence[Any]) -> KeptIndexes:
    """What the columns of :func:`kept_columns` hold."""
    manifests, takes_unknown = columns
    return KeptIndexes(manifests or {}, bool(takes_unknown))


async def kept(session: AsyncSession, project_id: int) -> KeptIndexes:
    """What is kept of a project's indexes; nothing, if there is no such project."""
    return kept_in((await session.execute(_KEPT, {"project": project_id})).one())


async def keep(session: AsyncSession, project_id: int, name: str, manifests: Manifests) -> None:
    """Say which manifests an index may have; nothing happens if the project is gone."""
    row = select(literal(project_id), literal(name), literal(dict(manifests), JSONB))
    statement = upsert(ProjectIndex).from_select(
        ["project_id", "name", "manifests"],
        row.select_from(_PROJECT).where(_PROJECT.c.id == project_id),
    )
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["project_id", "name"],
            set_={"manifests": statement.excluded.manifests},
        )
    )


async def forget(session: AsyncSession, project_id: int, name: str) -> None:
    """Say that there is no index of a name any more."""
    await session.execute(
        delete(ProjectIndex).where(ProjectIndex.project_id == project_id, ProjectIndex.name == name)
    )


async def take_no_unknown(session: AsyncSession, project_id: int) -> None:
    """Say that all indexes a project has are known."""
    await session.execute(
        update(Project)
        .where(Project.id == project_id, Project.takes_unknown_indexes)
        .values(takes_unknown_indexes=False)
    )


_KEPT: Final = select(*kept_columns(bindparam("project")))
