"""URLs of servers: one reading of each, or a refusal that repeats nothing of a password."""

import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.addresses import InvalidAddress, PostgreSQLAddress, RedisAddress
from lexiclass_core.addresses.url import MASK
from lexiclass_core.db import create_engine

Address = PostgreSQLAddress | RedisAddress

ODD = "/#?[]@% \t\n\r\x0b\x0c"
ADDRESSES: list[tuple[type[Address], str]] = [
    (PostgreSQLAddress, "postgresql+asyncpg://app:{}@127.0.0.1:5432/db"),
    (RedisAddress, "redis://:{}@127.0.0.1:6379/0"),
]
SENTINELS = "redis+sentinel://:pw@one:26379,two/main/3"


def password_of(address: Address) -> object:
    if isinstance(address, RedisAddress):
        return address.options.get("password")
    return address.arguments.get("password")


@pytest.mark.parametrize(("kind", "template"), ADDRESSES)
def test_each_character_of_a_password_is_taken_as_it_is_or_refused(
    kind: type[Address], template: str
) -> None:
    for character in [*string.printable, "ß", "漢", "😀"]:
        password = f"Qx7{character}vn9"
        uri = template.format(password)

        if character in ODD:
            with pytest.raises(InvalidAddress, match="percent-encode") as raised:
                kind.parse(uri)
            assert not any(part in str(raised.value) for part in ("Qx7", "vn9"))
        else:
            address = kind.parse(uri)
            assert password_of(address) == password
            assert address.shown == template.format(MASK)
            assert password in address.secrets


@pytest.mark.parametrize(("kind", "template"), ADDRESSES)
@given(password=st.text(st.characters(codec="utf-8"), min_size=4))
def test_a_percent_encoded_password_is_taken_whatever_is_in_it(
    kind: type[Address], template: str, password: str
) -> None:
    address = kind.parse(template.format(quote(password, safe="")))

    assert password_of(address) == password
    assert address.shown == template.format(MASK)
    assert {password, quote(password, safe="")} <= address.secrets


@pytest.mark.parametrize(("kind", "template"), ADDRESSES)
@given(password=st.text(string.printable, min_size=6))
def test_no_refusal_and_no_form_repeats_a_password(
    kind: type[Address], template: str, password: str
) -> None:
    secret = f"hunter2{password}retnuh"
    try:
        address = kind.parse(template.format(secret))
    except InvalidAddress as error:
        text = str(error)
    else:
        text = f"{address.shown} {address!r} {address}"
    assert "hunter2" not in text
    assert "retnuh" not in text


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@", "redis://:hunter2@/0", "redis://u:hun:ter2@h:1/0",
        "redis://h/0?password=hunter2", "redis://h:hunter2/0", "redis://:hunter2@h:x/0",
        "redis://hunter2@h/0", "redis://:hunter2@h1,h2/0", "redis://:hunter2@h/zero",
        "redis+sentinel://:hunter2@h/s?sentinel_password=hunter2", "rediss://h?ssl_password=hunter2",
        "redis://:hunter2", "://:hunter2@h", "hunter2", "http://:hunter2@h", "unix://:hunter2@h/x",
        "redis://:hunter2@h/0?hunter2", "redis://:%ff%fehunter2@h/0",
        "redis://h/0?password=hunter2&password=hunter2",
    ],
)  # fmt: skip
def test_a_password_is_shown_wherever_it_stands_in_no_url_of_redis(url: str) -> None:
    try:
        text = f"{(address := RedisAddress.parse(url)).shown} {address!r}"
    except InvalidAddress as error:
        text = str(error)
    assert "hunter2" not in text
    assert "hun:ter2" not in text


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u:hunter2@", "postgresql://u:hun:ter2@h/db", "postgresql://h:hunter2/db",
        "postgresql://h/db?user=u&password=hunter2", "postgres://h/db?sslpassword=hunter2",
        "postgresql://u:hunter2@h1:1,h2:2/db", "mysql://u:hunter2@h/db", "postgresql:hunter2@h",
        "postgresql://u:hunter2@h/db?sslmode=hunter2", "postgresql://u:x@h/db?options=hunter2",
    ],
)  # fmt: skip
def test_a_password_is_shown_wherever_it_stands_in_no_url_of_postgresql(uri: str) -> None:
    try:
        text = f"{(address := PostgreSQLAddress.parse(uri)).shown} {address!r} {address.url!r}"
    except InvalidAddress as error:
        text = str(error)
    assert "hunter2" not in text
    assert "hun:ter2" not in text


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "PostgreSQL"])
def test_postgresql_has_several_names(scheme: str) -> None:
    address = PostgreSQLAddress.parse(f"{scheme}://app:a%40b@h/db")

    assert address.arguments == {
        "host": ["h"], "port": [5432], "user": "app", "password": "a@b", "database": "db",
    }  # fmt: skip
    assert str(address.url) == "postgresql+asyncpg://app@h/db"


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql+psycopg2", "mysql", "file"])
def test_another_driver_is_refused_with_the_forms_there_are(scheme: str) -> None:
    with pytest.raises(
        InvalidAddress, match=r"postgresql\+asyncpg://user:password@host:5432/database"
    ):
        create_engine(f"{scheme}://app:hunter2@h/db")


