"""Variables and the files that hold them: which are ours, which are misspelt, how they are read."""

import io
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

_PREFIX: Final = "LEXICLASS_"

# What Kubernetes puts into every pod for each service of the namespace:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(
    r".+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)?)"
)
_NEAR: Final = 0.8

_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class UnreadableFile(Exception):
    """A file of settings cannot be read; the message says why, and nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A variable that looks like a setting and is none.

    Attributes:
        name: Its name.
        nearest: What may have been meant.
        is_ours: Whether it is a setting misspelt, and not another program's.
    """

    name: str
    nearest: str | None
    is_ours: bool

    def __str__(self) -> str:
        return f"{self.name} (did you mean {self.nearest}?)" if self.nearest else self.name


def unknown_names(given: Iterable[str], known: Collection[str]) -> list[Unknown]:
    """Which of the given names look like settings and are none.

    A name that begins like a group's settings, ``METRICS__``, is one of ours. Of those that begin
    with ``LEXICLASS_`` only what is near a setting is: an API beside the worker has its own. One
    with a single underscore in the place of two, ``STORAGE_BASE_PATH``, is ours, unless it is what
    Kubernetes says of a service: ``METRICS_PORT``.
    """
    groups = tuple({f"{name.partition('__')[0]}__" for name in known if "__" in name})
    flat = {name.replace("__", "_"): name for name in known if "__" in name}
    found = []
    for name in sorted(given):
        if name.startswith(groups):
            is_suspect = True
        else:
            is_suspect = name in flat or name.startswith(_PREFIX)
            is_suspect = is_suspect and not _SERVICE_LINK.fullmatch(name)
        if is_suspect and name.removesuffix("_FILE") not in known:
            found.append(
                Unknown(name, flat[name], is_ours=True)
                if name in flat
                else _unknown(name, known, groups)
            )
    return found


def read_env_file(path: Path) -> dict[str, str]:
    """What a ``.env`` file says; nothing if there is none.

    Raises:
        UnreadableFile: If it is there and cannot be read.
    """
    if not path.is_file():
        return {}
    # As written: a password may hold "${".
    values = dotenv_values(stream=io.StringIO(_read(path)), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def read_value_file(path: Path) -> str:
    """The value that a file holds, without the white space and quotes around it.

    Raises:
        UnreadableFile: If it cannot be read.
    """
    return unquoted(_read(path))


def unquoted(value: str) -> str:
    """A value as it was meant: ``docker run --env-file`` takes quotes for a part of it."""
    value = value.strip()
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if is_quoted else value


def _read(path: Path) -> str:
    """A text in UTF-8 or UTF-16, as editors and shells of Windows write it too."""
    try:
        content = path.read_bytes()
        return content.decode(_encoding(content))
    except OSError as error:
        raise UnreadableFile(error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise UnreadableFile("not UTF-8 or UTF-16") from None


def _encoding(content: bytes) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return encoding
    # Names of settings begin in ASCII, whose every other byte is zero in UTF-16.
    if content[:1] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if content[1:2] == b"\0" else "utf-8"


def _unknown(name: str, known: Collection[str], groups: tuple[str, ...]) -> Unknown:
    bare = name.removesuffix("_FILE")
    if name.startswith(groups):
        return Unknown(name, next(iter(get_close_matches(bare, known, n=1)), None), is_ours=True)
    bare = bare.removeprefix(_PREFIX)
    if bare in known:
        return Unknown(name, bare, is_ours=False)
    ours = {setting.removeprefix(_PREFIX) for setting in known if setting.startswith(_PREFIX)}
    nearest = max(ours, key=lambda setting: _likeness(bare, setting))
    is_near = _likeness(bare, nearest) >= _NEAR
    return Unknown(name, f"{_PREFIX}{nearest}" if is_near else None, is_ours=is_near)


def _likeness(given: str, setting: str) -> float:
    """From 0 to 1; a name that leaves out words of a setting's is like it."""
    if given and set(given.split("_")) <= set(setting.split("_")):
        return 1.0
    return SequenceMatcher(None, given, setting).ratio()
