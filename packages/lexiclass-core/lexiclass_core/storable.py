"""What PostgreSQL can hold of a message. A raw one can carry what it cannot.

PostgreSQL's text and JSON have no NUL character, no lone surrogate, no NaN and no infinity, all of
which Python's JSON decoder lets in. A row that cannot be written would keep its message coming
back for ever.
"""

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
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


# What tells a terminal or a log something else than a text; line breaks and tabs may stay.
_CONTROL: Final = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST_ITEMS: Final = 200
_CUT: Final = " ... (cut)"


@dataclass(slots=True)
class Excerpt:
    """Cuts a JSON value to what people and programs can read of it, and cleans its texts.

    Attributes:
        characters: How many the texts, numbers and keys may have that are still to come.
        longest: How many one text may have.
        is_cut: Whether something was left out so far.
    """

    characters: int
    longest: int
    is_cut: bool = False

    def text(self, text: str) -> str:
        """The beginning of a text, with U+FFFD for control characters and what cannot be stored."""
        room = max(0, min(self.longest, self.characters))
        if len(text) > room:
            self.is_cut = True
            text = text[: max(0, room - len(_CUT))] + _CUT
        self.characters -= len(text)
        return _CONTROL.sub("\ufffd", text)

    def value(self, value: Any, *, depth: int = 0) -> Any:
        """The beginning of a value; what is left out of a list or an object is its end."""
        match value:
            case str():
                return self.text(value)
            case dict() if depth < DEEPEST:
                return {
                    self.text(str(key)): self.value(value[key], depth=depth + 1)
                    for key in self._first(value)
                }
            case list() | tuple() if depth < DEEPEST:
                return [self.value(item, depth=depth + 1) for item in self._first(value)]
            case dict() | list() | tuple():
                self.is_cut = True
                return None
            case float() if not math.isfinite(value):
                return None
            case int() if abs(value) >= 10**300:
                self.is_cut = True
                return None
        self.characters -= 8
        return value

    def _first(self, items: Collection[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            if number == _MOST_ITEMS or self.characters <= 0:
                self.is_cut = True
                return
            yield item
