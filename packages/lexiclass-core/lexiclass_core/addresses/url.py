"""URLs of servers, ``scheme://user:password@host:port,host:port/path?name=value``, read strictly.

After RFC 3986, https://www.rfc-editor.org/rfc/rfc3986, with two liberties: several hosts, as libpq
and Redis' clients write them, and any character in a password that can be taken for nothing else.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Final, NamedTuple, Self
from urllib.parse import unquote

MASK: Final = "***"

PERCENT_ENCODE: Final = (
    "percent-encode / # ? [ ] @ % and spaces in the name and the password (/ is %2F, @ is %40)"
)

SECRET_PARAMETERS: Final = frozenset(
    {"password", "sslpassword", "ssl_password", "sentinel_password"}
)
"""Parameters whose values are never shown."""

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PARTS: Final = re.compile(r"(?P<authority>[^/?]*)(?P<path>/[^?]*)?(?:\?(?P<query>.*))?", re.DOTALL)
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_URLS: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_HOST: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<name>[^\[\]:]*))(?::(?P<port>[0-9]*))?"
)


class InvalidAddress(ValueError):
    """A URL that cannot be used. The message has no part of it that could be a password's."""


class Host(NamedTuple):
    """One server; without a port it has the default one."""

    name: str
    port: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerURL:
    """The parts of a URL, decoded.

    Attributes:
        scheme: In lower case.
        username: None where the URL has none.
        password: The same; never shown.
        hosts: None, one or several.
        path: What follows the hosts, with its slash.
        parameters: What follows the question mark.
        shown: The URL with ``***`` for whatever is secret.
        secrets: Every secret of the URL, as it is and as it is spelt there.
    """

    scheme: str
    username: str | None
    password: str | None = field(repr=False)
    hosts: tuple[Host, ...]
    path: str
    parameters: Mapping[str, str] = field(repr=False)
    shown: str
    secrets: frozenset[str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL.

        Raises:
            InvalidAddress: If it is none, or can be read in more than one way.
        """
        scheme = _SCHEME.match(text)
        if scheme is None:
            raise InvalidAddress("this is no URL")
        rest = text[scheme.end() :]
        parts = _PARTS.fullmatch(rest)
        if parts is None or "#" in rest or _NOT_IN_URLS.search(rest) or _STRAY_PERCENT.search(rest):
            raise InvalidAddress(PERCENT_ENCODE)
        authority, path, query = parts["authority"], parts["path"] or "", parts["query"] or ""
        credentials, at, hosts = authority.rpartition("@")
        if "@" in path + query or re.search(r"[@\[\]]", credentials):
            raise InvalidAddress(PERCENT_ENCODE)
        name, colon, password = credentials.partition(":")
        parameters, shown_query, secrets = _parameters(query)
        if password:
            secrets |= {password, _decoded(password)}
        hidden = f"{name}:{MASK}" if password else credentials
        return cls(
            scheme=scheme[1].lower(),
            username=_decoded(name) if name else None,
            password=_decoded(password) if colon else None,
            hosts=tuple(_hosts(hosts)),
            path=_decoded(path),
            parameters=parameters,
            shown=f"{scheme[1].lower()}://{hidden}{at}{hosts}{path}{shown_query}",
            secrets=secrets,
        )


def is_on_this_machine(host: str) -> bool:
    """Whether a host is reached without a network: by a loopback address, or a socket."""
    if host.startswith(("/", "@")) or host.rstrip(".").lower() in {"", "localhost"}:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_unknown(given: Collection[str], known: Collection[str], server: str) -> None:
    """Refuse parameters by name, unless they may be the rest of a password.

    Raises:
        InvalidAddress: If one of them is not known.
    """
    unknown = sorted(set(given) - set(known))
    if unknown and SECRET_PARAMETERS.intersection(given, known):
        raise InvalidAddress(f"unknown parameter beside a password; {PERCENT_ENCODE}")
    if unknown:
        hints = {name: get_close_matches(name, known, n=1) for name in unknown}
        named = ", ".join(
            f"{name} (did you mean {hint[0]}?)" if hint else name for name, hint in hints.items()
        )
        raise InvalidAddress(
            f"unknown parameter {named}; for {server} there are {', '.join(sorted(known))}"
        )


def one_of(name: str, value: str, allowed: Collection[str]) -> str:
    """The value of a parameter that takes some words only.

    Raises:
        InvalidAddress: If it is another one.
    """
    if value not in allowed:
        raise InvalidAddress(f"{name} must be one of {', '.join(allowed)}")
    return value


def whole_number(name: str, value: str) -> int:
    """The value of a parameter that is a whole number of zero or more.

    Raises:
        InvalidAddress: If it is none.
    """
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise InvalidAddress(f"{name} must be a whole number")
    return int(value)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise InvalidAddress(f"what is percent-encoded is not UTF-8; {PERCENT_ENCODE}") from None


def _parameters(query: str) -> tuple[dict[str, str], str, frozenset[str]]:
    parameters: dict[str, str] = {}
    shown: list[str] = []
    secrets: set[str] = set()
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise InvalidAddress(f"the parameters must be ?name=value&name=value; {PERCENT_ENCODE}")
        if name in parameters:
            raise InvalidAddress("a parameter is given twice")
        # As in the user's part of the URL, "+" is no space in a password.
        is_secret = name in SECRET_PARAMETERS
        parameters[name] = _decoded(value if is_secret else value.replace("+", " "))
        if is_secret and value:
            secrets |= {value, _decoded(value)}
        shown.append(f"{name}={MASK}" if is_secret else part)
    return parameters, f"?{'&'.join(shown)}" if shown else "", frozenset(secrets)


def _hosts(text: str) -> Iterable[Host]:
    for part in text.split(",") if text else ():
        host = _HOST.fullmatch(part)
        port = host["port"] if host else None
        if host is None or (port and not 0 < int(port[:6]) < 65_536):
            raise InvalidAddress(
                f"the host and its port cannot be read: expected host:port; {PERCENT_ENCODE}"
            )
        yield Host(host["v6"] or _decoded(host["name"]), int(port) if port else None)
