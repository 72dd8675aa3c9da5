"""``lexiclass-worker documents delete`` and ``project delete``: tasks of the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass_worker.cli.connections import in_session
from lexiclass_worker.cli.output import AsJson
from lexiclass_worker.cli.references import ProjectName, resolve, resolve_documents
from lexiclass_worker.cli.submit import Submitting, submit
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until a worker has done it, or only ask.")
]


def delete_documents(
    project: ProjectName,
    documents: Annotated[
        list[str],
        typer.Argument(metavar="DOCUMENT...", help="Numbers, or the ids of their source."),
    ],
    remove_models: Annotated[
        bool,
        typer.Option(
            "--remove-models",
            help="Also retire and remove the model versions that may hold words of them, even if a "
            "field is left without one.",
        ),
    ] = False,
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Erase documents: rows, texts, what indexes and histories of predictions hold of them."""
    from lexiclass_core.schemas import EraseDocuments

    settings = load_settings()
    project_id, _ = resolve(settings, project)
    numbers = sorted(set(resolve_documents(settings, project_id, documents)))
    models = ", and the models that may hold words of them" if remove_models else ""
    _ask(
        f"Erase {len(numbers)} documents of project {project_id}{models}, for good?",
        yes=yes,
        as_json=as_json,
    )
    request = EraseDocuments(
        project_id=project_id, document_ids=numbers, remove_models=remove_models
    )
    submit(request, Submitting(wait=wait, as_json=as_json))


def delete_project(
    project: ProjectName, yes: Yes = False, wait: Wait = True, as_json: AsJson = False
) -> None:
    """Delete a project with all it has: documents, labels, models, predictions, tasks, files."""
    from lexiclass_core.models import Project
    from lexiclass_core.schemas import DeleteProject
    from lexiclass_worker.repositories import documents

    settings = load_settings()
    project_id, _ = resolve(settings, project)

    async def describe(session: AsyncSession) -> tuple[str, int]:
        row = await session.get(Project, project_id)
        name = "" if row is None else f" ({row.name})"
        return name, await documents.count(session, project_id)

    name, number = in_session(settings, describe)
    _ask(
        f"Delete project {project_id}{name} with {number} documents and all it has, for good?",
        yes=yes,
        as_json=as_json,
    )
    submit(DeleteProject(project_id=project_id), Submitting(wait=wait, as_json=as_json))


def _ask(question: str, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json:
        raise typer.BadParameter("--json asks no questions: add --yes")
    typer.confirm(question, abort=True)
