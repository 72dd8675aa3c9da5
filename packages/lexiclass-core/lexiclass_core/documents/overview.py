"""Projects and fields at a glance, however large: counting ends at 10,000."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import (
    Document,
    DocumentLabel,
    Field,
    FieldClass,
    IndexStatus,
    LabelSuspect,
    Project,
    SuspectStatus,
)
from lexiclass_core.numbers import LARGEST_ID

MOST_COUNTED: Final = 10_000
"""Where counting ends: a count of 10,000 says that there are as many, or more."""

MOST_CLASSES: Final = 200
"""Classes of a field that are listed."""

MOST_LISTED: Final = 50
"""Classes of a field that are listed with those of others."""


class ClassCount(NamedTuple):
    """Labels with one class."""

    class_name: str
    num_training: int
    num_test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldLabels:
    """What the labels of a field say of the newest documents of its project.

    Attributes:
        classes: Those that have labels, the most frequent first, 50 of them.
    """

    classes: Sequence[ClassCount]
    num_classes: int
    num_training: int
    num_test: int
    num_unlabelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectOverview:
    """A project.

    Attributes:
        documents: How far its newest 10,000 documents are indexed.
    """

    summary: Project
    documents: Mapping[IndexStatus, int]
    fields: Sequence[Field]

    @property
    def num_documents(self) -> int:
        """How many documents it has; 10,000 says as many, or more."""
        return sum(self.documents.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOverview:
    """A field.

    Attributes:
        classes: Labels for training of each class by name, the first 200.
        num_suspects: Labels that look wrong, and of which nobody has decided.
    """

    summary: Field
    classes: Mapping[str, int]
    num_training: int
    num_test: int
    num_suspects: int


async def list_projects(
    session: AsyncSession, *, before: int | None = None, limit: int = 50
) -> Sequence[Project]:
    """Projects, newest first, before one of them."""
    statement = select(Project).order_by(Project.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Project.id < before)
    return (await session.scalars(statement)).all()


async def project_overview(session: AsyncSession, project_id: int) -> ProjectOverview | None:
    """A project; None if there is none."""
    project = await session.get(Project, project_id) if 0 < project_id <= LARGEST_ID else None
    if project is None:
        return None
    # An index by status would make each indexing slower.
    newest = (
        select(Document.index_status)
        .where(Document.project_id == project_id)
        .order_by(Document.id.desc())
        .limit(MOST_COUNTED)
        .subquery()
    )
    rows = await session.execute(
        select(newest.c.index_status, func.count()).group_by(newest.c.index_status)
    )
    documents = dict.fromkeys(IndexStatus, 0) | {
        IndexStatus(status): int(number) for status, number in rows
    }
    fields = await session.scalars(
        select(Field).where(Field.project_id == project_id).order_by(Field.name, Field.id)
    )
    return ProjectOverview(
        summary=project,
        documents=documents,
        fields=fields.all(),
    )


async def label_counts(
    session: AsyncSession, project: ProjectOverview
) -> Mapping[int, FieldLabels]:
    """How the newest 10,000 documents of a project are labelled, by field."""
    newest = (
        select(Document.id)
        .where(Document.project_id == project.summary.id)
        .order_by(Document.id.desc())
        .limit(MOST_COUNTED)
        .subquery()
    )
    trains = DocumentLabel.is_training_data
    rows = await session.execute(
        select(
            DocumentLabel.field_id,
            DocumentLabel.class_id,
            func.count().filter(trains),
            func.count().filter(~trains),
        )
        .join(newest, newest.c.id == DocumentLabel.document_id)
        .group_by(DocumentLabel.field_id, DocumentLabel.class_id)
    )
    found: dict[int, list[tuple[int, int, int]]] = {}
    for field_id, class_id, num_training, num_test in rows:
        found.setdefault(field_id, []).append((class_id, num_training, num_test))
    listed = {
        field_id: sorted(counts, key=lambda each: (-each[1] - each[2], each[0]))[:MOST_LISTED]
        for field_id, counts in found.items()
    }
    names = await _class_names(session, [each for some in listed.values() for each, *_ in some])
    labels = {}
    for field in project.fields:
        counts = found.get(field.id, [])
        num_training, num_test = sum(each[1] for each in counts), sum(each[2] for each in counts)
        labels[field.id] = FieldLabels(
            classes=[
                ClassCount(names[class_id], *numbers)
                for class_id, *numbers in listed.get(field.id, [])
                if class_id in names
            ],
            num_classes=len(counts),
            num_training=num_training,
            num_test=num_test,
            num_unlabelled=project.num_documents - num_training - num_test,
        )
    return labels


async def _class_names(session: AsyncSession, class_ids: Sequence[int]) -> dict[int, str]:
    if not class_ids:
        return {}
    rows = await session.execute(
        select(FieldClass.id, FieldClass.name).where(FieldClass.id.in_(class_ids))
    )
    return {int(class_id): str(name) for class_id, name in rows}


async def field_overview(session: AsyncSession, field_id: int) -> FieldOverview | None:
    """A field; None if there is none."""
    field = await session.get(Field, field_id) if 0 < field_id <= LARGEST_ID else None
    if field is None:
        return None
    of_field = DocumentLabel.field_id == field_id
    classes = await session.execute(
        select(FieldClass.id, FieldClass.name)
        .where(FieldClass.field_id == field_id)
        .order_by(FieldClass.name)
        .limit(MOST_CLASSES)
    )
    counted = (
        select(DocumentLabel.class_id)
        .where(of_field, DocumentLabel.is_training_data)
        .limit(MOST_COUNTED)
        .subquery()
    )
    rows = await session.execute(
        select(counted.c.class_id, func.count()).group_by(counted.c.class_id)
    )
    of_class = {int(class_id): int(number) for class_id, number in rows}
    return FieldOverview(
        summary=field,
        classes={str(name): of_class.get(class_id, 0) for class_id, name in classes},
        num_training=sum(of_class.values()),
        num_test=await _count(session, DocumentLabel, of_field, ~DocumentLabel.is_training_data),
        num_suspects=await _count(
            session,
            LabelSuspect,
            LabelSuspect.field_id == field_id,
            LabelSuspect.status == SuspectStatus.OPEN,
        ),
    )


async def _count(
    session: AsyncSession,
    table: type[DocumentLabel | LabelSuspect],
    *which: ColumnElement[bool],
) -> int:
    some = select(table.id).where(*which).limit(MOST_COUNTED).subquery()
    return (await session.execute(select(func.count()).select_from(some))).scalar_one()
