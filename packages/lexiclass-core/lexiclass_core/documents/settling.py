"""What is left to do of an addition once its transaction is over, however that ended."""

import asyncio
import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from time import monotonic
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.db import Transaction
from lexiclass_core.documents.fields import lock_unless_adding, wait_for_additions
from lexiclass_core.documents.notes import LARGEST_NOTE, AdditionNote, parse_addition
from lexiclass_core.documents.ownership import this_database
from lexiclass_core.documents.texts import TextStore
from lexiclass_core.models import Document
from lexiclass_core.numbers import number_of

_NOTES: Final = re.compile(r"([0-9]+)-([0-9a-f]{32})/.+")

# Seconds for which texts are moved until their rows follow: fewer than a server waits for a
# transaction that says nothing.
_MOVES_FOR_S: Final = 2.0

_REMOVED_TOGETHER: Final = 16
# Those that are waited for at a time: a failure leaves no more than these to be done in vain.
_BATCH: Final = 1_000


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
    numbers = {(number_of(match[1]), match[2]) for match in found}
    return sorted(Unsettled(number, key) for number, key in numbers if number is not None)


async def settle(
    transaction: Transaction,
    texts: TextStore,
    project_id: int,
    key: str,
    *,
    waits: bool = True,
) -> bool:
    """Bring the texts of an addition to their usual places, and remove those without a row.

    Does nothing twice, and can be killed at any point and called again. Nothing is removed but
    what the addition wrote. One of another database, whose rows nobody sees here, is left alone.

    ``waits`` says whether to wait for an addition to this project that is under way.

    Returns:
        Whether it is settled; not if there was something to wait for, or it is none of ours.

    Raises:
        OSError: If the storage fails.
    """
    notes = layout.addition_notes(project_id, key)
    if not await asyncio.to_thread(texts.file_sizes, notes):
        return True
    async with transaction() as session:
        own = await this_database(session)
        if not await _lock(session, project_id, waits=waits):
            return False
    # The addition is over: from now on there come no more files of it.
    folder = layout.incoming_directory(project_id, key)
    names = await asyncio.to_thread(texts.file_sizes, notes)
    # A larger one is somebody else's.
    read = [notes / name for name, size in names.items() if size <= LARGEST_NOTE]
    databases = await asyncio.to_thread(_databases, texts, read)
    if own is not None and databases - {own.key}:
        return False
    incoming = await asyncio.to_thread(texts.file_sizes, folder)
    settling = _Settling(transaction, texts, project_id, key, incoming, waits)
    for path in read:
        if not await settling.settle(path):
            return False
    await asyncio.to_thread(texts.remove, folder)
    await asyncio.to_thread(texts.remove, notes)
    return True


@dataclass(frozen=True, slots=True)
class _Settling:
    """Settles one note after the other, in transactions that are short.

    The server ends one that says nothing for a while, and the lock with it: another addition may
    then bring a newer text, which must not be replaced by the one of this addition.
    """

    transaction: Transaction
    texts: TextStore
    project_id: int
    key: str
    incoming: Collection[str]
    waits: bool

    async def settle(self, path: PurePosixPath) -> bool:
        """Settle what a note names. Returns False if there was something to wait for."""
        (content,) = await asyncio.to_thread(self.texts.read_texts, [path])
        note = _parse(content)
        new, changed = note.new, list(note.changed)
        async with self.transaction() as session:
            there = set(await session.scalars(select(Document.id).where(_are_among(new))))
        # Those without a row never get one.
        await asyncio.to_thread(self._remove, [number for number in new if number not in there])
        while changed:
            async with self.transaction() as session:
                if not await _lock(session, self.project_id, waits=self.waits):
                    return False
                named = await self._named(session, changed)
                num_moved = await asyncio.to_thread(self._move, named)
                await session.execute(_NAME_USUAL_PLACE, {"ids": named[:num_moved]})
            changed = named[num_moved:]
        return True

    async def _named(self, session: AsyncSession, ids: Sequence[int]) -> list[int]:
        """Those of some documents whose rows name texts of this addition."""
        rows = await session.execute(
            select(Document.id, Document.content_path).where(_are_among(ids)).order_by(Document.id)
        )
        return [number for number, path in rows if path == str(self._incoming(number))]

    def _move(self, ids: Sequence[int]) -> int:
        """Put texts in the places of others, for a while. Returns how many.

        Until the rows follow, readers of a text that is where its row says no more look for it at
        its place.
        """
        until = monotonic() + _MOVES_FOR_S
        for done, number in enumerate(ids, 1):
            if layout.document_file_name(number) in self.incoming:
                target = layout.document_path(self.project_id, number)
                self.texts.move_file(self._incoming(number), target)
            if monotonic() >= until:
                return done
        return len(ids)

    def _remove(self, ids: Sequence[int]) -> None:
        """Remove texts that no row has: many at a time, for there may be millions of them."""
        paths = [layout.document_path(self.project_id, number) for number in ids]
        with ThreadPoolExecutor(_REMOVED_TOGETHER, "settling") as pool:
            for start in range(0, len(paths), _BATCH):
                list(pool.map(self.texts.remove, paths[start : start + _BATCH]))

    def _incoming(self, document_id: int) -> PurePosixPath:
        folder = layout.incoming_directory(self.project_id, self.key)
        return folder / layout.document_file_name(document_id)


async def _lock(session: AsyncSession, project_id: int, *, waits: bool) -> bool:
    if not waits:
        return await lock_unless_adding(session, project_id)
    await wait_for_additions(session, project_id)
    return True


def _databases(texts: TextStore, paths: Sequence[PurePosixPath]) -> set[str]:
    """The databases whose additions some notes are of, as far as they say so."""
    found = (_parse(content).database for content in texts.read_texts(paths))
    return {database for database in found if database is not None}


def _parse(content: bytes | None) -> AdditionNote:
    try:
        return parse_addition(content)
    except ValueError:
        return AdditionNote()  # its addition was killed while it wrote this, before any text


def _are_among(ids: Sequence[int]) -> ColumnElement[bool]:
    return Document.id == any_(bindparam(None, list(ids), type_=ARRAY(BigInteger)))


_NAME_USUAL_PLACE: Final = text(
    """
    UPDATE document SET content_path = project_id || '/documents/' || id || '.txt'
    WHERE id = ANY(CAST(:ids AS bigint[]))
    """
)
