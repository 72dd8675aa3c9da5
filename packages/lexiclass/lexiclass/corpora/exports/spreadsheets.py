"""CSV that was written for spreadsheets: texts they would run as formulas have an apostrophe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from lexiclass.corpora.exports.answers import Answered

#: The column that names those of a row that have an apostrophe before their text.
GUARDED: Final = "guarded"
#: What is put before such a text.
GUARD: Final = "'"

# A column of ours that is beside it.
_OURS: Final = "document_id"


def read_row(values: Mapping[str, Any]) -> Answered | None:
    """Return a row of an export of labels as it was before it was guarded."""
    names = values.get(GUARDED)
    if _OURS not in values or not isinstance(names, str):
        return None
    guarded = names.split()
    return Answered(
        {
            name: value.removeprefix(GUARD) if name in guarded and isinstance(value, str) else value
            for name, value in values.items()
            if name != GUARDED
        },
        {},
        is_flat=True,
    )