def test_several_hosts_a_socket_and_an_ipv6_address() -> None:
    several = PostgreSQLAddress.parse(
        "postgresql://h1,h2:5433,[::1]:5434/db?target_session_attrs=read-write"
    ).arguments
    assert several["host"] == ["h1", "h2", "::1"]
    assert several["port"] == [5432, 5433, 5434]
    assert several["target_session_attrs"] == "read-write"

    for socket in ("postgresql://app@%2Fvar%2Frun/db", "postgresql://app@/db?host=/var/run"):
        assert PostgreSQLAddress.parse(socket).arguments["host"] == ["/var/run"]


@pytest.mark.parametrize(
    "mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
)
def test_sslmode_is_what_libpq_calls_it(mode: str) -> None:
    for name in ("sslmode", "ssl"):
        address = PostgreSQLAddress.parse(f"postgres://h/db?{name}={mode}&channel_binding=prefer")
        assert address.arguments["dsn"] == f"postgresql://?sslmode={mode}"


@pytest.mark.parametrize(
    ("parameters", "way_out"),
    [
        ("sslmode=on", "sslmode must be one of disable, allow, prefer, require, verify-ca"),
        ("sslmod=require", "did you mean sslmode"),
        ("foo=bar&sslmode=require", "unknown parameter foo"),
        ("channel_binding=require", "leave it out.*verify-full"),
        ("gssencmode=require", "gssencmode must be one of disable, prefer"),
        ("sslmode=verify-full&sslrootcert=/no/such/ca.pem", "sslrootcert: .*/no/such/ca.pem"),
        ("sslmode=require&sslrootcert=system", "needs sslmode=verify-full"),
        ("connect_timeout=soon", "connect_timeout must be a whole number"),
        ("options=-x", "options must be like -c name=value"),
        ("target_session_attrs=best", "target_session_attrs must be one of any, read-write"),
        ("pgbouncer", "name=value"),
    ],
)
def test_a_parameter_that_is_not_understood_is_refused_by_name(
    parameters: str, way_out: str
) -> None:
    with pytest.raises(InvalidAddress, match=way_out):
        PostgreSQLAddress.parse(f"postgresql://u:hunter2@h/db?{parameters}")


def test_the_session_is_as_the_url_says() -> None:
    address = PostgreSQLAddress.parse(
        "postgresql://h/db?options=-c%20search_path%3Da,b%20--statement-timeout=3s"
        "&connect_timeout=7&application_name=mine"
    )

    assert address.server_settings == {"search_path": "a,b", "statement_timeout": "3s"}
    assert (address.connect_timeout_s, address.application_name) == (7, "mine")


def test_a_redis_is_a_server_a_socket_or_a_service() -> None:
    server = RedisAddress.parse("redis://app:pw@h:7/2")
    assert server.options == {
        "username": "app", "password": "pw", "host": "h", "port": 7, "db": 2,
    }  # fmt: skip
    assert RedisAddress.parse("redis://h?db=4&socket_timeout=1.5").options == {
        "host": "h", "port": 6379, "db": 4, "socket_timeout": 1.5,
    }  # fmt: skip

    socket = RedisAddress.parse("unix://:pw@/var/run/redis.sock?db=1")
    assert socket.options == {"password": "pw", "path": "/var/run/redis.sock", "db": 1}

    watched = RedisAddress.parse(f"{SENTINELS}?sentinel_password=other")
    assert watched.hosts == (("one", 26379), ("two", None))
    assert (watched.service, watched.options["db"]) == ("main", 3)
    assert watched.options["password"] == "pw"
    assert watched.sentinel_options == {"password": "other"}


