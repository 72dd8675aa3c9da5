"""``lexiclass-worker labels set|remove``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass_worker.cli.connections import in_session
from lexiclass_worker.cli.output import AsJson, console, print_json
from lexiclass_worker.cli.references import FieldName, ProjectName
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

DocumentName = Annotated[
    str,
    typer.Argument(metavar="DOCUMENT", help="Number of the document, or its id in its source."),
]


def set_label(
    project: ProjectName,
    field: FieldName,
    document: DocumentName,
    class_name: Annotated[str, typer.Argument(metavar="CLASS", help="Name of the class.")],
    train: Annotated[
        bool | None,
        typer.Option(
            "--train/--test", help="What the label is for; as before, and training for a new one."
        ),
    ] = None,
    new_class: Annotated[
        bool, typer.Option("--new-class", help="Make the class if the field has none of the name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what the class of a document is, whatever was said before."""
    from lexiclass_core import documents, references

    async def change(session: AsyncSession, project_id: int, field_id: int, number: int) -> bool:
        if not new_class:
            await references.find_class(session, field_id, class_name)
        label = documents.Label(class_name=class_name, is_training_data=train)
        return await documents.set_label(session, project_id, field_id, number, label)

    number, is_new = _change(project, field, document, change)
    if as_json:
        print_json({"document_id": number, "class": class_name, "changed": is_new})
    else:
        console.print(
            f"document {number} is {class_name!r}{'' if is_new else ', as it was before'}",
            markup=False,
        )


def remove_label(
    project: ProjectName, field: FieldName, document: DocumentName, as_json: AsJson = False
) -> None:
    """Take the label of a document away; the document stays."""
    from lexiclass_core import documents

    number, was_there = _change(project, field, document, documents.remove_label)
    if as_json:
        print_json({"document_id": number, "changed": was_there})
    else:
        console.print(
            f"document {number} has no label in this field{'' if was_there else ', and had none'}"
        )


def _change(
    project: str,
    field: str,
    document: str,
    change: Callable[[AsyncSession, int, int, int], Awaitable[bool]],
) -> tuple[int, bool]:
    """The number of the document, and whether anything was changed."""
    from lexiclass_core import documents, references

    async def work(session: AsyncSession) -> tuple[int, bool]:
        project_id = await references.find_project(session, project)
        field_id = await references.find_field(session, project_id, field)
        (number,) = await documents.find_documents(session, project_id, [document])
        return number, await change(session, project_id, field_id, number)

    return in_session(load_settings(), work)
