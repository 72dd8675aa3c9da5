"""URLs of Redis: one server, with or without TLS, a socket, or a service that Sentinels watch.

The parameters are those of redis-py, https://redis.readthedocs.io/en/stable/connections.html.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from lexiclass_core.addresses.url import (
    Host,
    InvalidAddress,
    ServerURL,
    is_on_this_machine,
    one_of,
    refuse_unknown,
    whole_number,
)

REDIS_FORM: Final = "redis://:password@host:6379/0"

_SENTINEL_FORM: Final = "redis+sentinel://:password@host:26379,host:26379/service/0"
_FORMS: Final = f"expected {REDIS_FORM}, rediss://, unix:///path or {_SENTINEL_FORM}"
_SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")

_CERT_REQS: Final = ("none", "optional", "required")
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NUMBERS: Final = ("db", "protocol", "health_check_interval")
_SECONDS: Final = ("socket_timeout", "socket_connect_timeout")
_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_TLS: Final = (*_FILES, "ssl_ca_path", "ssl_cert_reqs", "ssl_check_hostname", "ssl_password")
_OF_SENTINELS: Final = ("sentinel_username", "sentinel_password")
_KNOWN: Final = frozenset(
    {*_NUMBERS, *_SECONDS, *_TLS, "username", "password", "client_name", "socket_keepalive"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """A Redis and how to connect to it; see :mod:`lexiclass_core.addresses.redis_clients`.

    Attributes:
        shown: The URL without secrets.
        secrets: What must not be shown, in each spelling.
        hosts: The server, or the Sentinels; none for a socket.
        service: What the Sentinels call the service; None without Sentinels.
        is_encrypted: Whether connections are made by TLS.
        options: What redis-py's connections are given.
        sentinel_options: What those to the Sentinels are given.
        unverified: Why whoever is on the way could read the connection or pose as the server, and
            what to do; empty if nobody could, or there is no way.
    """

    shown: str
    secrets: frozenset[str] = field(repr=False)
    hosts: tuple[Host, ...]
    service: str | None
    is_encrypted: bool
    options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)
    unverified: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL of Redis.

        Raises:
            InvalidAddress: If it is none, names an unknown parameter or a file that is not there.
        """
        url = ServerURL.parse(text) if "://" in text else None
        if url is None or url.scheme not in _SCHEMES:
            raise InvalidAddress(_FORMS)
        if url.username and url.password is None and "password" not in url.parameters:
            raise InvalidAddress(
                "a name without a password: a password alone has a colon before it, "
                f"as in {REDIS_FORM}"
            )
        is_encrypted = url.scheme.startswith("rediss")
        watched = url.scheme.endswith("+sentinel")
        refuse_unknown(url.parameters, _KNOWN.union(_OF_SENTINELS if watched else ()), "Redis")
        options = _options(url, is_encrypted=is_encrypted)
        service = None
        if watched:
            service, options["db"] = _service(url, options)
        elif url.scheme == "unix":
            options |= _socket(url)
        else:
            options |= _server(url, options)
        return cls(
            shown=url.shown,
            secrets=url.secrets,
            hosts=url.hosts,
            service=service,
            is_encrypted=is_encrypted,
            options=options,
            sentinel_options=_sentinel_options(url, options),
            unverified=_unverified(url.hosts, options, is_encrypted=is_encrypted),
        )


def _options(url: ServerURL, *, is_encrypted: bool) -> dict[str, Any]:
    """What redis-py is told of the parameters, and of who logs in."""
    given = dict(url.parameters)
    tls: dict[str, str] = {name: given.pop(name) for name in _TLS if name in given}
    if tls and not is_encrypted:
        raise InvalidAddress(f"{min(tls)} needs a URL that begins with rediss://")
    options: dict[str, Any] = {
        name: whole_number(name, given.pop(name)) for name in _NUMBERS if name in given
    }
    options |= {name: _seconds(name, given.pop(name)) for name in _SECONDS if name in given}
    if "socket_keepalive" in given:
        options["socket_keepalive"] = _boolean("socket_keepalive", given.pop("socket_keepalive"))
    for name in _OF_SENTINELS:
        given.pop(name, None)
    options |= given
    options |= {"username": url.username} if url.username else {}
    options |= {"password": url.password} if url.password else {}
    return options | (_tls_options(tls) if is_encrypted else {})


def _tls_options(given: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = dict(given)
    for name in _FILES:
        if name in given and not Path(given[name]).is_file():
            raise InvalidAddress(f"{name}: there is no file {given[name]}")
    needed = one_of("ssl_cert_reqs", given.get("ssl_cert_reqs", "required"), _CERT_REQS)
    # Said in any case: before version 6 redis-py does not look at names by itself.
    checks_name = needed != "none"
    if "ssl_check_hostname" in given:
        checks_name = _boolean("ssl_check_hostname", given["ssl_check_hostname"])
    if checks_name and needed == "none":
        raise InvalidAddress("ssl_check_hostname=true needs ssl_cert_reqs=required or optional")
    return {**options, "ssl_check_hostname": checks_name}


def _seconds(name: str, value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", value) or not float(value):
        raise InvalidAddress(f"{name} must be a number of seconds above 0")
    return float(value)


def _boolean(name: str, value: str) -> bool:
    return _BOOLEANS[one_of(name, value.lower(), _BOOLEANS)]


def _server(url: ServerURL, options: Mapping[str, Any]) -> dict[str, Any]:
    if len(url.hosts) > 1:
        raise InvalidAddress(f"several hosts: for Sentinels expected {_SENTINEL_FORM}")
    host = url.hosts[0] if url.hosts else Host("", None)
    database = url.path.strip("/")
    return {
        "host": host.name or "localhost",
        "port": host.port or 6379,
        "db": options.get("db", whole_number("the database", database) if database else 0),
    }


def _socket(url: ServerURL) -> dict[str, Any]:
    if url.hosts or not url.path:
        raise InvalidAddress("expected unix:///path/to/redis.sock")
    return {"path": url.path}


def _service(url: ServerURL, options: Mapping[str, Any]) -> tuple[str, int]:
    service, _, database = url.path.strip("/").partition("/")
    if not service or not url.hosts or not all(host.name for host in url.hosts):
        raise InvalidAddress(f"expected {_SENTINEL_FORM}")
    return service, options.get("db", whole_number("the database", database) if database else 0)


def _unverified(hosts: Collection[Host], options: Mapping[str, Any], *, is_encrypted: bool) -> str:
    if all(is_on_this_machine(host.name) for host in hosts):
        return ""
    if not is_encrypted:
        return "redis:// does not encrypt the connection: rediss:// does"
    # With `optional` a client refuses a server without a certificate all the same.
    if options.get("ssl_cert_reqs") == "none":
        return "ssl_cert_reqs=none does not look at who answers: ssl_cert_reqs=required does"
    if not options["ssl_check_hostname"]:
        return (
            "ssl_check_hostname=false does not look at the name of the server that answers: "
            "ssl_check_hostname=true does"
        )
    return ""


def _sentinel_options(url: ServerURL, options: Mapping[str, Any]) -> dict[str, Any]:
    """Sentinels have passwords of their own, and the certificates of the servers."""
    login = {
        name.removeprefix("sentinel_"): url.parameters[name]
        for name in _OF_SENTINELS
        if name in url.parameters
    }
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return login | tls
