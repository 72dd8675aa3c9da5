"""Documents by number, or as their source calls them."""

from collections.abc import Collection, Sequence

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.documents.errors import DocumentNotFound, ProjectNotFound
from lexiclass_core.models import Document, Project
from lexiclass_core.numbers import number_of
from lexiclass_core.storable import is_storable

_TOLD = 10


async def find_documents(
    session: AsyncSession,
    project_id: int,
    references: Sequence[int | str],
    *,
    may_be_gone: bool = False,
) -> list[int]:
    """The ids of a project's documents, in the order of the references.

    A number is looked for as what a source calls a document only if no document has this number.

    With ``may_be_gone`` a number is given back as it is if no document of any project has it:
    traces of a document may be left when its row is not.

    Raises:
        ProjectNotFound: If a document is not found as the project does not exist.
        DocumentNotFound: If one is none of the project's; the message names them, and the projects
            that they are of.
    """
    if number_of(project_id) is None:
        raise ProjectNotFound(project_id)
    numbers = {reference: number_of(reference) for reference in references}
    names = [str(reference) for reference in references if is_storable(str(reference))]
    wanted = [number for number in numbers.values() if number is not None]
    rows = (
        await session.execute(
            select(Document.id, Document.external_id).where(
                Document.project_id == project_id,
                # One parameter each, however many there are.
                or_(
                    Document.id == any_(bindparam("ids", wanted, type_=ARRAY(BigInteger))),
                    Document.external_id == any_(bindparam("names", names, type_=ARRAY(Text))),
                ),
            )
        )
    ).all()
    ids = {document_id for document_id, _ in rows}
    named = {external_id: document_id for document_id, external_id in rows}
    owners = await _owners(session, set(wanted) - ids)
    found: list[int] = []
    missing: list[str] = []
    for reference in references:
        number = numbers[reference]
        if number in ids and number is not None:
            found.append(number)
        elif str(reference) in named:
            found.append(named[str(reference)])
        elif number in owners:
            missing.append(f"{reference!r} (it is of project {owners[number]})")
        elif may_be_gone and number is not None:
            found.append(number)
        else:
            missing.append(repr(reference))
    if missing:
        if await session.get(Project, project_id) is None:
            raise ProjectNotFound(project_id)
        more = f" and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
        raise DocumentNotFound(
            f"project {project_id} has no document {', '.join(missing[:_TOLD])}{more}: name each "
            "by its number, or as its source calls it"
        )
    return found


async def _owners(session: AsyncSession, ids: Collection[int]) -> dict[int | None, int]:
    """The projects that documents are of, by their ids."""
    if not ids:
        return {}
    rows = await session.execute(
        select(Document.id, Document.project_id).where(
            Document.id == any_(bindparam("ids", list(ids), type_=ARRAY(BigInteger)))
        )
    )
    return {row.id: row.project_id for row in rows}
