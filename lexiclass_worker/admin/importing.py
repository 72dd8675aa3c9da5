"""Importing labelled texts: as a new project, or into one there is."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass.corpora import (
    LabelledText,
    Record,
    Refusal,
    read_corpus,
    split_of,
)
from lexiclass_core.documents import (
    Addition,
    Label,
    NewDocument,
    adding_in,
    create_project,
)
from lexiclass_core.models import LONGEST_EXTERNAL_ID, Project
from lexiclass_core.storable import is_storable
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.import_report import ImportReport, ImportRequest
from lexiclass_worker.errors import InvalidRequest, NoDocuments

_BATCH_SIZE: Final = 2_000


async def import_corpus(
    context: AdminContext,
    request: ImportRequest,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Import labelled texts: all of them, or after an error none.

    What a project has already under the same id is that document: its text and its labels become
    those that are imported. Without an id a document is known by its text. So the same corpus
    imported again changes nothing.

    ``on_progress`` is called with the number of records read so far.

    Raises:
        LexiClassError: If the path holds nothing that is understood.
        ProjectNotFound: If there is no project of this number.
        NoDocuments: If no record can be used.
        InvalidRequest: If more records than allowed can't be used.
        OSError: If the storage fails.
    """
    is_there = isinstance(request.project, int)
    records = read_corpus(
        request.path,
        columns=request.columns,
        max_bytes=request.max_bytes,
        labelled=request.labelled,
        document_format=request.document_format,
        # A new project has no documents whose labels could be told alone.
        texts_needed=not is_there,
        test=request.test,
    )

    namesakes: list[int] = []

    async def open_project(session: AsyncSession) -> int:
        if isinstance(request.project, int):
            return request.project
        namesakes.extend(await _projects_named(session, request.project))
        return await create_project(session, request.project, f"imported from {request.path.name}")

    async with adding_in(context.sessions.begin, context.storage, open_project) as addition:
        fields = {name: await addition.field(name) for name in request.columns.labels}
        report = ImportReport(
            project_id=addition.project_id,
            fields=fields,
            counts=addition.counts,
            namesakes=namesakes,
        )
        read = _with_usable_ids(records)
        while batch := await asyncio.to_thread(lambda: list(islice(read, _BATCH_SIZE))):
            await _import_batch(addition, request, batch, report)
            if on_progress is not None:
                on_progress(report.summary.num_documents + report.summary.num_refused)
        _require_documents(report, request)
        _require_few_refusals(report, request)
    return report


async def _projects_named(session: AsyncSession, name: str) -> list[int]:
    return list(
        await session.scalars(select(Project.id).where(Project.name == name).order_by(Project.id))
    )


def _require_documents(report: ImportReport, request: ImportRequest) -> None:
    summary = report.summary
    if summary.num_documents:
        return
    why = "it is empty, or has a header and nothing below it"
    if summary.refusals:
        why = f"{summary.num_refused} records were refused, the first because: "
        why += summary.refusals[0].reason
    raise NoDocuments(
        f"{request.path} has no document that can be imported; {why}",
        details={"num_refused": summary.num_refused},
    )


def _require_few_refusals(report: ImportReport, request: ImportRequest) -> None:
    summary = report.summary
    if summary.share_refused <= request.max_refused:
        return
    reasons = summary.refusal_reasons
    told = "; ".join(f"{number} times: {reason}" for reason, number in reasons.most_common(3))
    raise InvalidRequest(
        f"{request.path}: {summary.num_refused} of {summary.num_records} records were refused, "
        f"more than the share of {request.max_refused:g} that is allowed; nothing was imported. "
        f"The first is {report.summary.refusals[0].where}; {told}. Mend them, or allow more with "
        "--max-refused",
        details={"num_refused": summary.num_refused, "refusal_reasons": dict(reasons)},
    )


def _with_usable_ids(records: Iterable[Record]) -> Iterator[Record]:
    """Refuse documents with ids that no row can have, or that another record had."""
    named: set[str] = set()
    for record in records:
        if isinstance(record, Refusal) or record.id is None:
            yield record
        elif record.id in named:
            yield Refusal(record.where, "the id was there before: give every document once")
        elif len(record.id) > LONGEST_EXTERNAL_ID:
            yield Refusal(record.where, f"the id is longer than {LONGEST_EXTERNAL_ID} characters")
        elif not is_storable(record.id):
            yield Refusal(record.where, "the id has a NUL character or a lone surrogate")
        else:
            named.add(record.id)
            yield record


async def _import_batch(
    addition: Addition, request: ImportRequest, batch: list[Record], report: ImportReport
) -> None:
    only_labelled = [
        record.id
        for record in batch
        if isinstance(record, LabelledText) and not record.text and record.id is not None
    ]
    known = await addition.find(only_labelled) if only_labelled else {}
    documents = []
    for read in batch:
        record = read
        if isinstance(record, LabelledText) and not record.text and record.id not in known:
            record = Refusal(record.where, "no text, and the project has no document of this id")
        report.summary.add(record)
        if isinstance(record, LabelledText):
            documents.append(_document(record, request.test_fraction))
    await addition.add(documents)
    uses = [label.is_training for document in documents for label in document.labels.values()]
    report.num_training += sum(uses)
    report.num_test += len(uses) - sum(uses)


def _document(record: LabelledText, test_fraction: float) -> NewDocument:
    # Where only labels are told there is the id to decide what they are for.
    decisive = record if record.text else replace(record, text=record.id or "")
    is_training = split_of(decisive, test_fraction) == "train"
    return NewDocument(
        text=record.text or None,
        external_id=record.id,
        labels={
            name: Label(
                class_name=class_name,
                is_training_data=None if record.split is None else is_training,
                is_training_data_else=is_training,
            )
            for name, class_name in record.labels.items()
            if class_name is not None
        },
        metadata=record.metadata,
    )
