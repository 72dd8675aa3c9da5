"""Prodigy: one JSON object an answer, as ``prodigy db-out`` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lexiclass.corpora.exports.answers import Answered, NoAnswer

#: The key that texts have in common about which more was asked than once.
INPUT: Final = "_input_hash"

_REFUSED: Final = frozenset({"reject", "ignore"})


def accepted_label(values: Mapping[str, Any]) -> str | None:
    """Return the label that was accepted for a text that was asked about label by label."""
    label = values.get("label")
    is_one = INPUT in values and isinstance(label, str) and values.get("answer") == "accept"
    return label if is_one else None


def read_task(values: Mapping[str, Any]) -> Answered | None:
    """Return the choice or the label that was accepted.

    Raises:
        NoAnswer: If the answer is reject or ignore: a label that was rejected is none.
    """
    answer = values.get("answer")
    if isinstance(answer, str) and answer in _REFUSED:
        raise NoAnswer(f"the answer is {answer!r}")
    chosen = values.get("accept")
    if not isinstance(chosen, list) or not (answer == "accept" or "options" in values):
        return None  # a label that was accepted is where it should be
    texts = {name: each for name, each in values.items() if name not in {"accept", "options"}}
    return Answered(texts, {"accept": chosen})
