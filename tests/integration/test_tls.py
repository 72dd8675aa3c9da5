"""Connections over TLS to a real PostgreSQL and a real Redis, and why they are refused."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from lexiclass_core.addresses import RedisAddress
from lexiclass_core.addresses.redis_clients import open_async_redis, open_redis
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import create_engine
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import Settings
from lexiclass_worker.embedded.binaries import find_redis
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.setting_groups import DramatiqSettings
from lexiclass_worker.telemetry.checks.broker import check_redis
from lexiclass_worker.telemetry.checks.database import check_postgresql
from tests.support.secrets import ODD_PASSWORDS, traces
from tests.support.sentinel import serving
from tests.support.tls import Authority, Front, tls_front


@dataclass(frozen=True)
class Certificates:
    """Of a company, and of somebody else."""

    company: Authority
    stranger: Authority
    server: tuple[Path, Path]
    client: tuple[Path, Path]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    company = Authority(directory, "company")
    return Certificates(
        company, Authority(directory, "stranger"), company.issue("localhost"), company.issue("app")
    )


class Postgres:
    """PostgreSQL behind TLS."""

    def __init__(self, database_uri: str, front: Front) -> None:
        self._url = make_url(database_uri)
        self.front = front

    def uri(self, host: str = "localhost", **parameters: object) -> str:
        url = self._url
        return (
            f"postgres://{url.username}:{quote(url.password or '')}@{host}:{self.front.port}"
            f"/{url.database}?{urlencode(parameters)}"
        )


@asynccontextmanager
async def connected(uri: str) -> AsyncIterator[AsyncConnection]:
    engine = create_engine(uri)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def answer(uri: str) -> object:
    async with connected(uri) as connection:
        return await connection.scalar(text("SELECT 42"))


@pytest.fixture
def postgres(database_uri: str, certificates: Certificates) -> Iterator[Postgres]:
    port = make_url(database_uri).port
    assert port is not None
    with tls_front(port, certificates.server, asks_first=True) as front:
        yield Postgres(database_uri, front)


async def test_postgresql_is_verified_as_libpq_does(
    postgres: Postgres, certificates: Certificates
) -> None:
    company = certificates.company.certificate

    assert await answer(postgres.uri(sslmode="verify-full", sslrootcert=company)) == 42
    assert await answer(postgres.uri("127.0.0.1", sslmode="verify-ca", sslrootcert=company)) == 42
    assert await answer(postgres.uri("127.0.0.1", sslmode="require")) == 42
    assert await answer(postgres.uri("127.0.0.1", sslmode="prefer")) == 42
    assert postgres.front.plain == 0
    assert await answer(postgres.uri(sslmode="disable")) == 42
    assert await answer(postgres.uri(sslmode="allow")) == 42
    assert postgres.front.plain == 2

    with pytest.raises(DBAPIError, match=r"not valid for '127.0.0.1'"):
        await answer(postgres.uri("127.0.0.1", sslmode="verify-full", sslrootcert=company))
    for mode in ("verify-full", "verify-ca"):
        stranger = certificates.stranger.certificate
        with pytest.raises(DBAPIError, match="certificate verify failed"):
            await answer(postgres.uri(sslmode=mode, sslrootcert=stranger))
    with pytest.raises(DBAPIError, match="certificate verify failed"):
        await answer(postgres.uri(sslmode="verify-full", sslrootcert="system"))


async def test_a_postgresql_without_tls_is_refused_or_not_as_the_mode_says(
    database_uri: str,
) -> None:
    for mode in ("disable", "allow", "prefer"):
        assert await answer(f"{database_uri}?sslmode={mode}") == 42
    with pytest.raises(DBAPIError, match="rejected SSL upgrade"):
        await answer(f"{database_uri}?sslmode=require&channel_binding=prefer")


async def test_postgresql_knows_clients_by_their_certificates(
    database_uri: str, certificates: Certificates
) -> None:
    port = make_url(database_uri).port
    assert port is not None
    certificate, key = certificates.client
    with tls_front(
        port, certificates.server, asks_first=True, clients_of=certificates.company
    ) as front:
        postgres = Postgres(database_uri, front)
        uri = postgres.uri(sslmode="require", sslcert=certificate, sslkey=key)
        assert await answer(uri) == 42
        with pytest.raises(DBAPIError, match=r"(?i)ssl|certificate|connection"):
            await answer(postgres.uri(sslmode="require"))


async def test_the_session_is_what_the_url_says(database_uri: str) -> None:
    uri = f"{database_uri}?options=-c%20statement_timeout%3D7s&application_name=mine"

    async with connected(uri) as connection:
        assert await connection.scalar(text("SHOW statement_timeout")) == "7s"
        assert await connection.scalar(text("SHOW application_name")) == "lexiclass mine"


class Redis:
    """Redis behind TLS."""

    def __init__(self, broker_url: str, front: Front) -> None:
        self.password = RedisAddress.parse(broker_url).options["password"]
        self.port = front.port

    def url(self, host: str = "localhost", **parameters: object) -> str:
        query = urlencode(parameters)
        return f"rediss://:{self.password}@{host}:{self.port}/0?{query}"


@pytest.fixture
def redis(broker_url: str, certificates: Certificates) -> Iterator[Redis]:
    port = RedisAddress.parse(broker_url).hosts[0].port
    assert port is not None
    with tls_front(port, certificates.server) as front:
        yield Redis(broker_url, front)


def is_answered(url: str) -> bool:
    with open_redis(url) as client:
        return bool(client.ping())


async def test_redis_is_verified(redis: Redis, certificates: Certificates) -> None:
    company = certificates.company.certificate

    assert is_answered(redis.url(ssl_ca_certs=company))
    assert is_answered(redis.url("127.0.0.1", ssl_ca_certs=company, ssl_check_hostname="false"))
    assert is_answered(redis.url("127.0.0.1", ssl_cert_reqs="none"))
    client = open_async_redis(redis.url(ssl_ca_certs=company))
    assert await client.ping()
    await client.aclose()

    with pytest.raises(RedisError, match=r"not valid for '127.0.0.1'"):
        is_answered(redis.url("127.0.0.1", ssl_ca_certs=company))
    with pytest.raises(RedisError, match="certificate verify failed"):
        is_answered(redis.url(ssl_ca_certs=certificates.stranger.certificate))
    with pytest.raises(RedisError, match="certificate verify failed"):
        is_answered(redis.url())


@pytest.mark.slow
async def test_sentinels_and_the_master_they_name_are_verified(
    redis: Redis, certificates: Certificates, tmp_path: Path
) -> None:
    """The Sentinel is told of the master's TLS port, and has not noticed that it can't watch it."""
    port = free_port()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
        f"sentinel monitor lexi 127.0.0.1 {redis.port} 1\n"
        "sentinel down-after-milliseconds lexi 600000\n"
    )
    with (
        serving([find_redis().server, configuration, "--sentinel"], port, tmp_path / "log"),
        tls_front(port, certificates.server) as front,
    ):
        trusted = f"ssl_check_hostname=false&ssl_ca_certs={certificates.company.certificate}"
        url = f"rediss+sentinel://:{redis.password}@localhost:{front.port}/lexi/0?"
        assert is_answered(url + trusted)
        client = open_async_redis(url + trusted)
        assert await client.ping()
        await client.aclose()
        assert front.encrypted == 2

        with pytest.raises(RedisError):
            is_answered(f"{url}ssl_ca_certs={certificates.stranger.certificate}")


def test_redis_knows_clients_by_their_certificates(
    broker_url: str, certificates: Certificates
) -> None:
    port = RedisAddress.parse(broker_url).hosts[0].port
    assert port is not None
    certificate, key = certificates.client
    with tls_front(port, certificates.server, clients_of=certificates.company) as front:
        redis = Redis(broker_url, front)
        trusted = certificates.company.certificate
        assert is_answered(
            redis.url(ssl_ca_certs=trusted, ssl_certfile=certificate, ssl_keyfile=key)
        )
        with pytest.raises(RedisError):
            is_answered(redis.url(ssl_ca_certs=trusted))


async def test_servers_whose_certificates_have_expired_are_refused(
    database_uri: str, broker_url: str, certificates: Certificates
) -> None:
    company = certificates.company
    expired = company.issue("localhost", has_expired=True)
    database_port, port = make_url(database_uri).port, RedisAddress.parse(broker_url).hosts[0].port
    assert database_port is not None
    assert port is not None
    with tls_front(database_port, expired, asks_first=True) as front:
        uri = Postgres(database_uri, front).uri(
            sslmode="verify-full", sslrootcert=company.certificate
        )
        with pytest.raises(DBAPIError, match="certificate has expired"):
            await answer(uri)
    with (
        tls_front(port, expired) as front,
        pytest.raises(RedisError, match="certificate has expired"),
    ):
        is_answered(Redis(broker_url, front).url(ssl_ca_certs=company.certificate))


async def test_a_postgresql_whose_certificate_is_revoked_is_refused(
    postgres: Postgres, certificates: Certificates
) -> None:
    company = certificates.company
    other, _ = company.issue("other")

    def uri(revocations: Path) -> str:
        return postgres.uri(
            sslmode="verify-full", sslrootcert=company.certificate, sslcrl=revocations
        )

    assert await answer(uri(company.revoke(other))) == 42
    with pytest.raises(DBAPIError, match="certificate revoked"):
        await answer(uri(company.revoke(certificates.server[0])))


@pytest.mark.parametrize("client", ["a stranger's", "expired"])
async def test_clients_whose_certificates_are_not_good_are_refused(
    database_uri: str, broker_url: str, certificates: Certificates, client: str
) -> None:
    company = certificates.company
    issuer = certificates.stranger if client == "a stranger's" else company
    certificate, key = issuer.issue("app", has_expired=client == "expired")
    database_port, port = make_url(database_uri).port, RedisAddress.parse(broker_url).hosts[0].port
    assert database_port is not None
    assert port is not None
    with tls_front(
        database_port, certificates.server, asks_first=True, clients_of=company
    ) as front:
        uri = Postgres(database_uri, front).uri(sslmode="require", sslcert=certificate, sslkey=key)
        with pytest.raises(DBAPIError):
            await answer(uri)
    with tls_front(port, certificates.server, clients_of=company) as front:
        url = Redis(broker_url, front).url(
            ssl_ca_certs=company.certificate, ssl_certfile=certificate, ssl_keyfile=key
        )
        with pytest.raises(RedisError):
            is_answered(url)


@pytest.mark.parametrize("password", ODD_PASSWORDS[:2])
async def test_the_key_of_a_client_may_have_a_password(
    database_uri: str, broker_url: str, certificates: Certificates, password: str
) -> None:
    company = certificates.company
    certificate, key = company.issue("app", password=password)
    database_port, port = make_url(database_uri).port, RedisAddress.parse(broker_url).hosts[0].port
    assert database_port is not None
    assert port is not None
    with tls_front(
        database_port, certificates.server, asks_first=True, clients_of=company
    ) as front:
        # "+" is no space in a password.
        uri = Postgres(database_uri, front).uri(sslmode="require", sslcert=certificate, sslkey=key)
        assert await answer(f"{uri}&sslpassword={quote(password, safe='')}") == 42
        with pytest.raises(DBAPIError) as refused:
            await answer(f"{uri}&sslpassword={quote(password[1:], safe='')}")
        assert traces(f"{refused.value} {cause_of(refused.value)}", password) == []
    with tls_front(port, certificates.server, clients_of=company) as front:
        url = Redis(broker_url, front).url(
            ssl_ca_certs=company.certificate, ssl_certfile=certificate, ssl_keyfile=key
        )
        assert is_answered(f"{url}&ssl_password={quote(password, safe='')}")
        client = open_async_redis(f"{url}&ssl_password={quote(password, safe='')}")
        assert await client.ping()
        await client.aclose()


async def test_a_task_client_sends_and_watches_over_tls(
    postgres: Postgres, redis: Redis, certificates: Certificates
) -> None:
    company = certificates.company.certificate
    client = AsyncTaskClient(
        database_uri=postgres.uri(sslmode="verify-full", sslrootcert=company),
        broker_url=redis.url(ssl_ca_certs=company),
    )

    task = await client.index(7)
    first = await anext(client.watch(task.id))
    await client.close()

    assert (first.task_id, first.status) == (task.id, "pending")


def test_checks_name_why_a_certificate_is_refused(
    postgres: Postgres, redis: Redis, certificates: Certificates
) -> None:
    stranger = certificates.stranger.certificate
    settings = Settings(
        database_uri=postgres.uri(sslmode="verify-full", sslrootcert=stranger),
        dramatiq=DramatiqSettings(broker_url=redis.url(ssl_ca_certs=stranger)),
    )

    for check in (check_postgresql(settings), check_redis(settings)):
        assert not check.ok
        assert "certificate verify failed" in check.reason
        assert not any(secret in check.reason for secret in settings.secrets)
