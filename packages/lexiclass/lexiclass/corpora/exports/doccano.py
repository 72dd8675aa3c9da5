"""doccano: JSON lines with the key ``label`` or, from older versions, ``labels``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lexiclass.corpora.exports.answers import SPANS, Answered, NoAnswer


def read_example(values: Mapping[str, Any]) -> Answered | None:
    """Return the label of a text.

    Raises:
        NoAnswer: If the labels are those of parts of the text.
    """
    labels = values.get("label", values.get("labels"))
    if not isinstance(labels, list | str):
        return None
    if isinstance(labels, list) and any(isinstance(label, list) for label in labels):
        raise NoAnswer(SPANS)
    if "label" in values:
        return None
    return Answered({k: v for k, v in values.items() if k != "labels"}, {"labels": labels})
