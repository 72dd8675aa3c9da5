"""What PostgreSQL can hold of a message. A raw one can carry what it cannot.

PostgreSQL's text and JSON have no NUL character, no lone surrogate, no NaN and no infinity, all of
which Python's JSON decoder lets in. A row that cannot be written would keep its message coming
back for ever.
"""

import math
import re
from typing import Any, Final

DEEPEST: Final = 100
"""Levels of lists and objects within each other."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable(value: Any, *, depth: int = 0) -> Any:
    """The JSON value, with what cannot be stored replaced: U+FFFD in texts, else null."""
    match value:
        case str():
            return _UNSTORABLE.sub("\ufffd", value)
        case float() if not math.isfinite(value):
            return None
        case dict() | list() | tuple() if depth >= DEEPEST:
            return None
        case dict():
            return {storable(key): storable(item, depth=depth + 1) for key, item in value.items()}
        case list() | tuple():
            return [storable(item, depth=depth + 1) for item in value]
        case _:
            return value


def is_storable(value: Any) -> bool:
    """Whether PostgreSQL can hold the JSON value as it is."""
    # Most values are: every text of an import is asked for.
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is None
    return bool(storable(value) == value)
