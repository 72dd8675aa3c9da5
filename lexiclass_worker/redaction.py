"""Keeps secrets out of whatever is shown."""

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from html.entities import codepoint2name
from typing import Final
from urllib.parse import unquote

MASK: Final = "***"

# A shorter password would blank letters out of every word; URLs and assignments still hide it.
_SHORTEST: Final = 4
# Fewer characters in base64 or hexadecimal are found in what is no secret.
_SHORTEST_ENCODED: Final = 6

_SENSITIVE_KEY: Final = (
    r"[\w-]{0,40}(?:(?:password|passwd|pwd|passphrase|secret|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|signing[_-]?key|credential|authorization)s?|token)"
)
# All repetitions that could start anywhere are bounded: a long text costs linear time.
_URL_CREDENTIALS: Final = re.compile(
    r"""(?P<before>\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@"']*:)[^\s/"'\\]+@""", re.IGNORECASE
)
_CREDENTIALS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^:/@]*:(?!\d{1,5}/)(?P<password>.+)@")
_ASSIGNMENT: Final = re.compile(
    rf"""(?P<before>\b{_SENSITIVE_KEY}\\?["']?\s{{0,3}}[=:]>?\s{{0,3}}(?:(?:Bearer|Basic)\s)?)"""
    r"""(?:(?P<quote>\\?["']).*?(?P=quote)|\\?["']?[^\s,;&)}\]"']+)""",
    re.IGNORECASE,
)
_SENSITIVE_NAME: Final = re.compile(_SENSITIVE_KEY, re.IGNORECASE)

# What no encoding of a text changes.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.~-]")
# Each level of escaping doubles the backslashes; three are JSON in a repr in JSON.
_LEVELS: Final = 3
_BACKSLASH: Final = r"(?:\\|%(?:25)*5[cC])"
_LETTERS: Final = {"\t": "t", "\n": "n", "\r": "r", "\f": "f", "\b": "b", "\v": "v", "\a": "a"}
_HTML_NAMES: Final = {**codepoint2name, ord("'"): "apos"}


