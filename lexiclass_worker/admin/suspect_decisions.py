"""What annotators decide of labels that look wrong: read from a file, and done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass.corpora import Columns, Refusal, SourceFile, Wanted
from lexiclass.corpora.exports.records import read_exports
from lexiclass.corpora.exports.spreadsheets import GUARD
from lexiclass.corpora.reading import read_file
from lexiclass_core import documents
from lexiclass_core.documents import Label
from lexiclass_core.documents.labels import write_labels
from lexiclass_core.models import Document, DocumentLabel, FieldClass
from lexiclass_core.numbers import number_of
from lexiclass_core.statuses import SuspectStatus
from lexiclass_worker.admin.library_errors import library_errors
from lexiclass_worker.admin.spreadsheet_cells import without_controls
from lexiclass_worker.errors import InvalidRequest
from lexiclass_worker.repositories import projects
from lexiclass_worker.repositories.documents import among

_COLUMNS: Final = Columns(labels={"decision": "decision"}, split="", id="document_id")
_LISTED: Final = 10


class Decision(NamedTuple):
    """What somebody says that the class of a document is.

    Attributes:
        where: File and line.
        given: Its label as it was exported.
        chosen: The class; that of the label if it is right.
    """

    where: str
    document_id: int
    given: str
    chosen: str


@dataclass(slots=True)
class DecisionReport:
    """What decisions came to.

    Attributes:
        num_corrected: Labels that were changed.
        num_dismissed: Labels that are right, and are not suspected again.
        num_unchanged: Decided before, as they are decided now.
        num_refused: Records that cannot be followed.
        refusals: Where the first of these are, and why.
    """

    num_corrected: int = 0
    num_dismissed: int = 0
    num_unchanged: int = 0
    num_undecided: int = 0
    num_refused: int = 0
    refusals: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, where: str, reason: str) -> None:
        """Count a record that cannot be followed."""
        self.num_refused += 1
        if len(self.refusals) < _LISTED:
            self.refusals.append({"where": where, "reason": reason})


def read_decisions(
    path: Path, field_name: str, report: DecisionReport, *, max_bytes: int
) -> list[Decision]:
    """Read an export of suspects that annotators have been through.

    The decision is in the column ``decision``, or is the answer to the question that has the
    field's name, as Label Studio gives it.

    The file is CSV, JSON lines, or what Label Studio exports. Returned is one decision of each
    document, by its number; the report is told of records without one, and of those that are none.

    Raises:
        InvalidRequest: If there is no such file.
        WorkerError: What the library refuses: a form that is not understood.
        OSError: If reading failed.
    """
    if not path.is_file():
        raise InvalidRequest(f"{path} is no file: give one that `labels suspects -o` has written")
    wanted = Wanted(_COLUMNS, labelled=False, max_bytes=max_bytes, texts_needed=False)
    decisions: dict[int, Decision] = {}
    with library_errors():
        for record in read_exports(read_file(SourceFile.at(path), wanted), _COLUMNS):
            if isinstance(record, Refusal):
                report.refuse(record.where, record.reason)
                continue
            try:
                decision = _decision(record.where, record.values, field_name)
            except ValueError as error:
                report.refuse(record.where, str(error))
                continue
            if decision is None:
                report.num_undecided += 1
                continue
            first = decisions.setdefault(decision.document_id, decision)
            if (first.given, first.chosen) != (decision.given, decision.chosen):
                report.refuse(record.where, f"{first.where} says another class of the document")
    return [decisions[number] for number in sorted(decisions)]


async def follow(
    session: AsyncSession,
    project_id: int,
    field_id: int,
    decisions: Sequence[Decision],
    report: DecisionReport,
) -> None:
    """Correct labels, and dismiss suspects whose label is right.

    A label that is another by now than it was in the export is left as it is.

    Each document is there once, by its number; the report is told what became of them.
    """
    classes = await projects.classes(session, field_id)
    labels = await _labels(session, project_id, field_id, [each.document_id for each in decisions])
    spelled = {without_controls(name).strip(): name for name in classes}
    corrected = []
    for decision in decisions:
        now = labels.get(decision.document_id)
        given, chosen = (_named(spelled, name) for name in (decision.given, decision.chosen))
        if now is None:
            report.refuse(decision.where, f"document {decision.document_id} has no label here")
        elif chosen is None:
            report.refuse(decision.where, f"the field has no class {decision.chosen[:100]!r}")
        elif given != now and chosen == now:
            report.num_unchanged += 1
        elif given != now:
            report.refuse(decision.where, f"its label is {now[:100]!r} by now: export it again")
        elif chosen == now:
            is_suspect = await documents.judge_suspect(
                session, project_id, field_id, decision.document_id, SuspectStatus.DISMISSED
            )
            report.num_dismissed += is_suspect
            report.num_unchanged += not is_suspect
        else:
            label = Label(class_name=chosen, is_training_data=None)
            corrected.append((decision.document_id, classes[chosen], label))
    report.num_corrected = sum(await write_labels(session, field_id, corrected))


def _decision(where: str, values: Mapping[str, Any], field_name: str) -> Decision | None:
    chosen = _word(values.get("decision")) or _word(values.get(field_name))
    if not chosen:
        return None
    document_id = number_of(_word(values.get("document_id")))
    if document_id is None:
        found = str(values.get("document_id"))[:40]
        raise ValueError(f"document_id is {found!r}: expected the number of a document")
    given = _word(values.get("given_label"))
    if not given:
        raise ValueError("there is no given_label: expected what `labels suspects -o` has written")
    return Decision(where, document_id, given, chosen)


def _word(value: object) -> str:
    """An answer as a class is named; of Label Studio's a list with one choice."""
    match value:
        case None | []:
            return ""
        case [str() as only]:
            return only.strip()
        case str():
            return value.strip()
        case int() | float():
            return str(value)
        case _:
            raise ValueError("it is answered by several classes: a document has one")


def _named(spelled: Mapping[str, str], name: str) -> str | None:
    """The class that a file means, which may spell it as files for spreadsheets do."""
    word = without_controls(name).strip()
    return spelled.get(word) or spelled.get(word.removeprefix(GUARD))


async def _labels(
    session: AsyncSession, project_id: int, field_id: int, document_ids: Sequence[int]
) -> dict[int, str]:
    rows = await session.execute(
        select(DocumentLabel.document_id, FieldClass.name)
        .join(FieldClass, FieldClass.id == DocumentLabel.class_id)
        .join(Document, Document.id == DocumentLabel.document_id)
        .where(
            DocumentLabel.field_id == field_id,
            Document.project_id == project_id,
            DocumentLabel.document_id.in_(among(document_ids)),
        )
        .order_by(DocumentLabel.document_id)
        # Nobody changes them between here and what is made of them.
        .with_for_update(of=DocumentLabel)
    )
    return {row.document_id: row.name for row in rows}
