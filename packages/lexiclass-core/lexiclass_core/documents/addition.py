"""Documents on their way into a project, in the transaction that adds them."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from sqlalchemy import ARRAY, Text, any_, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.documents.errors import DocumentNotFound
from lexiclass_core.documents.fields import create_classes, create_field
from lexiclass_core.documents.labels import write_labels
from lexiclass_core.documents.ownership import Owner
from lexiclass_core.documents.texts import TextStore, path_of
from lexiclass_core.documents.values import Naming, NewDocument
from lexiclass_core.models import Document

_TOLD: Final = 5


@dataclass(slots=True, kw_only=True)
class Counts:
    """What an addition came to.

    Attributes:
        changed: Documents that have another text now.
        unchanged: Documents that had this text already, or of which only labels were told.
        labels_changed: Labels that are of another class now, or for another use.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    labels_added: int = 0
    labels_changed: int = 0


class Known(NamedTuple):
    """A document that is there already."""

    id: int
    content_path: str | None


class Addition:
    """Documents on their way into a project, made by :func:`adding`.

    Attributes:
        session: The transaction that all of it is in.
        documents: Ids of the documents, in the order in which they were given.
    """

    def __init__(
        self,
        session: AsyncSession,
        texts: TextStore,
        project_id: int,
        key: str,
        database: Owner | None = None,
    ) -> None:
        self.session = session
        self.project_id = project_id
        self.counts = Counts()
        self.documents: list[int] = []
        self._texts = texts
        self._key = key
        self._database = {} if database is None else {"database": database.key}
        self._naming = Naming()
        self._num_notes = 0
        self._fields: dict[str, int] = {}
        self._classes: dict[tuple[int, str], int] = {}

    async def field(self, name: str) -> int:
        """The id of a field of the project, made if there is none."""
        if name not in self._fields:
            self._fields[name] = await create_field(self.session, self.project_id, name)
        return self._fields[name]

    async def add(self, documents: Sequence[NewDocument]) -> list[int]:
        """Add or replace some documents, a few thousand at most. Returns their ids, in order.

        Raises:
            InvalidDocument: If one cannot be stored, or is given twice.
            DocumentNotFound: If one has no text, and the project has no document with its id.
            OSError: If the storage fails.
        """
        named = self._naming.name(documents)
        known = await self.find([str(document.external_id) for document in named])
        self._require_texts(named, known)
        new = [document for document in named if document.external_id not in known]
        ids = {name: row.id for name, row in known.items()}
        ids |= await self._insert(new)
        await self._replace([(known[str(d.external_id)], d) for d in named
                             if d.external_id in known])  # fmt: skip
        await self._label([(ids[str(document.external_id)], document) for document in named])
        placed = [ids[str(document.external_id)] for document in named]
        self.documents += placed
        return placed

    async def find(self, names: Sequence[str]) -> dict[str, Known]:
        """Those of the project's documents that have one of some ids, by this id."""
        rows = await self.session.execute(
            select(Document.external_id, Document.id, Document.content_path).where(
                Document.project_id == self.project_id,
                Document.external_id == any_(bindparam(None, list(names), type_=ARRAY(Text))),
            )
        )
        return {str(name): Known(document_id, path) for name, document_id, path in rows}

    def _require_texts(self, named: Sequence[NewDocument], known: dict[str, Known]) -> None:
        missing = [
            repr(document.external_id)
            for document in named
            if document.text is None and document.external_id not in known
        ]
        if missing:
            more = f" and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
            raise DocumentNotFound(
                f"project {self.project_id} has no document {', '.join(missing[:_TOLD])}{more}, "
                "and no text is given for it: give one, or leave the row out"
            )

    async def _insert(self, new: Sequence[NewDocument]) -> dict[str, int]:
        if not new:
            return {}
        ids = list(await self.session.scalars(_RESERVE_IDS, {"count": len(new)}))
        folder = layout.documents_directory(self.project_id)
        paths = [folder / layout.document_file_name(document_id) for document_id in ids]
        await self._note({"new": list(_ranges(ids))})
        # Files before rows: a row whose document is not there yet would be one that cannot be read.
        texts = [(path, document.text or "") for path, document in zip(paths, new, strict=True)]
        await asyncio.to_thread(self._texts.write_texts, texts)
        await self.session.execute(
            _INSERT,
            {
                "project_id": self.project_id,
                "ids": ids,
                "paths": list(map(str, paths)),
                "names": [document.external_id for document in new],
                "metadata": [json.dumps(dict(document.metadata)) for document in new],
            },
        )
        self.counts.added += len(new)
        return {
            str(document.external_id): document_id
            for document_id, document in zip(ids, new, strict=True)
        }

    async def _replace(self, known: Sequence[tuple[Known, NewDocument]]) -> None:
        told = [(row, document) for row, document in known if document.text is not None]
        paths = [path_of(self._texts, self.project_id, row.id, row.content_path) for row, _ in told]
        changed = await asyncio.to_thread(self._changed, told, paths)
        self.counts.changed += len(changed)
        self.counts.unchanged += len(known) - len(changed)
        is_changed = {row.id for row, _ in changed}
        await self._describe([(row, d) for row, d in told if row.id not in is_changed])
        if not changed:
            return
        await self._note({"changed": [row.id for row, _ in changed]})
        folder = layout.incoming_directory(self.project_id, self._key)
        incoming = [folder / layout.document_file_name(row.id) for row, _ in changed]
        texts = [
            (path, document.text or "")
            for path, (_, document) in zip(incoming, changed, strict=True)
        ]
        await asyncio.to_thread(self._texts.write_texts, texts)
        updated = await self.session.execute(
            _UPDATE,
            {
                "ids": [row.id for row, _ in changed],
                "paths": list(map(str, incoming)),
                "metadata": [json.dumps(dict(document.metadata)) for _, document in changed],
            },
        )
        if len(updated.all()) < len(changed):
            raise DocumentNotFound(
                f"documents of project {self.project_id} were deleted while they were replaced; "
                "add them again"
            )

    async def _describe(self, documents: Sequence[tuple[Known, NewDocument]]) -> None:
        """Write what is said of documents whose texts are the same, where it is new."""
        if not documents:
            return
        await self.session.execute(
            _DESCRIBE,
            {
                "ids": [row.id for row, _ in documents],
                "metadata": [json.dumps(dict(document.metadata)) for _, document in documents],
            },
        )

    def _changed(
        self,
        told: Sequence[tuple[Known, NewDocument]],
        paths: Sequence[PurePosixPath | None],
    ) -> list[tuple[Known, NewDocument]]:
        there = iter(self._texts.read_texts([path for path in paths if path is not None]))
        texts = [None if path is None else next(there) for path in paths]
        return [
            (row, document)
            for (row, document), stored in zip(told, texts, strict=True)
            if stored != (document.text or "").encode()
        ]

    async def _label(self, documents: Sequence[tuple[int, NewDocument]]) -> None:
        for name in dict.fromkeys(name for _, document in documents for name in document.labels):
            field_id = await self.field(name)
            labels = [
                (document_id, document.labels[name])
                for document_id, document in documents
                if name in document.labels
            ]
            class_ids = await self._class_ids(field_id, {label.class_name for _, label in labels})
            written = await write_labels(
                self.session,
                field_id,
                [
                    (document_id, class_ids[label.class_name], label)
                    for document_id, label in labels
                ],
            )
            self.counts.labels_added += written.added
            self.counts.labels_changed += written.changed

    async def _class_ids(self, field_id: int, names: set[str]) -> dict[str, int]:
        unknown = {name for name in names if (field_id, name) not in self._classes}
        made = await create_classes(self.session, field_id, unknown)
        self._classes |= {(field_id, name): class_id for name, class_id in made.items()}
        return {name: self._classes[field_id, name] for name in names}

    async def _note(self, note: dict[str, Any]) -> None:
        folder = layout.addition_notes(self.project_id, self._key)
        path = folder / f"{self._num_notes}.json"
        self._num_notes += 1
        content = json.dumps(self._database | note)
        await asyncio.to_thread(self._texts.write_texts, [(path, content)])


