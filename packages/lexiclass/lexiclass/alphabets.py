"""Letters beyond ASCII of the languages that have a code page of Latin letters of their own.

Read in the wrong one of these code pages, a text has letters that no one language has together.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

# The main exemplar characters of the CLDR (https://cldr.unicode.org), and letters of neighbours
# that stand in names and loan words. The dot is left of a Turkish capital in small letters.
_CENTRAL_EUROPEAN: Final = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýžäö",  # Czech
    "áäčďéíĺľňóôŕšťúýžěö",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čšžćđ",  # Slovenian, Croatian, Bosnian, Serbian
    "ăâîşţ",  # Romanian, as far as the code pages have it
)
_BALTIC: Final = (
    "ąčęėįšųūž",  # Lithuanian
    "āčēģīķļņōŗšūž",  # Latvian
    "äõöüšž",  # Estonian
)
_TURKISH: Final = ("âçğ\u0131îöşûüi\u0307",)
_TONES: Final = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
_VIETNAMESE: Final = (
    "đ"
    + "".join(
        unicodedata.normalize("NFC", vowel + tone) for vowel in "aăâeêioôơuưy" for tone in _TONES
    ),
)
_ALPHABETS: Final[Mapping[str, tuple[str, ...]]] = {
    "cp1250": _CENTRAL_EUROPEAN,
    "iso8859-2": _CENTRAL_EUROPEAN,
    "cp1257": _BALTIC,
    "iso8859-13": _BALTIC,
    "iso8859-4": _BALTIC,
    "cp1254": _TURKISH,
    "iso8859-9": _TURKISH,
    "cp1258": _VIETNAMESE,
}
_LOOKED_AT: Final = 2**14
# A share of the letters that names from elsewhere may have.
_FOREIGN: Final = 0.15
# So many letters, and they are not always the same one: every alphabet has more.
_ENOUGH_LETTERS: Final = 4
_MOST_OF_ONE: Final = 0.8


def are_of_one_language(text: str, code_page: str) -> bool:
    """Whether most lines have the letters of one language that a code page is used for.

    Args:
        text: Bytes read in the code page. A line can be a text of its own.
        code_page: Its name in Python. One that is used for many languages has any letters.
    """
    alphabets = _ALPHABETS.get(code_page)
    if alphabets is None:
        return True
    # To order the marks upon letters takes a time that grows with the square of their number.
    normal = unicodedata.normalize("NFC", text[:_LOOKED_AT]).lower()
    lines = [line for line in normal.splitlines() if not line.isascii()]
    return 2 * sum(_is_of_one(line, alphabets) for line in lines) >= len(lines)


def _is_of_one(line: str, alphabets: Sequence[str]) -> bool:
    letters = Counter(each for each in line if not each.isascii() and each.isalpha())
    number = letters.total()
    if number >= _ENOUGH_LETTERS and letters.most_common(1)[0][1] > number * _MOST_OF_ONE:
        return False
    return any(
        sum(letters[each] for each in alphabet) >= number * (1 - _FOREIGN) for alphabet in alphabets
    )
