"""What /readyz and `check` say of servers that answer and cannot be used."""

import pytest
import redis
from pydantic import SecretStr

from lexiclass_core.db.schema import known_version
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.broker import check_redis, check_redis_memory
from lexiclass_worker.telemetry.checks.database import check_postgresql, check_tables
from lexiclass_worker.telemetry.checks.database_rights import check_rights
from lexiclass_worker.telemetry.checks.disks import check_temporary_files
from lexiclass_worker.telemetry.checks.outcome import State
from lexiclass_worker.telemetry.checks.processes import check_sandbox
from tests.support.checks import configured
from tests.support.database import Database


def test_a_connection_over_a_network_that_is_not_verified_is_warned_of(settings: Settings) -> None:
    uri, broker = settings.require_database_uri(), settings.dramatiq.broker_url.get_secret_value()
    port = uri.rpartition(":")[2].partition("/")[0]
    # Names of this machine that do not look like it.
    networked = Settings(
        database_uri=uri.replace("@127.0.0.1:", f"@127.0.0.1:{port},db.example:"),
        dramatiq={"broker_url": broker.replace("@127.0.0.1:", "@127.1:")},
    )

    database, broker_check = check_postgresql(networked), check_redis(networked)

    assert (database.ok, broker_check.ok) == (True, True)
    assert "sslmode=prefer neither has to encrypt" in database.warning
    assert "rediss:// does" in broker_check.warning
    assert check_postgresql(settings).warning == check_redis(settings).warning == ""


def test_a_redis_that_is_full_is_down(settings: Settings, broker_url: str) -> None:
    with configured(broker_url, maxmemory="1"):
        check = check_redis(settings)

    assert not check.ok
    assert "OutOfMemoryError" in check.reason
    assert "raise maxmemory" in check.remedy
    assert check_redis(settings).ok


def test_a_redis_that_is_a_replica_is_down(settings: Settings, broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as client:
        client.replicaof("127.0.0.1", 1)
        try:
            check = check_redis(settings)
        finally:
            client.replicaof("NO", "ONE")

    assert not check.ok
    assert "read only replica" in check.reason
    assert check_redis(settings).ok


def test_a_redis_that_evicts_messages_is_warned_of(settings: Settings, broker_url: str) -> None:
    with configured(broker_url, **{"maxmemory-policy": "allkeys-lru"}):
        check = check_redis_memory(settings)

    assert check.state is State.WARN
    assert "allkeys-lru" in check.found
    assert "CONFIG SET maxmemory-policy noeviction" in check.remedy
    assert check_redis_memory(settings).state is State.PASS


ACLS = {
    "other keys": ("~other:* +@all", "NoPermissionError"),
    "no writes": ("~* +@read +ping", "NoPermissionError"),
    "no results": ("~dramatiq ~dramatiq:* +@all", "NoPermissionError"),
    "ours": ("~dramatiq:* ~dramatiq-results:* +@all -info", ""),
}


@pytest.mark.parametrize("what", ACLS)
def test_a_redis_that_lets_nothing_be_written_is_down(
    settings: Settings, broker_url: str, what: str
) -> None:
    rules, expected = ACLS[what]
    with redis.Redis.from_url(broker_url) as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">x", "resetkeys", *rules.split())
        url = broker_url.partition("@")[2] or broker_url.partition("://")[2]
        dramatiq = settings.dramatiq.model_copy(
            update={"broker_url": SecretStr(f"redis://app:x@{url}"), "namespace": "dramatiq"}
        )
        try:
            check = check_redis(settings.model_copy(update={"dramatiq": dramatiq}))
        finally:
            client.execute_command("ACL", "DELUSER", "app")

    assert check.ok == (not expected)
    assert expected in check.reason
    if expected == "NoPermissionError":
        assert check.remedy.startswith("ACL SETUSER app ~dramatiq ")


def test_a_postgresql_that_is_read_only_is_down(settings: Settings, database: Database) -> None:
    database.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', "
        "current_database()); END $$"
    )

    check = check_postgresql(settings)

    assert (check.ok, check.found) == (False, "PostgreSQL is read-only")
    assert "RESET default_transaction_read_only" in check.remedy


OTHER_TABLES: dict[str, tuple[str, str]] = {
    "none": ("DROP TABLE alembic_version", "at version none, expected {}: run"),
    "older": ("UPDATE alembic_version SET version_num = '0004'", "at version 0004, expected {}"),
    "newer": ("UPDATE alembic_version SET version_num = '9999'", ""),
    "newer, for others": (
        (
            "WITH a AS (UPDATE alembic_version SET version_num = '9999') "
            "UPDATE schema_support SET serves_from = '9998'"
        ),
        "at version 9999, newer than the {} that",
    ),
}


@pytest.mark.parametrize("which", OTHER_TABLES)
def test_tables_of_another_version_are_down_unless_they_serve_this_one(
    settings: Settings, database: Database, which: str
) -> None:
    statement, expected = OTHER_TABLES[which]
    database.execute(statement)

    check = check_tables(settings)

    assert check.ok == (not expected)
    assert expected.format(known_version()) in check.reason


def test_a_role_that_may_not_write_tasks_is_told_which_grant_it_needs(
    settings: Settings, database: Database, database_uri: str
) -> None:
    database.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
    database.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    address = database_uri.rpartition("@")[2]
    reader = settings.model_copy(
        update={"database_uri": SecretStr(f"postgresql+asyncpg://reader:x@{address}")}
    )
    try:
        assert check_postgresql(reader).ok
        check = check_rights(reader)
    finally:
        database.execute("DROP OWNED BY reader")
        database.execute("DROP ROLE reader")

    assert not check.ok
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES" in check.reason


def test_a_temporary_folder_that_is_not_there_is_down(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_temporary_files(settings).ok
    monkeypatch.setattr("tempfile.tempdir", "/no/such/folder")

    check = check_temporary_files(settings)

    assert not check.ok
    assert "/no/such/folder" in check.reason


def test_a_child_that_cannot_be_started_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_sandbox(settings).ok
    monkeypatch.setattr(
        "lexiclass_worker.telemetry.checks.processes._CHILD", ("/no/such/python", "-c", "")
    )

    assert "/no/such/python" in check_sandbox(settings).reason
