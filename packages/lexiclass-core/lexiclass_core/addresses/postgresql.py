"""URLs of PostgreSQL, with the parameters that libpq knows, for asyncpg.

What they mean is written at https://www.postgresql.org/docs/current/libpq-connect.html.
"""

import re
import shlex
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode

from lexiclass_core.addresses.url import (
    InvalidAddress,
    ServerURL,
    is_on_this_machine,
    one_of,
    refuse_unknown,
    whole_number,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

POSTGRESQL_FORM: Final = "postgresql+asyncpg://user:password@host:5432/database"

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
_SSLMODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_LACKS: Final[Mapping[str, str]] = {
    "disable": "does not encrypt the connection",
    "allow": "neither has to encrypt the connection nor looks at who answers",
    "prefer": "neither has to encrypt the connection nor looks at who answers",
    "require": "encrypts the connection, and does not look at who answers",
    "verify-ca": "does not look at the name of the server that answers",
}
_TLS_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
_SESSIONS: Final = ("any", "read-write", "read-only", "primary", "standby", "prefer-standby")
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "sslmode": _SSLMODES,
    # What is left out asyncpg has not: a connection that demands it could not be made.
    "channel_binding": ("disable", "prefer"),
    "gssencmode": ("disable", "prefer"),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": _SESSIONS,
}
_TLS: Final = (
    "sslmode", *_FILES, "sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version"
)  # fmt: skip
# SQLAlchemy's and asyncpg's own names, which URLs for PgBouncer have: there is nothing to be set.
_CACHES: Final = ("statement_cache_size", "prepared_statement_cache_size")
_PLACES: Final = ("host", "port", "user", "password", "dbname")
_OTHERS: Final = ("application_name", "connect_timeout", "options", "ssl")
_KNOWN: Final = frozenset({*_WORDS, *_TLS, *_CACHES, *_PLACES, *_OTHERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLAddress:
    """A database and how to connect to it.

    Attributes:
        shown: The URL without secrets.
        secrets: What must not be shown, in each spelling.
        arguments: What ``asyncpg.connect`` is given, beside what the caller decides.
        server_settings: Parameters of the session, out of ``options``.
        application_name: What the URL calls this program, if it does.
        connect_timeout_s: Longest a connection attempt may take, in seconds, if the URL says so.
        unverified: Why whoever is on the way could read the connection or pose as the server, and
            what to do; empty if nobody could, or there is no way.
    """

    shown: str
    secrets: frozenset[str] = field(repr=False)
    arguments: Mapping[str, Any] = field(repr=False)
    server_settings: Mapping[str, str]
    application_name: str | None
    connect_timeout_s: float | None
    unverified: str

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Read a URL of PostgreSQL.

        Raises:
            InvalidAddress: If it is none, names an unknown parameter or a file that is not there,
                or asks for what asyncpg has not.
        """
        url = ServerURL.parse(uri) if "://" in uri else None
        if url is None or url.scheme not in _SCHEMES:
            raise InvalidAddress(
                f"expected {POSTGRESQL_FORM} (postgresql:// and postgres:// mean the same)"
            )
        parameters = _with_sslmode(url.parameters)
        refuse_unknown(parameters, _KNOWN, "PostgreSQL")
        _refuse_wrong_values(parameters)
        place = _place(url, parameters)
        timeout_s = whole_number("connect_timeout", parameters.get("connect_timeout", "0"))
        return cls(
            shown=url.shown,
            secrets=url.secrets,
            arguments={**place, **_tls(parameters)},
            server_settings=_server_settings(parameters.get("options", "")),
            application_name=parameters.get("application_name"),
            connect_timeout_s=timeout_s or None,
            unverified=_unverified(place.get("host", ()), parameters),
        )

    @property
    def url(self) -> "URL":
        """The URL for SQLAlchemy: without password and parameters, which are arguments."""
        # Settings name a database without connecting to it.
        from sqlalchemy.engine import URL  # noqa: PLC0415

        hosts = self.arguments.get("host")
        return URL.create(
            "postgresql+asyncpg",
            username=self.arguments.get("user"),
            host=hosts[0] if hosts else None,
            database=self.arguments.get("database"),
        )


def _with_sslmode(parameters: Mapping[str, str]) -> dict[str, str]:
    """``ssl=require`` is asyncpg's word for ``sslmode=require``, ``ssl=true`` that of JDBC."""
    renamed = dict(parameters)
    mode = renamed.pop("ssl", None)
    if mode is not None:
        renamed.setdefault("sslmode", "require" if mode.lower() == "true" else mode)
    return renamed


def _refuse_wrong_values(parameters: Mapping[str, str]) -> None:
    if parameters.get("channel_binding") == "require":
        raise InvalidAddress(
            "channel_binding=require: asyncpg has no channel binding; leave it out, and let "
            "sslmode=verify-full show that the server is the right one"
        )
    for name, allowed in _WORDS.items():
        if name in parameters:
            one_of(name, parameters[name], allowed)
    for name in _FILES:
        path = parameters.get(name)
        if path and not (name == "sslrootcert" and path == "system") and not Path(path).is_file():
            raise InvalidAddress(f"{name}: there is no file {path}")
    mode = parameters.get("sslmode")
    if parameters.get("sslrootcert") == "system" and mode != "verify-full":
        raise InvalidAddress("sslrootcert=system needs sslmode=verify-full, as for libpq")


def _place(url: ServerURL, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Where to connect, and as whom, as asyncpg's arguments; what is not said is left out."""
    hosts = [host.name for host in url.hosts]
    ports = [host.port or 5432 for host in url.hosts]
    if "host" in parameters:
        hosts = parameters["host"].split(",")
        ports = [5432] * len(hosts)
    if "port" in parameters:
        ports = [whole_number("port", port) for port in parameters["port"].split(",")]
        ports = ports * len(hosts) if len(ports) == 1 else ports
    if len(ports) != len(hosts):
        raise InvalidAddress(f"{len(hosts)} hosts and {len(ports)} ports: expected one port each")
    if any(not host for host in hosts):
        raise InvalidAddress("a host without a name")
    given = {
        "host": hosts,
        "port": ports,
        "user": url.username or parameters.get("user"),
        "password": parameters.get("password") if url.password is None else url.password,
        "database": url.path.removeprefix("/") or parameters.get("dbname"),
        "target_session_attrs": parameters.get("target_session_attrs"),
    }
    return {name: value for name, value in given.items() if value}


def _tls(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The TLS parameters as a DSN, out of which asyncpg makes what libpq does."""
    given = {name: parameters[name] for name in _TLS if name in parameters}
    if given.get("sslrootcert") != "system":
        return {"dsn": f"postgresql://?{urlencode(given)}"} if given else {}
    context = ssl.create_default_context()
    if certificate := given.get("sslcert"):
        context.load_cert_chain(
            certificate, given.get("sslkey"), password=given.get("sslpassword", "")
        )
    return {"ssl": context}


def _unverified(hosts: Collection[str], parameters: Mapping[str, str]) -> str:
    if all(map(is_on_this_machine, hosts)):
        return ""
    mode = parameters.get("sslmode", "prefer")
    # As libpq, which asyncpg follows, takes a file of authorities for a wish to verify.
    if mode == "require" and "sslrootcert" in parameters:
        mode = "verify-ca"
    lacks = _LACKS.get(mode)
    return f"sslmode={mode} {lacks}: sslmode=verify-full and sslrootcert do" if lacks else ""


def _server_settings(options: str) -> dict[str, str]:
    """``-c name=value`` and ``--name=value`` of the parameter ``options``, as settings.

    Raises:
        InvalidAddress: If something else is in it.
    """
    try:
        words = shlex.split(options)
    except ValueError:
        words = ["'"]
    settings: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            word += words.pop(0)
        found = re.fullmatch(r"(?:-c|--)([A-Za-z_][\w.-]*)=(.*)", word, re.DOTALL)
        if found is None:
            raise InvalidAddress("options must be like -c name=value -c name=value")
        settings[found[1].replace("-", "_")] = found[2]
    return settings
