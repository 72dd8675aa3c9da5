"""Small projects, written as another program would: SQL and files only."""

import random
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_WORDS = {
    "animals": "cat dog horse bird feather fur paw tail whisker stable nest leash".split(),
    "vehicles": "car truck train wheel engine brake fuel tyre rail gear clutch axle".split(),
    "kitchen": "pan oven knife butter flour sugar spoon salt pepper bread dough soup".split(),
}
_FILLER = "the a of and to in is was it for on with as by at from this that".split()


def make_text(label: str, seed: int, *, words: int = 25) -> str:
    """A text whose words tell its class, always the same for a label and a seed."""
    source = random.Random(f"{label}-{seed}")
    return " ".join(
        source.choice(_WORDS[label]) if source.random() < 0.5 else source.choice(_FILLER)
        for _ in range(words)
    )


@dataclass(slots=True)
class SmallProject:
    """A project in the database and on disk."""

    project_id: int
    field_id: int
    class_ids: dict[str, int]
    document_ids: list[int] = field(default_factory=list)
    training_ids: list[int] = field(default_factory=list)
    test_ids: list[int] = field(default_factory=list)
    true_class: dict[int, str] = field(default_factory=dict)


async def create_project(
    session: AsyncSession,
    storage: Path,
    *,
    labels: tuple[str, ...] = ("animals", "vehicles", "kitchen"),
    training: int = 12,
    test: int = 4,
) -> SmallProject:
    """Insert a project with documents of each class, and write their files."""
    project_id = await insert(session, "INSERT INTO project (name) VALUES ('small') RETURNING id")
    field_id = await insert(
        session,
        "INSERT INTO field (project_id, name) VALUES (:project_id, 'topic') RETURNING id",
        project_id=project_id,
    )
    project = SmallProject(project_id, field_id, {})
    for label in labels:
        project.class_ids[label] = await insert(
            session,
            "INSERT INTO field_class (field_id, name) VALUES (:field_id, :name) RETURNING id",
            field_id=field_id,
            name=label,
        )
    for number in range(training + test):
        for label in labels:
            document_id = await add_document(session, storage, project_id, make_text(label, number))
            await add_label(
                session, project, document_id, label, is_training_data=number < training
            )
    return project


async def add_document(
    session: AsyncSession, storage: Path, project_id: int, content: str | bytes
) -> int:
    """Insert a document row and write its file."""
    document_id = await insert(
        session,
        "INSERT INTO document (project_id) VALUES (:project_id) RETURNING id",
        project_id=project_id,
    )
    path = storage / str(project_id) / "documents" / f"{document_id}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return document_id


async def add_label(
    session: AsyncSession,
    project: SmallProject,
    document_id: int,
    label: str,
    *,
    is_training_data: bool,
) -> None:
    """Insert a label."""
    await session.execute(
        text(
            "INSERT INTO document_label (document_id, field_id, class_id, is_training_data) "
            "VALUES (:document_id, :field_id, :class_id, :is_training_data)"
        ),
        {
            "document_id": document_id,
            "field_id": project.field_id,
            "class_id": project.class_ids[label],
            "is_training_data": is_training_data,
        },
    )
    project.document_ids.append(document_id)
    (project.training_ids if is_training_data else project.test_ids).append(document_id)
    project.true_class[document_id] = label


async def insert(session: AsyncSession, statement: str, **values: object) -> int:
    """Run an INSERT ... RETURNING id."""
    return int((await session.execute(text(statement), values)).scalar_one())
