"""Names of classes, one for each, however they are written."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

from lexiclass.corpora.bare_names import bare

# What is longer is a text that stands in the column of the label.
_LONGEST_LABEL: Final = 500
# What pandas writes for a column of whole numbers with gaps: 1.0.
_WHOLE_NUMBER: Final = re.compile(r"(-?[0-9]+)\.0+")
# So many characters can become one in the form NFC.
_MOST_COMPOSED: Final = 4
# Floats above this are further apart than 1.
_LARGEST_EXACT: Final = 2**53


class UnusableLabel(ValueError):
    """A value that can be no class; its text says why."""


def class_name(value: Any) -> str | None:
    """Return the name of the class that a value of a source stands for.

    Names are in Unicode's form NFC, without blanks and invisible marks around them; 1, 1.0 and
    "1.0" are the class 1, true and false are those of JSON. Nothing, NaN and blanks are no label.
    A list of one is that one.

    Raises:
        UnusableLabel: If it stands for none, or for several.
    """
    if isinstance(value, str):
        return _named(value)
    if value is None or value == []:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if not isinstance(value, list):
        raise UnusableLabel("the label is neither text nor a number")
    if len(value) > 1:
        raise UnusableLabel(f"{len(value)} labels; a field has one")
    return class_name(value[0])


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise UnusableLabel("the label is infinite, which JSON has no number for")
    is_whole = value.is_integer() and abs(value) <= _LARGEST_EXACT
    return str(int(value)) if is_whole else repr(value)


@lru_cache(maxsize=4096)
def _named(value: str) -> str | None:
    name = bare(value)
    # Marks upon a letter are put in order in a time that grows with the square of their number.
    if len(name) <= _LONGEST_LABEL * _MOST_COMPOSED:
        name = unicodedata.normalize("NFC", name)
    if len(name) > _LONGEST_LABEL:
        raise UnusableLabel(f"the label is longer than {_LONGEST_LABEL} characters")
    for character in name:
        category = unicodedata.category(character)
        if category == "Cs":
            raise UnusableLabel("the label has a lone surrogate, which no encoding can hold")
        if category in {"Cc", "Zl", "Zp"}:
            what = "NUL character" if character == "\0" else "control character or line end"
            raise UnusableLabel(f"the label has a {what}")
    if whole := _WHOLE_NUMBER.fullmatch(name):
        return str(int(whole[1])) if len(whole[1]) < 20 else whole[1]
    return name or None
