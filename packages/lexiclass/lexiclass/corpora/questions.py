"""Columns in which the exports of annotation tools have the answers to a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: What the name of a column of Argilla's responses ends in, behind the question.
RESPONSES: Final = ".responses"

#: A key that only the flat exports of Label Studio have.
ROW_MARK: Final = "annotation_id"
# What these have beside questions and the task's data.
_ROW_KEYS: Final = frozenset(
    {ROW_MARK, "annotator", "created_at", "updated_at", "lead_time", "agreement", "annotators"}
)


def response_columns(names: Sequence[str]) -> list[str]:
    """Return which columns of a data set hold responses."""
    return [name for name in names if name.endswith(RESPONSES)]


def question_columns(names: Sequence[str]) -> list[str]:
    """Return which columns of an annotation tool are questions or data; none of another table's."""
    flat = [name for name in names if name not in _ROW_KEYS] if ROW_MARK in names else []
    return [*flat, *response_columns(names)]
