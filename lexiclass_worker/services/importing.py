"""Importing labelled texts as a new project."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass.corpora import (
    Columns,
    CorpusSummary,
    LabelledText,
    Record,
    Refusal,
    read_corpus,
    split_of,
)
from lexiclass_core import layout
from lexiclass_core.db import SessionFactory
from lexiclass_worker.errors import NoDocuments
from lexiclass_worker.repositories import corpora
from lexiclass_worker.storage import Storage

_BATCH_SIZE: Final = 2_000


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import did.

    Attributes:
        summary: What was read.
    """

    project_id: int
    field_id: int
    num_training: int = 0
    num_test: int = 0
    summary: CorpusSummary = field(default_factory=CorpusSummary)

    @property
    def num_documents(self) -> int:
        """Documents that were imported."""
        return self.summary.num_documents

    @property
    def num_unlabelled(self) -> int:
        """Documents without a label."""
        return self.summary.num_unlabelled

    @property
    def num_refused(self) -> int:
        """Records that were refused."""
        return self.summary.num_refused

    @property
    def refusals(self) -> list[Refusal]:
        """The first 1,000 records that were refused, each with its reason."""
        return self.summary.refusals

    @property
    def classes(self) -> Counter[str]:
        """Number of documents of each class."""
        return next(iter(self.summary.classes.values()), Counter())


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What to import and what to call it.

    Attributes:
        path: A folder or file in one of the forms of :mod:`lexiclass.corpora`.
        project_name: Name of the new project.
        field_name: Name of the field that the labels answer.
        test_fraction: Share of the labelled documents without a split that become test data,
            chosen by a hash of their text.
        max_bytes: Largest document that is accepted, in bytes.
        columns: Which column or key is what; by default text, label, split and id. Its one field
            stands for the project's.
    """

    path: Path
    project_name: str
    field_name: str
    test_fraction: float
    max_bytes: int
    columns: Columns = field(default_factory=Columns)


async def import_project(
    sessions: SessionFactory,
    storage: Storage,
    request: ImportRequest,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Make a project of labelled texts: all of them, or after an error none.

    Args:
        sessions: The database.
        storage: Where the documents go.
        request: What to import.
        on_progress: Called with the number of records read so far.

    Raises:
        LexiClassError: If the path holds nothing that is understood.
        NoDocuments: If no record can be used.
    """
    records = read_corpus(request.path, columns=request.columns, max_bytes=request.max_bytes)
    project_id: int | None = None
    try:
        async with sessions.begin() as session:
            project_id = await corpora.create_project(
                session, request.project_name, f"imported from {request.path.name}"
            )
            field_id = await corpora.create_field(session, project_id, request.field_name)
            report = ImportReport(project_id=project_id, field_id=field_id)
            read = report.summary.watch(records)
            await _import_records(session, storage, request, read, report, on_progress)
            _require_documents(report, request)
    except BaseException:
        if project_id is not None:
            await asyncio.to_thread(storage.remove, layout.project_root(project_id))
        raise
    return report


def _require_documents(report: ImportReport, request: ImportRequest) -> None:
    if report.num_documents:
        return
    why = f", the first because: {report.refusals[0].reason}" if report.refusals else ""
    raise NoDocuments(
        f"{request.path} has no document that can be imported; {report.num_refused} records were "
        f"refused{why}",
        details={"num_refused": report.num_refused},
    )


async def _import_records(
    session: AsyncSession,
    storage: Storage,
    request: ImportRequest,
    records: Iterator[Record],
    report: ImportReport,
    on_progress: Callable[[int], None] | None,
) -> None:
    class_ids: dict[str, int] = {}
    while batch := await asyncio.to_thread(lambda: list(islice(records, _BATCH_SIZE))):
        accepted = [record for record in batch if isinstance(record, LabelledText)]
        if accepted:
            await _import_batch(session, storage, request, accepted, report, class_ids)
        if on_progress is not None:
            on_progress(report.num_documents + report.num_refused)


async def _import_batch(
    session: AsyncSession,
    storage: Storage,
    request: ImportRequest,
    texts: list[LabelledText],
    report: ImportReport,
    class_ids: dict[str, int],
) -> None:
    project_id, field_id = report.project_id, report.field_id
    new_classes = {text.label for text in texts if text.label is not None} - class_ids.keys()
    if new_classes:
        class_ids.update(await corpora.create_classes(session, field_id, sorted(new_classes)))
    ids = await corpora.reserve_document_ids(session, len(texts))
    paths = [layout.document_path(project_id, document_id) for document_id in ids]
    # Files before rows: a row whose document is not there yet would be one that cannot be read.
    await asyncio.to_thread(
        storage.write_texts,
        [(path, text.text) for path, text in zip(paths, texts, strict=True)],
    )
    await corpora.copy_documents(
        session,
        [
            corpora.NewDocument(document_id, project_id, str(path), json.dumps(dict(text.metadata)))
            for document_id, path, text in zip(ids, paths, texts, strict=True)
        ],
    )
    labels = [
        corpora.NewLabel(
            document_id,
            field_id,
            class_ids[text.label],
            split_of(text, request.test_fraction) == "train",
        )
        for document_id, text in zip(ids, texts, strict=True)
        if text.label is not None
    ]
    await corpora.copy_labels(session, labels)
    report.num_training += sum(label.is_training_data for label in labels)
    report.num_test += sum(not label.is_training_data for label in labels)
