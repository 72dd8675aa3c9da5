"""Projects and fields on the command line: by name or by number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass_core.numbers import LARGEST_VERSION, number_of
from lexiclass_worker.cli.connections import in_session, in_sessions
from lexiclass_worker.config import Settings

if TYPE_CHECKING:
    from lexiclass_core.db import SessionFactory

ProjectName = Annotated[
    str, typer.Argument(metavar="PROJECT", help="Name or number of the project.")
]
FieldName = Annotated[
    str, typer.Argument(metavar="FIELD", help="Name or number of a field of the project.")
]
FieldWords = Annotated[
    list[str],
    typer.Argument(metavar="[PROJECT] FIELD", help="Names, or the number of the field alone."),
]
VersionWords = Annotated[
    list[str],
    typer.Argument(
        metavar="[PROJECT] FIELD VERSION",
        help="Names, or the number of the field alone; then the version.",
    ),
]

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


@contextmanager
def _numbers_checked(*names: str) -> Iterator[None]:
    """Tell a name that nothing has from a number that nothing can have.

    Raises:
        BadParameter: If a name is unknown and one of them is such a number.
    """
    from lexiclass_core.documents import DocumentNotFound, ProjectNotFound
    from lexiclass_core.references import UnresolvedName

    try:
        yield
    except (DocumentNotFound, ProjectNotFound, UnresolvedName) as error:
        for name in names:
            if name.isascii() and name.isdecimal() and number_of(name) is None:
                raise typer.BadParameter(f"{name[:40]} is no number from 1 on: {error}") from error
        raise


async def find_project(sessions: SessionFactory, project: str) -> int:
    """The id of the project that somebody named.

    Raises:
        UnresolvedName: If it is unknown, or several have this name.
    """
    from lexiclass_core import references

    with _numbers_checked(project):
        async with sessions() as session:
            return await references.find_project(session, project)


async def find_field(sessions: SessionFactory, project: str, field: str) -> tuple[int, int]:
    """The ids of the project and of its field that somebody named.

    Raises:
        UnresolvedName: If one is unknown, or several projects have this name.
    """
    from lexiclass_core import references

    with _numbers_checked(project, field):
        async with sessions() as session:
            project_id = await references.find_project(session, project)
            return project_id, await references.find_field(session, project_id, field)


async def find_lone_field(sessions: SessionFactory, words: list[str]) -> int:
    """The id of a field that is named alone, or after its project.

    Raises:
        BadParameter: If there are more words.
        UnresolvedName: If one is unknown, or several have this name.
    """
    from lexiclass_core import references

    match words:
        case [field]:
            with _numbers_checked(field):
                async with sessions() as session:
                    return await references.find_lone_field(session, field)
        case [project, field]:
            return (await find_field(sessions, project, field))[1]
        case _:
            raise typer.BadParameter(f"expected [PROJECT] FIELD, found {' '.join(words)!r}")


def split_version(words: list[str]) -> tuple[list[str], int]:
    """The words that name a field, and the version after them.

    Raises:
        BadParameter: If the last word is no version, or it is the only one.
    """
    *field, word = words
    version = number_of(word, largest=LARGEST_VERSION)
    if not field or version is None:
        raise typer.BadParameter(f"expected [PROJECT] FIELD VERSION, found {' '.join(words)!r}")
    return field, version


def split_versions(words: list[str]) -> tuple[list[str], list[int]]:
    """The words that name a field, and the versions after them.

    Where the second word is a number it is a version, and the field is named alone.

    Raises:
        BadParameter: If what comes after the field are no versions.
    """
    numbers = [number_of(word, largest=LARGEST_VERSION) for word in words]
    names = 2 if None in numbers[1:2] else 1
    versions = [number for number in numbers[names:] if number is not None]
    if len(versions) < len(words[names:]):
        raise typer.BadParameter(f"expected [PROJECT] FIELD VERSION..., found {' '.join(words)!r}")
    return words[:names], versions


def resolve_documents(settings: Settings, project_id: int, documents: list[str]) -> list[int]:
    """The numbers of documents of a project that are named by them, or by their ids in the source.

    A number that is neither is given back as it is: whoever uses it says what is missing.

    Raises:
        DocumentNotFound: If the project has none of this name.
    """
    from lexiclass_core.documents import find_documents

    if not documents:
        return []
    with _numbers_checked(*documents):
        return in_session(
            settings,
            lambda session: find_documents(session, project_id, documents, may_be_gone=True),
        )


def resolve_lone_field(settings: Settings, words: list[str]) -> int:
    """See :func:`find_lone_field`."""
    return in_sessions(settings, lambda sessions: find_lone_field(sessions, words))


def resolve(settings: Settings, project: str, field: str | None = None) -> tuple[int, int]:
    """The ids of a project and, if one is named, of its field; else 0.

    Raises:
        UnresolvedName: If one is unknown, or several projects have this name.
    """

    async def find(sessions: SessionFactory) -> tuple[int, int]:
        if field is None:
            return await find_project(sessions, project), 0
        return await find_field(sessions, project, field)

    return in_sessions(settings, find)
