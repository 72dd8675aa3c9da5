"""Label Studio: the export JSON with a task an object, and the flat ones, JSON-MIN and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lexiclass.corpora.exports.answers import Answered, agreed, keyed, listed
from lexiclass.corpora.json_values import NotJson, parse

# A key that only the flat exports have, and what these have beside questions and the task's data.
_ROW_MARK: Final = "annotation_id"
_ROW_KEYS: Final = frozenset(
    {_ROW_MARK, "annotator", "created_at", "updated_at", "lead_time", "agreement", "annotators"}
)

_TASK_KEYS: Final = frozenset({"annotations", "completions", "predictions"})
_PATH: Final = "/"


def read_task(values: Mapping[str, Any]) -> Answered | None:
    """Return the choices of those who have submitted an annotation.

    Raises:
        NoAnswer: If they disagree, or the task is not as Label Studio writes it.
    """
    data = values.get("data")
    if not isinstance(data, dict) or not values.keys() & _TASK_KEYS:
        return None
    annotations = values.get("annotations", values.get("completions"))
    given: dict[str, list[Any]] = {}
    for annotation in listed(annotations, "annotations"):
        if not keyed(annotation, "annotations").get("was_cancelled"):
            for name, answer in _answers(annotation):
                given.setdefault(name, []).append(answer)
    texts = {"id": values.get("id"), **data} if "id" in values else data
    return Answered(texts, {name: agreed(answers) for name, answers in given.items()})


def read_row(values: Mapping[str, Any]) -> Answered | None:
    """Return the answers of a row, several choices of which are an object in JSON."""
    if _ROW_MARK not in values:
        return None
    return Answered({name: unpacked(value) for name, value in values.items()}, {})


def row_questions(names: Sequence[str]) -> list[str]:
    """Return which columns of a flat export are questions or data; none of another table's."""
    if _ROW_MARK not in names:
        return []
    return [name for name in names if name not in _ROW_KEYS]


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


def unpacked(value: Any) -> Any:
    """Return the choices of an answer in a flat export; what else is there as it is."""
    if isinstance(value, str) and value.startswith("{") and '"choices"' in value:
        try:
            value = parse(value)
        except NotJson:
            return value
    return value["choices"] if isinstance(value, dict) and "choices" in value else value
