"""What people answered to the questions of an annotation tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: Why a record whose labels are those of words has none.
SPANS: Final = "its labels are of parts of the text (spans), not of the whole"

#: As many answers are shown in a reason.
SHOWN: Final = 5
_KINDS: Final[Mapping[type, str]] = {
    str: "text", int: "a number", float: "a number", bool: "true or false", list: "a list",
    type(None): "null",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """A record of an annotation tool.

    Attributes:
        texts: What was to be judged, and what is known of it, by name.
        answers: What people said, by the name of the question; None where nobody did.
        is_flat: Whether answers are among the texts, as nothing tells them apart.
    """

    texts: Mapping[str, Any]
    answers: Mapping[str, Any]
    is_flat: bool = False


class NoAnswer(ValueError):
    """A record is no training example; its text says why."""


def listed(value: Any, name: str) -> list[Any]:
    """Return the elements of a list of a tool; none of nothing.

    Raises:
        NoAnswer: If it is something else.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise _unexpected(value, name, "a list")
    return value


def keyed(value: Any, name: str) -> Mapping[str, Any]:
    """Return an object of a tool.

    Raises:
        NoAnswer: If it is something else.
    """
    if not isinstance(value, dict):
        raise _unexpected(value, name, "an object")
    return value


def _unexpected(value: Any, name: str, expected: str) -> NoAnswer:
    return NoAnswer(f"{name}: expected {expected}, found {_KINDS.get(type(value), 'an object')}")


def agreed(answers: Sequence[Any]) -> Any:
    """Return the answer that all who were asked gave; None where nobody was.

    Raises:
        NoAnswer: If they disagree.
    """
    different = [answer for n, answer in enumerate(answers) if answer not in answers[:n]]
    if len(different) > 1:
        shown = ", ".join(map(repr, different[:SHOWN]))
        raise NoAnswer(f"its annotators disagree: {shown}; settle it in the tool first")
    return different[0] if different else None
