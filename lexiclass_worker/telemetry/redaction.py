"""Keeps secrets out of whatever is shown."""

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

MASK: Final = "***"

# A shorter password would blank letters out of every word; URLs and assignments still hide it.
_SHORTEST_LITERAL: Final = 4

_SENSITIVE_KEY: Final = (
    r"[\w-]{0,40}(?:(?:password|passwd|pwd|passphrase|secret|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|credential|authorization)s?|token)"
)
# All repetitions that could start anywhere are bounded: a long text costs linear time.
_URL_CREDENTIALS: Final = re.compile(
    r"""(?P<before>\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@"']*:)[^\s/"'\\]+@""", re.IGNORECASE
)
_ASSIGNMENT: Final = re.compile(
    rf"""(?P<before>\b{_SENSITIVE_KEY}\\?["']?\s{{0,3}}[=:]>?\s{{0,3}}(?:(?:Bearer|Basic)\s)?)"""
    r"""(?:(?P<quote>\\?["']).*?(?P=quote)|\\?["']?[^\s,;&)}\]"']+)""",
    re.IGNORECASE,
)
_SENSITIVE_NAME: Final = re.compile(_SENSITIVE_KEY, re.IGNORECASE)


def is_sensitive(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value."""
    return _SENSITIVE_NAME.fullmatch(name) is not None


class Redactor:
    """Replaces secrets in a text by ``***``.

    Three kinds go: the secrets it was given, in each spelling that a URL, JSON or ``repr`` gives
    them; the password of any ``scheme://user:password@``; and the value of any assignment to a
    name such as ``password``, ``api_key`` or ``token``. Secrets of fewer than 4 characters are
    found only as the latter two.

    Args:
        secrets: Values that must not be shown, ``Settings.secrets``.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        spellings = {
            spelling
            for secret in secrets
            if len(secret) >= _SHORTEST_LITERAL
            for spelling in _spellings(secret)
        }
        longest_first = sorted(spellings, key=lambda text: (-len(text), text))
        self._literals = (
            re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        )

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._literals is not None:
            text = self._literals.sub(MASK, text)
        if "://" in text:
            text = _URL_CREDENTIALS.sub(rf"\g<before>{MASK}@", text)
        return _ASSIGNMENT.sub(rf"\g<before>{MASK}", text)


def _spellings(secret: str) -> set[str]:
    return {
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }
