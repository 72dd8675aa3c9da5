"""Records that are one an annotation, as records that are one a task.

They are rows of a flat export of Label Studio, and answers of Prodigy to a label at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from lexiclass.corpora.columns import Columns
from lexiclass.corpora.exports.answers import SHOWN, NoAnswer, agreed
from lexiclass.corpora.exports.label_studio import unpacked
from lexiclass.corpora.exports.prodigy import INPUT, accepted_label
from lexiclass.corpora.json_values import NESTED_TOO_DEEPLY
from lexiclass.corpora.questions import ROW_MARK
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceRecord
from lexiclass.errors import InvalidParameters

# One of these is in every record that is one of several annotations.
_MARKS: Final = frozenset({ROW_MARK, INPUT})


def join_annotations(
    records: Iterable[SourceRecord | Refusal], columns: Columns
) -> Iterator[SourceRecord | Refusal]:
    """Replace the annotations of a task by the label that all of its annotators gave.

    Those of a task need not stand together, so they are given, and are in memory, at the end.
    """
    tasks: dict[tuple[str, ...], list[SourceRecord]] = {}
    for record in records:
        if isinstance(record, Refusal) or record.values.keys().isdisjoint(_MARKS):
            yield record
            continue
        task = _task_of(record, columns)
        if task is None:
            yield record
        else:
            tasks.setdefault(task, []).append(record)
    for given in tasks.values():
        yield _joined(given, columns) if len(given) > 1 else given[0]


def _task_of(record: SourceRecord, columns: Columns) -> tuple[str, ...] | None:
    """What the annotations of one task have in common; None of another record."""
    values = record.values
    if accepted_label(values) is not None:
        return (repr(values[INPUT]),)
    if ROW_MARK not in values:
        return None
    try:
        found = columns.find(tuple(values))
    except InvalidParameters:
        return None  # a column that is there twice, which is told where the record is read
    identity, text = values.get(found.id or ""), values.get(found.text or "")
    if identity is None or not isinstance(text, str):
        return None
    try:
        return repr(identity), text
    except RecursionError:
        return None  # nested too deeply, as is told where the record is read


def _joined(given: list[SourceRecord], columns: Columns) -> SourceRecord | Refusal:
    first = given[0]
    accepted = list(dict.fromkeys(filter(None, (accepted_label(each.values) for each in given))))
    if len(accepted) > 1:
        shown = ", ".join(map(repr, accepted[:SHOWN]))
        return Refusal(first.where, f"accepted under several labels, {shown}; a field has one")
    if accepted:
        return first
    values = dict(first.values)
    names = {
        name: None
        for annotation in given
        for name in columns.find(tuple(annotation.values)).labels.values()
        if name is not None
    }
    try:
        for name in names:
            answers = [unpacked(annotation.values.get(name)) for annotation in given]
            values[name] = agreed([answer for answer in answers if not _is_nothing(answer)])
    except NoAnswer as error:
        return Refusal(first.where, str(error))
    except RecursionError:
        return Refusal(first.where, NESTED_TOO_DEEPLY)
    remarks = dict.fromkeys(remark for each in given for remark in each.remarks)
    return first._replace(values=values, remarks=tuple(remarks))


def _is_nothing(answer: Any) -> bool:
    return answer is None or answer == [] or (isinstance(answer, str) and not answer.strip())
