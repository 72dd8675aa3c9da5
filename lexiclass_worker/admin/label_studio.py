"""Tasks as Label Studio imports them: https://labelstud.io/guide/predictions."""

from typing import Any, Final
from xml.sax.saxutils import quoteattr

_TEXT: Final = "text"
_TOLD: Final = (
    _TEXT, "document_id", "id", "source", "split", "familiarity", "unfamiliar", "is_accepted",
    "given_label", "suggested_label", "reasons",
)  # fmt: skip


def task(record: dict[str, Any], field: str) -> dict[str, Any]:
    """A prediction or a suspect's better class to be reviewed, or a label that somebody has given.

    The record has the document's ``text``; ``field`` is the control tag of the labelling interface.
    """
    made: dict[str, Any] = {
        "data": {name: record[name] for name in _TOLD if record.get(name) is not None}
    }
    if "predicted_class" in record:
        made["predictions"] = [_prediction(record, "predicted_class", "confidence", field)]
    elif "suggested_label" in record:
        made["predictions"] = [_prediction(record, "suggested_label", "score", field)]
    else:
        made["annotations"] = [{"result": [_choice(record["label"], field)]}]
    return made


def interface(field: str, classes: list[str]) -> str:
    """The labelling interface that such tasks fit."""
    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in classes)
    return (
        f'<View><Text name="{_TEXT}" value="${_TEXT}"/>'
        f'<Choices name={quoteattr(field)} toName="{_TEXT}">{choices}</Choices></View>'
    )


def _prediction(record: dict[str, Any], class_name: str, score: str, field: str) -> dict[str, Any]:
    return {
        "model_version": str(record["model_version"]),
        "score": record[score],
        "result": [_choice(record[class_name], field)],
    }


def _choice(class_name: str, field: str) -> dict[str, Any]:
    return {
        "from_name": field,
        "to_name": _TEXT,
        "type": "choices",
        "value": {"choices": [class_name]},
    }
