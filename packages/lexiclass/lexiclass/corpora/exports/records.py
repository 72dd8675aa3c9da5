"""Exports of annotation tools, as records of texts and labels.

Each tool has a module with functions from the values of a record to what people answered, or None
where the record is not its own. The tools' suggestions are no labels, and what people rejected,
ignored or discarded is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lexiclass.corpora.columns import USUAL_LABEL, Columns, folded
from lexiclass.corpora.exports import argilla, doccano, label_studio, prodigy, spreadsheets
from lexiclass.corpora.exports.annotations import join_annotations
from lexiclass.corpora.exports.answers import Answered, NoAnswer
from lexiclass.corpora.json_values import NESTED_TOO_DEEPLY
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceRecord
from lexiclass.errors import InvalidParameters

_TOOLS: Final = (
    label_studio.read_task,
    label_studio.read_row,
    spreadsheets.read_row,
    argilla.read_record,
    argilla.read_row,
    argilla.read_old_record,
    prodigy.read_task,
    doccano.read_example,
)

_PLAIN: Final = frozenset({"id", "text", USUAL_LABEL, "split"})


def read_exports(
    records: Iterable[SourceRecord | Refusal], columns: Columns
) -> Iterator[SourceRecord | Refusal]:
    """Replace the records of annotation tools by ones with a column for each question.

    Where a single question was asked and no column of a label was named, its answer is the label.

    Raises:
        InvalidParameters: While they are read, if one record answers one question and another
            another, and no column was named.
    """
    questions: set[str] = set()
    for record in join_annotations(records, columns):
        if isinstance(record, Refusal) or _is_plain(record.values):
            yield record
        else:
            yield _read(record, columns, questions)


def _is_plain(values: Mapping[str, Any]) -> bool:
    """Whether a record has nothing that a tool could have written: so are most, and many."""
    return values.keys() <= _PLAIN and not isinstance(values.get(USUAL_LABEL), list)


def _read(record: SourceRecord, columns: Columns, questions: set[str]) -> SourceRecord | Refusal:
    try:
        for read in _TOOLS:
            answered = read(record.values)
            if answered is not None:
                if columns.asks_for_any_label:
                    _require_one_question(answered, questions)
                return record._replace(values=_values(answered, columns))
    except NoAnswer as error:
        return Refusal(record.where, str(error))
    except RecursionError:
        return Refusal(record.where, NESTED_TOO_DEEPLY)
    return record


def _values(answered: Answered, columns: Columns) -> Mapping[str, Any]:
    texts = answered.texts
    if columns.asks_for_any_label and not answered.is_flat:
        # A label that is known of a text is no answer.
        texts = {name: value for name, value in texts.items() if folded(name) != USUAL_LABEL}
    values = {**texts, **answered.answers}
    if columns.asks_for_any_label and len(answered.answers) == 1:
        (values[USUAL_LABEL],) = answered.answers.values()
    return values


def _require_one_question(answered: Answered, questions: set[str]) -> None:
    """Note what a record answers, and refuse answers to different questions as one label."""
    given = [name for name, answer in answered.answers.items() if answer is not None]
    questions.update(given)
    if len(questions) > 1:
        names = sorted(questions)
        fields = " ".join(f"--field {name}={name}" for name in names)
        raise InvalidParameters(
            f"there are answers to several questions, {', '.join(map(repr, names))}: say which is "
            f"the label with --label-column {names[0]}, or take each as a field with {fields}"
        )
