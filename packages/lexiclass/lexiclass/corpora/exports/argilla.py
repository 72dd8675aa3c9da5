"""Argilla: records of version 2, their rows as a data set, and records of version 1."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lexiclass.corpora.exports.answers import Answered, NoAnswer, agreed, keyed, listed
from lexiclass.corpora.questions import RESPONSES, response_columns

# NumPy separates the items of a list by blanks alone. Lists inside are left to whoever reads them.
_STRING: Final = r"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\""
_ITEM: Final = re.compile(rf"{_STRING}|[-+.\w]+", re.DOTALL)
_LISTING: Final = re.compile(rf"\[(?!\s*,)((?:{_STRING}|[-+.\w\s,])*)\]", re.DOTALL)

# Of what is no longer than people and models answer: more takes a hundred bytes of memory for each
# character here, and Python's own parser gives up on a name or a number of some thousand.
_LONGEST_LISTING: Final = 1_000_000
_LONGEST_WORD: Final = 100

_SUBMITTED: Final = "submitted"
_DISCARDED: Final = "discarded"
_OLD_STATUSES: Final = frozenset({"Default", "Validated", "Edited", "Discarded"})


def read_record(values: Mapping[str, Any]) -> Answered | None:
    """Return the submitted responses of a record as ``dataset.records.to_json`` writes it.

    Raises:
        NoAnswer: If it was discarded, is not as that writes it, or those who responded disagree.
    """
    fields, responses = values.get("fields"), values.get("responses")
    if not isinstance(fields, dict) or "responses" not in values:
        return None
    _refuse_discarded(values.get("status"))
    given: dict[str, list[Any]] = {}
    for question, response in _responses(responses):
        _refuse_discarded(response.get("status"))
        if response.get("status", _SUBMITTED) == _SUBMITTED:
            given.setdefault(question, []).append(response.get("value"))
    texts = {**fields, "id": values["id"]} if "id" in values else fields
    return Answered(texts, {name: agreed(answers) for name, answers in given.items()})


def read_row(values: Mapping[str, Any]) -> Answered | None:
    """Return the submitted responses of a row: of Parquet or a data set of Hugging Face.

    Raises:
        NoAnswer: If it was discarded, has no lists, or those who responded disagree.
    """
    questions = [name.removesuffix(RESPONSES) for name in response_columns(tuple(values))]
    if not questions:
        return None
    _refuse_discarded(values.get("status"))
    answers = {}
    for question in questions:
        name = question + RESPONSES
        given = listed(_unpacked(values[name]), name)
        status = f"{name}.status"
        statuses = listed(_unpacked(values.get(status)), status) or [_SUBMITTED] * len(given)
        if len(statuses) != len(given):
            raise NoAnswer(f"{status}: {len(statuses)} for {len(given)} responses")
        if statuses and all(status == _DISCARDED for status in statuses):
            raise NoAnswer(f"its status is {_DISCARDED!r}")
        pairs = zip(given, statuses, strict=True)
        answers[question] = agreed([value for value, status in pairs if status == _SUBMITTED])
    texts = {
        name: value
        for name, value in values.items()
        if not any(name.startswith(f"{question}.") for question in questions)
    }
    return Answered(texts, answers)


def _unpacked(value: Any) -> Any:
    """Return the list that CSV holds as text: as JSON, as Python or as NumPy writes it."""
    if not isinstance(value, str) or len(value) > _LONGEST_LISTING:
        return value
    if (listing := _LISTING.fullmatch(value.strip())) is None:
        return value or None
    items = [item[0] for item in _ITEM.finditer(listing[1])]
    if any(len(item) > _LONGEST_WORD and item[0] not in "\"'" for item in items):
        return value
    try:
        return [literal_eval(item) for item in items]
    except (ValueError, SyntaxError):
        return value


def read_old_record(values: Mapping[str, Any]) -> Answered | None:
    """Return the annotation of a record of version 1; its predictions are no labels.

    Raises:
        NoAnswer: If it was discarded.
    """
    status = values.get("status")
    if "annotation" not in values or not isinstance(status, str) or status not in _OLD_STATUSES:
        return None
    _refuse_discarded(status.lower())
    inputs = values.get("inputs")
    texts = {
        **(inputs if isinstance(inputs, dict) else {}),
        **{name: values[name] for name in ("id", "text") if values.get(name) is not None},
    }
    return Answered(texts, {"annotation": values["annotation"]})


def _responses(responses: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(responses, dict):
        for question, given in responses.items():
            name = f"responses to {question!r}"
            for response in listed(given, name):
                yield question, keyed(response, name)
        return
    # Of FeedbackDataset, before version 2: one of each person, with the values by question.
    for response in listed(responses, "responses"):
        status = keyed(response, "responses").get("status", _SUBMITTED)
        if response.get("values") is not None:
            for question, value in keyed(response["values"], "values").items():
                yield question, {**keyed(value, f"values of {question!r}"), "status": status}


def _refuse_discarded(status: Any) -> None:
    if status == _DISCARDED:
        raise NoAnswer(f"its status is {_DISCARDED!r}")
