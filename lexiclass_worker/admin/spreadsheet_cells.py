"""Texts in a CSV file that whoever opens it in a spreadsheet is safe from.

Whoever writes a document or names a class could otherwise run a formula, and with it a command, on
the machine of whoever opens the file: https://owasp.org/www-community/attacks/CSV_Injection.
"""

import re
from typing import Final

# OWASP's list: what makes a spreadsheet take a cell for a formula, also written in full width.
# Blanks before it are passed over, as some programs do.
_FORMULA: Final = re.compile("[ \N{NO-BREAK SPACE}]*[=+@\t\r\n\uff0d\uff1d\uff0b\uff20-]")

# -1 and +2.5e3 are numbers to every spreadsheet.
_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?")

# What RFC 4180 has no place for, and terminals act upon; tab and line ends stay.
_CONTROL: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def disarm(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet could take it for a formula."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def without_controls(text: str) -> str:
    r"""The text, with control characters and lone surrogates as escapes such as ``\x1b``."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