def test_certificates_of_redis_are_those_of_the_url(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    url = f"rediss://h/0?ssl_ca_certs={authority}&ssl_cert_reqs="

    required = RedisAddress.parse(f"{url}required")
    assert required.is_encrypted
    assert required.options["ssl_ca_certs"] == str(authority)
    assert required.options["ssl_cert_reqs"] == "required"
    assert RedisAddress.parse("rediss://h").options["ssl_check_hostname"] is True
    assert RedisAddress.parse(f"{url}none").options["ssl_check_hostname"] is False


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("redis://h?foo=bar", "unknown parameter foo"),
        ("redis://h?ssl_ca_certs=x", "rediss://"),
        ("rediss://h?ssl_cert_reqs=CERT_NONE", "none, optional, required"),
        ("rediss://h?ssl_ca_certs=/no/such/ca.pem", "ssl_ca_certs: .*/no/such/ca.pem"),
        ("rediss://h?ssl_check_hostname=true&ssl_cert_reqs=none", "needs ssl_cert_reqs=required"),
        ("rediss://h?ssl_check_hostname=maybe", "ssl_check_hostname must be one of true"),
        ("redis://h1,h2/0", "redis\\+sentinel://"),
        ("redis+sentinel://h1,h2", "/service/0"),
        ("redis://h?sentinel_password=x", "unknown parameter sentinel_password"),
        ("redis://name@h", "a colon before it"),
        ("redis://h:99999/0", "expected host:port"),
        ("redis://h/0?socket_timeout=soon", "number of seconds"),
        ("redis://h/0?protocol=x", "protocol must be a whole number"),
    ],
)
def test_what_no_redis_client_understands_is_refused_by_name(url: str, way_out: str) -> None:
    with pytest.raises(InvalidAddress, match=way_out):
        RedisAddress.parse(url)


@pytest.mark.parametrize(
    ("parameters", "lacks"),
    [
        ("", "neither has to encrypt"), ("?sslmode=disable", "does not encrypt"),
        ("?sslmode=allow", "neither has to encrypt"), ("?sslmode=require", "who answers"),
        ("?sslmode=verify-ca", "the name of the server"), ("?sslmode=verify-full", None),
        ("?sslmode=require&sslrootcert={ca}", "the name of the server"),
        ("?sslmode=verify-full&sslrootcert=system", None),
    ],
)  # fmt: skip
def test_what_others_could_read_or_pose_as_is_said_of_postgresql(
    tmp_path: Path, parameters: str, lacks: str | None
) -> None:
    (authorities := tmp_path / "ca.pem").touch()
    query = parameters.format(ca=authorities)

    said = PostgreSQLAddress.parse(f"postgresql://u:hunter2@db.example/x{query}").unverified

    assert lacks in said if lacks else said == ""
    assert "hunter2" not in said
    for here in ("localhost", "127.0.0.1", "[::1]", "127.9.9.9,localhost", ""):
        assert PostgreSQLAddress.parse(f"postgresql://{here}/x{query}").unverified == ""
    assert PostgreSQLAddress.parse("postgresql:///x?host=/var/run/postgresql").unverified == ""
    assert PostgreSQLAddress.parse("postgresql://localhost,db.example/x").unverified != ""


@pytest.mark.parametrize(
    ("url", "lacks"),
    [
        ("redis://:hunter2@redis.example/0", "does not encrypt"),
        ("redis+sentinel://:hunter2@127.0.0.1,redis.example/s", "does not encrypt"),
        ("rediss://:hunter2@redis.example/0", None),
        ("rediss://:hunter2@redis.example/0?ssl_cert_reqs=none", "who answers"),
        ("rediss://:hunter2@redis.example/0?ssl_check_hostname=false", "the name of the server"),
        ("redis://:hunter2@127.0.0.1/0", None), ("unix:///run/redis.sock", None),
        ("redis://", None),
    ],
)  # fmt: skip
def test_what_others_could_read_or_pose_as_is_said_of_redis(url: str, lacks: str | None) -> None:
    said = RedisAddress.parse(url).unverified

    assert lacks in said if lacks else said == ""
    assert "hunter2" not in said


@pytest.mark.parametrize("parse", [PostgreSQLAddress.parse, RedisAddress.parse])
def test_what_may_be_the_rest_of_a_password_is_not_named(parse: Any) -> None:
    scheme = "redis" if parse == RedisAddress.parse else "postgresql"
    with pytest.raises(InvalidAddress, match="beside a password; percent-encode") as raised:
        parse(f"{scheme}://h/0?password=S3cret&Pw77=x")
    assert "Pw77" not in str(raised.value)