def _ranges(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    first = last = ids[0]
    for number in ids[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


_RESERVE_IDS: Final = text(
    "SELECT nextval(pg_get_serial_sequence('document', 'id')) FROM generate_series(1, :count)"
)

_INSERT: Final = text(
    """
    INSERT INTO document (id, project_id, content_path, external_id, metadata)
    SELECT incoming.id, :project_id, incoming.path, incoming.name, CAST(incoming.metadata AS jsonb)
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:paths AS text[]), CAST(:names AS text[]),
        CAST(:metadata AS text[])
    ) AS incoming (id, path, name, metadata)
    """
)

_UPDATE: Final = text(
    """
    UPDATE document SET content_path = incoming.path, index_status = 'pending',
        metadata = document.metadata || CAST(incoming.metadata AS jsonb)
    FROM unnest(CAST(:ids AS bigint[]), CAST(:paths AS text[]), CAST(:metadata AS text[]))
        AS incoming (id, path, metadata)
    WHERE document.id = incoming.id
    RETURNING document.id
    """
)

# A text that is the same was read where it was first read.
_DESCRIBE: Final = text(
    """
    UPDATE document SET metadata = document.metadata || incoming.metadata
    FROM (
        SELECT id, CAST(metadata AS jsonb) - 'source' AS metadata
        FROM unnest(CAST(:ids AS bigint[]), CAST(:metadata AS text[])) AS given (id, metadata)
    ) AS incoming
    WHERE document.id = incoming.id
        AND document.metadata || incoming.metadata <> document.metadata
    """
)
