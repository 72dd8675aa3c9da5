"""What is left to do of an addition once its transaction is over, however that ended."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.documents.fields import lock_unless_adding, wait_for_additions
from lexiclass_core.documents.texts import TextStore
from lexiclass_core.models import Document, Project

_NOTES: Final = re.compile(r"([0-9]+)-([0-9a-f]{32})/.+")


class Unsettled(NamedTuple):
    """An addition that is under way, or was killed."""

    project_id: int
    key: str


def unsettled(texts: TextStore) -> list[Unsettled]:
    """The additions that have notes.

    Raises:
        OSError: If the storage fails.
    """
    names = texts.file_sizes(layout.additions_directory())
    found = (match for name in names if (match := _NOTES.fullmatch(name)))
    return sorted({Unsettled(int(match[1]), match[2]) for match in found})


async def settle(
    transaction: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    texts: TextStore,
    project_id: int,
    key: str,
    *,
    waits: bool = True,
) -> bool:
    """Bring the texts of an addition to their usual places, and remove those without a row.

    Does nothing twice, and can be killed at any point and called again.

    Args:
        transaction: Opens one.
        texts: Where the texts are.
        project_id: Whose documents they are.
        key: Names the addition.
        waits: Whether to wait for an addition to this project that is under way.

    Returns:
        Whether it is settled; not if there was something to wait for.

    Raises:
        OSError: If the storage fails.
    """
    notes = layout.addition_notes(project_id, key)
    names = await asyncio.to_thread(texts.file_sizes, notes)
    if not names:
        return True
    async with transaction() as session:
        if waits:
            await wait_for_additions(session, project_id)
        elif not await lock_unless_adding(session, project_id):
            return False
        project = await session.scalar(select(Project.id).where(Project.id == project_id))
        if project is None:
            await asyncio.to_thread(texts.remove, layout.project_root(project_id))
        else:
            new, changed = await asyncio.to_thread(_read_notes, texts, [notes / n for n in names])
            await _move_incoming(session, texts, project_id, key, changed)
            await _remove_unnamed(session, texts, project_id, new)
        await asyncio.to_thread(texts.remove, layout.incoming_directory(project_id, key))
    await asyncio.to_thread(texts.remove, notes)
    return True


async def _move_incoming(
    session: AsyncSession, texts: TextStore, project_id: int, key: str, changed: Sequence[int]
) -> None:
    """Put texts that replace others in their places where rows name them; the rows follow.

    Until they do, readers of a text that is where its row says no more look for it at its place.
    """
    if not changed:
        return
    folder = layout.incoming_directory(project_id, key)
    rows = await session.execute(
        select(Document.id, Document.content_path).where(_are_among(changed))
    )
    named = [
        document_id
        for document_id, path in rows
        if path == str(folder / layout.document_file_name(document_id))
    ]

    def move() -> None:
        there = texts.file_sizes(folder)
        for document_id in named:
            name = layout.document_file_name(document_id)
            if name in there:
                texts.move_file(folder / name, layout.document_path(project_id, document_id))

    await asyncio.to_thread(move)
    await session.execute(_NAME_USUAL_PLACE, {"ids": named})


async def _remove_unnamed(
    session: AsyncSession, texts: TextStore, project_id: int, new: Sequence[int]
) -> None:
    """Remove the new texts of an addition that came to nothing."""
    there = set(await session.scalars(select(Document.id).where(_are_among(new))))

    def remove() -> None:
        for document_id in new:
            if document_id not in there:
                texts.remove(layout.document_path(project_id, document_id))

    await asyncio.to_thread(remove)


def _read_notes(texts: TextStore, notes: Sequence[PurePosixPath]) -> tuple[list[int], list[int]]:
    """The documents that an addition wrote, new ones and others."""
    new: list[int] = []
    changed: list[int] = []
    for content in texts.read_texts(notes):
        try:
            note = json.loads(content or b"{}")
        except ValueError:
            continue  # its addition was killed while it wrote this, before it wrote the texts
        for first, last in note.get("new", ()):
            new.extend(range(first, last + 1))
        changed.extend(note.get("changed", ()))
    return new, changed


def _are_among(ids: Sequence[int]) -> ColumnElement[bool]:
    return Document.id == any_(bindparam(None, list(ids), type_=ARRAY(BigInteger)))


_NAME_USUAL_PLACE: Final = text(
    """
    UPDATE document SET content_path = project_id || '/documents/' || id || '.txt'
    WHERE id = ANY(CAST(:ids AS bigint[]))
    """
)