def is_sensitive(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever its value."""
    return _SENSITIVE_NAME.fullmatch(name) is not None


def url_secrets(text: str) -> set[str]:
    """What stands for a password in URLs of any kind, as it is spelt there and decoded.

    From the colon after a name to the last ``@`` before the path, so that one with an ``@`` in it,
    or a ``/``, is found whole; a port is none.
    """
    found: set[str] = set()
    for url in {text, *text.split()}:
        if credentials := _CREDENTIALS.match(url):
            found |= {credentials["password"], unquote(credentials["password"])}
    return found


def header_secrets(text: str) -> set[str]:
    """The values of headers as OpenTelemetry's variables have them: ``key=value,key=value``.

    One without a key, which its exporters complain about, is taken for a value.
    """
    found: set[str] = set()
    for header in text.split(","):
        value = header.partition("=")[2] or header
        # Of `Bearer ...` the last word alone is shown by some.
        found |= {value.strip(), unquote(value).strip(), *unquote(value).split()[-1:]}
    return found - {""}


def secrets_in_json(text: str) -> set[str]:
    """The values of sensitive names in JSON, at any depth; nothing where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return set()
    return set(_sensitive_values(value, is_secret=False))


def _sensitive_values(value: object, *, is_secret: bool) -> Iterator[str]:
    match value:
        case str() if is_secret:
            yield value
        case dict():
            for name, item in value.items():
                yield from _sensitive_values(item, is_secret=is_secret or is_sensitive(name))
        case list():
            for item in value:
                yield from _sensitive_values(item, is_secret=is_secret)
        case _:
            return


class Redactor:
    """Replaces secrets in a text by ``***``.

    Three kinds go: the secrets it was given, in each spelling that URLs, JSON, ``repr``, HTML, SQL,
    base64 and hexadecimal give them, several levels of escaping included; the password of any
    ``scheme://user:password@``; and the value of any assignment to a name such as ``password``,
    ``api_key`` or ``token``. Secrets of fewer than 4 characters are found only as the latter two.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        longest_first = sorted(
            {secret for secret in secrets if len(secret) >= _SHORTEST},
            key=lambda secret: (-len(secret), secret),
        )
        self._patterns = [re.compile(_spellings(secret)) for secret in longest_first]
        self._encoded = [text for secret in longest_first for text in _encodings(secret)]

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        for encoded in self._encoded:
            text = text.replace(encoded, MASK)
        if "://" in text:
            text = _URL_CREDENTIALS.sub(rf"\g<before>{MASK}@", text)
        return _ASSIGNMENT.sub(rf"\g<before>{MASK}", text)

    def plain(self, value: object) -> object:
        """A value of JSON's types, with no secret in any of its texts, names included."""
        match value:
            case str():
                return self(value)
            case Mapping():
                return {self(str(name)): self.plain(item) for name, item in value.items()}
            case list() | tuple():
                return [self.plain(item) for item in value]
            case _:
                return value


def _spellings(secret: str) -> str:
    """A pattern of the secret in which each character may be escaped, or not.

    No text can be divided among its parts in many ways, so that looking costs linear time.
    """
    # Each character, or quotes of one kind, with the backslashes before it.
    found = re.findall(r"""(\\*)('+|"+|[^\\]|$)""", secret, re.DOTALL)
    return "".join(
        _run_of_backslashes(len(before)) + _spelt(text, before) for before, text in found
    )


def _run_of_backslashes(count: int) -> str:
    # Escaping doubles them, and puts one before what follows.
    return f"{_BACKSLASH}{{{count},{(count + 1) * 2**_LEVELS}}}" if count else ""


def _spelt(text: str, before: str) -> str:
    if not text or _PLAIN.match(text):
        return text
    character, count = text[0], len(text)
    code = ord(character)
    utf_8 = [f"{byte:02x}" for byte in character.encode(errors="surrogatepass")]
    utf_16 = character.encode("utf-16-be", errors="surrogatepass").hex()
    escapes = (
        *([_LETTERS[character]] if character in _LETTERS else []),
        f"{_BACKSLASH}+".join(f"x{byte}" for byte in utf_8),
        f"x{code:02x}",
        f"{_BACKSLASH}+".join(f"u{utf_16[at : at + 4]}" for at in range(0, len(utf_16), 4)),
        f"U{code:08x}",
    )
    forms = (
        "".join(f"%(?:25){{0,{_LEVELS}}}(?i:{byte})" for byte in utf_8),
        rf"&(?:amp;){{0,{_LEVELS}}}(?i:#{code}|#x0*{code:x}|{_HTML_NAMES.get(code, f'#{code}')});",
        r"[ +]" if character == " " else re.escape(character),
    )
    plain, escaped = "|".join(forms), f"(?i:{'|'.join(escapes)})"
    if before:
        # The backslash that escapes is among those of the secret's own.
        either = f"(?:{_BACKSLASH}*(?:{escaped}|{plain}))"
    else:
        either = f"(?:{_BACKSLASH}+(?:{escaped}|{plain})|{plain})"
    if character not in "'\"":
        return either
    # SQL and CSV double quotes.
    return f"(?:(?:{either}{character}){{{count}}}|{either}{{{count}}})"


def _encodings(secret: str) -> set[str]:
    """What base64 and hexadecimal make of it, also in the middle of a longer text."""
    if len(secret) < _SHORTEST_ENCODED:
        return set()
    data = secret.encode(errors="surrogatepass")
    found = {data.hex(), data.hex().upper()}
    for offset in range(3):
        # Characters of six bits that are the secret's alone, wherever it begins.
        begin, end = -(-offset * 8 // 6), (offset + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            found.add(encode(bytes(offset) + data)[begin:end].decode())
    return found
