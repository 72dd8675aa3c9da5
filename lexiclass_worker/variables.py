"""Variables and the files that hold them: which are ours, which are misspelt, how they are read."""

import io
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

_PREFIX: Final = "LEXICLASS_"

# What Kubernetes puts into every pod for each service of the namespace:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_LINK: Final = re.compile(
    r".+_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)"
)
# METRICS_PORT, which somebody may also have meant for METRICS__PORT, has an address as its value.
_LINK_OF_PORT: Final = re.compile(r"(?:tcp|udp|sctp)://.+")
_NEAR: Final = 0.8

# The mark of UTF-16 begins that of UTF-32.
_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


class UnreadableFile(Exception):
    """A file of settings cannot be read; the message says why, and nothing of what is in it."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A variable that looks like a setting and is none.

    Attributes:
        nearest: The setting that may have been meant.
        is_ours: Whether it is a setting misspelt for certain, and not another program's.
    """

    name: str
    nearest: str | None
    is_ours: bool

    @property
    def is_doubtful(self) -> bool:
        """Whether it may be a setting misspelt, or another program's."""
        return self.nearest is not None and not self.is_ours

    def __str__(self) -> str:
        return f"{self.name} (did you mean {self.nearest}?)" if self.nearest else self.name


def unknown_names(given: Mapping[str, str], known: Collection[str]) -> list[Unknown]:
    """Which of the given names look like settings and are none.

    A name that begins like a group's settings, ``METRICS__``, is one of ours. Of those that begin
    with ``LEXICLASS_`` only what is near a setting is: an API beside the worker has its own. One
    with a single underscore in the place of two, ``STORAGE_BASE_PATH``, is ours, unless it is what
    Kubernetes says of a service: ``METRICS_PORT=tcp://...``. One that is a slip away from a setting
    that is not given, ``LOG_LEVLE``, may be ours: ``DATABASE_URL`` is what others call theirs.
    """
    groups = tuple({f"{name.partition('__')[0]}__" for name in known if "__" in name})
    flat = {name.replace("__", "_"): name for name in known if "__" in name}
    missing = {name for name in known if name not in given and f"{name}_FILE" not in given}
    found = []
    for name, value in sorted(given.items()):
        bare = name.removesuffix("_FILE")
        if bare in known or _is_service_link(name, value):
            continue
        if name.startswith(groups):
            nearest = next(iter(get_close_matches(bare, known, n=1)), None)
            found.append(Unknown(name, nearest, is_ours=True))
        elif name in flat:
            found.append(Unknown(name, flat[name], is_ours=True))
        elif name.startswith(_PREFIX):
            found.append(_unknown(name, known))
        elif (meant := _slip_of(bare, missing)) is not None:
            found.append(Unknown(name, meant, is_ours=False))
    return found


def read_env_file(path: Path) -> dict[str, str]:
    """What a ``.env`` file says; nothing if there is none.

    Raises:
        UnreadableFile: If it is there and cannot be read.
    """
    if not path.is_file():
        return {}
    values = {}
    # As written, and nothing put in the place of "${", which a password may hold.
    for binding in parse_stream(io.StringIO(_read(path))):
        if binding.error:
            text = binding.original.string
            line = binding.original.line + len(text[: len(text) - len(text.lstrip())].splitlines())
            raise UnreadableFile(f"line {line} is no NAME=value, or its quote is not closed")
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return values


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
    """A text in UTF-8, or in what editors and shells of Windows write too."""
    try:
        content = path.read_bytes()
        return content.decode(_encoding(content))
    except OSError as error:
        raise UnreadableFile(error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise UnreadableFile("not UTF-8, UTF-16 or UTF-32") from None


def _encoding(content: bytes) -> str:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return encoding
    # Names of settings begin in ASCII, whose other bytes are zero.
    match [byte == 0 for byte in content[:4]]:
        case [True, True, True, *_]:
            return "utf-32-be"
        case [False, True, True, True]:
            return "utf-32-le"
        case [True, *_]:
            return "utf-16-be"
        case [_, True, *_]:
            return "utf-16-le"
        case _:
            return "utf-8"


def _is_service_link(name: str, value: str) -> bool:
    if name.endswith("_PORT") and _LINK_OF_PORT.fullmatch(value):
        return True
    return _SERVICE_LINK.fullmatch(name) is not None


def _unknown(name: str, known: Collection[str]) -> Unknown:
    """A name that begins as those of the library's settings do, and others of this product."""
    bare = name.removesuffix("_FILE").removeprefix(_PREFIX)
    if bare in known:
        return Unknown(name, bare, is_ours=False)
    ours = {setting.removeprefix(_PREFIX) for setting in known if setting.startswith(_PREFIX)}
    nearest = max(ours, key=lambda setting: _likeness(bare, setting))
    if _likeness(bare, nearest) >= _NEAR:
        return Unknown(name, f"{_PREFIX}{nearest}", is_ours=True)
    words = set(bare.split("_"))
    whole = next((setting for setting in sorted(ours) if words <= set(setting.split("_"))), None)
    return Unknown(name, whole and f"{_PREFIX}{whole}", is_ours=False)


def _likeness(given: str, setting: str) -> float:
    return SequenceMatcher(None, given, setting).ratio()


def _slip_of(given: str, settings: Collection[str]) -> str | None:
    """The setting whose name differs by one letter: another, one more, one less, or two turned."""
    for setting in sorted(settings):
        if any(_is_a_slip(given, meant) for meant in (setting, setting.replace("__", "_"))):
            return setting
    return None


def _is_a_slip(given: str, meant: str) -> bool:
    # Every variable of the environment is compared with every setting: soon done with most.
    if abs(len(given) - len(meant)) > 1:
        return False
    at = next((at for at, pair in enumerate(zip_longest(given, meant)) if len(set(pair)) > 1), 0)
    is_turned = (
        given[at : at + 2] == meant[at : at + 2][::-1] and given[at + 2 :] == meant[at + 2 :]
    )
    return (
        is_turned
        or given[at + 1 :] in (meant[at + 1 :], meant[at:])
        or given[at:] == meant[at + 1 :]
    )
