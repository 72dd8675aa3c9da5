"""Label Studio: the export JSON with a task an object, and the flat ones, JSON-MIN and CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from lexiclass.corpora.exports.answers import SPANS, Answered, NoAnswer, agreed, keyed, listed
from lexiclass.corpora.json_values import NotJson, parse
from lexiclass.corpora.questions import ROW_MARK

_TASK_KEYS: Final = frozenset({"annotations", "completions", "predictions"})
_PATH: Final = "/"
# Choices, and labels of parts of a text, as CSV holds them.
_PACKED: Final = re.compile(r'\{.*"choices"|\[\{.*"[a-z]*labels"', re.DOTALL)


def read_task(values: Mapping[str, Any]) -> Answered | None:
    """Return the choices of those who have submitted an annotation.

    Raises:
        NoAnswer: If they disagree, labelled parts of the text alone, or the task is not as Label
            Studio writes it.
    """
    data = values.get("data")
    if not isinstance(data, dict) or not values.keys() & _TASK_KEYS:
        return None
    annotations = values.get("annotations", values.get("completions"))
    given: dict[str, list[Any]] = {}
    for annotation in listed(annotations, "annotations"):
        if not keyed(annotation, "annotations").get("was_cancelled"):
            answers = _answers(annotation)
            for name, answer in answers:
                given.setdefault(name, []).append(answer)
            if not answers and any(map(_is_of_a_part, annotation.get("result") or ())):
                raise NoAnswer(SPANS)
    texts = {"id": values.get("id"), **data} if "id" in values else data
    return Answered(texts, {name: agreed(answers) for name, answers in given.items()})


def read_row(values: Mapping[str, Any]) -> Answered | None:
    """Return the answers of a row, several choices of which are an object in JSON.

    Raises:
        NoAnswer: If parts of the text were labelled.
    """
    if ROW_MARK not in values:
        return None
    unpacked_values = {name: unpacked(value) for name, value in values.items()}
    if any(map(_are_spans, unpacked_values.values())):
        raise NoAnswer(SPANS)
    return Answered(unpacked_values, {}, is_flat=True)


def _answers(annotation: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for result in listed(annotation.get("result"), "result"):
        value = keyed(result, "result").get("value")
        if not isinstance(value, dict):
            continue
        name = str(result.get("from_name"))
        if "choices" in value:
            found.append((name, listed(value["choices"], "choices")))
        elif "taxonomy" in value:
            paths = listed(value["taxonomy"], "taxonomy")
            found.append((name, [_PATH.join(map(str, listed(p, "taxonomy"))) for p in paths]))
        elif "rating" in value:
            found.append((name, value["rating"]))
    return found


def _is_of_a_part(result: Any) -> bool:
    """Whether a result labels a part of a text or of a picture."""
    value = result.get("value") if isinstance(result, dict) else None
    return isinstance(value, dict) and any(name.endswith("labels") for name in value)


def _are_spans(value: Any) -> bool:
    return isinstance(value, list) and any(
        isinstance(each, dict) and any(name.endswith("labels") for name in each) for each in value
    )


def unpacked(value: Any) -> Any:
    """Return the choices of an answer in a flat export; what else is there as it is."""
    if isinstance(value, str) and _PACKED.match(value):
        try:
            value = parse(value)
        except NotJson:
            return value
    return value["choices"] if isinstance(value, dict) and "choices" in value else value
