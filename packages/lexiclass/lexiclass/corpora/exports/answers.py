"""What people answered to the questions of an annotation tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Answered:
    """A record of an annotation tool.

    Attributes:
        texts: What was to be judged, and what is known of it, by name.
        answers: What people said, by the name of the question; None where nobody did.
    """

    texts: Mapping[str, Any]
    answers: Mapping[str, Any]


class NoAnswer(ValueError):
    """A record is no training example; its text says why."""


def agreed(answers: Sequence[Any]) -> Any:
    """Return the answer that all who were asked gave; None where nobody was.

    Raises:
        NoAnswer: If they disagree.
    """
    different = [answer for n, answer in enumerate(answers) if answer not in answers[:n]]
    if len(different) > 1:
        shown = ", ".join(map(repr, different[:_SHOWN]))
        raise NoAnswer(f"its annotators disagree: {shown}; settle it in the tool first")
    return different[0] if different else None
