"""Passwords of odd characters, and what is left of one in a text."""

import json
import random
import string
from base64 import b64encode
from typing import Final
from urllib.parse import quote

# No five of them follow each other elsewhere once they are shuffled.
_PRINTABLE: Final = [
    character for character in string.printable if not character.isspace() or character == " "
]


def odd_password(seed: int, more: str = "") -> str:
    """All printable ASCII characters, and more, in an order of their own."""
    characters = [*_PRINTABLE, *more]
    random.Random(seed).shuffle(characters)
    return "".join(characters)


ODD_PASSWORDS: Final = (
    odd_password(1),
    odd_password(2, "äßé漢字😀ﬁ"),
    "Zq%41%2F%%25\\x41\\u0041\\\\n'\"vK",
    "'; DROP VIEW x; --$$`id`${HOME}!#wQ7",
)
"""All printable ASCII characters, Unicode, what looks encoded, and what others would run."""

_WINDOW: Final = 5


def traces(text: str, secret: str) -> list[str]:
    """Pieces of a secret in a text: five characters in a row, as they are or encoded."""
    pieces = {secret[at : at + _WINDOW] for at in range(len(secret) - _WINDOW + 1)}
    spelt = {
        form
        for piece in pieces
        for form in (
            piece,
            quote(piece, safe=""),
            json.dumps(piece)[1:-1],
            json.dumps(json.dumps(piece))[3:-3],
            repr(piece)[1:-1],
            repr(piece.encode())[2:-1],
        )
    }
    data = secret.encode()
    spelt |= {data[at : at + 6].hex() for at in range(len(data) - 5)}
    for offset in range(3):
        encoded = b64encode(bytes(offset) + data).decode().strip("=")[offset + 1 :]
        spelt |= {encoded[at : at + 8] for at in range(len(encoded) - 8)}
    return sorted(form for form in spelt if form in text)
