"""What the checks say of a real PostgreSQL, and of what its tables hold."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from lexiclass_worker.admin.doctor.plugins import check_plugins
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks import database_server
from lexiclass_worker.telemetry.checks.clocks import check_postgresql_clock
from lexiclass_worker.telemetry.checks.database import check_postgresql, check_tables
from lexiclass_worker.telemetry.checks.database_rights import check_rights
from lexiclass_worker.telemetry.checks.database_server import (
    check_connections,
    check_postgresql_persistence,
    check_postgresql_version,
)
from lexiclass_worker.telemetry.checks.outcome import State
from lexiclass_worker.telemetry.checks.work import check_leases, check_queues
from tests.support.checks import failed, passed, warned
from tests.support.database import Database
from tests.support.pgbouncer import running_pgbouncer

GRANTS = {
    "tables": "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO limited",
    "sequences": "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO limited",
    "temporary": "GRANT TEMPORARY ON DATABASE {name} TO limited",
}


@contextmanager
def role(database: Database, settings: Settings, options: str = "") -> Iterator[Settings]:
    """Settings of a role without rights."""
    name = database.value("SELECT current_database()")
    database.execute(f"CREATE ROLE limited LOGIN PASSWORD 'x' {options}")
    database.execute("GRANT USAGE ON SCHEMA public TO limited")
    # Everybody has this one by default.
    database.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    address = settings.require_database_uri().rpartition("@")[2]
    uri = SecretStr(f"postgresql+asyncpg://limited:x@{address}")
    try:
        yield settings.model_copy(update={"database_uri": uri})
    finally:
        database.execute(f"GRANT TEMPORARY ON DATABASE {name} TO PUBLIC")
        database.execute("DROP OWNED BY limited")
        database.execute("DROP ROLE limited")


def test_every_right_that_lacks_is_named_with_its_grant_and_the_grants_suffice(
    database: Database, settings: Settings
) -> None:
    name = database.value("SELECT current_database()")
    with role(database, settings) as lacking:
        for grant in GRANTS.values():
            check = check_rights(lacking)
            assert grant.format(name=name) in check.remedy.split("; ")
            failed(check)
            database.execute(grant.format(name=name))
        passed(check_rights(lacking))


def test_what_another_program_has_in_the_schema_needs_no_right(
    database: Database, settings: Settings
) -> None:
    with role(database, settings) as limited:
        for grant in GRANTS.values():
            database.execute(grant.format(name=database.value("SELECT current_database()")))
        database.execute("CREATE TABLE of_an_api (id serial)")
        database.execute("CREATE SEQUENCE numbers_of_an_api")

        passed(check_rights(limited))


def test_a_role_that_may_use_no_schema_or_not_read_the_version_is_told_the_grant(
    database: Database, settings: Settings
) -> None:
    with role(database, settings) as limited:
        assert "permission denied for table alembic_version" in failed(check_tables(limited))
        assert check_tables(limited).remedy.startswith("GRANT SELECT")

        database.execute("REVOKE USAGE ON SCHEMA public FROM limited, PUBLIC")
        try:
            check = check_tables(limited)
        finally:
            database.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")
    assert "may use no schema of its search_path" in failed(check)
    assert check.remedy == "GRANT USAGE ON SCHEMA public TO limited"


def test_a_server_without_a_connection_left_is_told_with_what_gives_more(
    database: Database, settings: Settings
) -> None:
    with role(database, settings, "CONNECTION LIMIT 0") as limited:
        check = check_postgresql(limited)

    assert "53300" in failed(check)
    assert "max_connections" in check.remedy


def test_a_single_table_that_may_not_be_written_is_named(
    database: Database, settings: Settings
) -> None:
    with role(database, settings) as lacking:
        for grant in GRANTS.values():
            database.execute(grant.format(name=database.value("SELECT current_database()")))
        database.execute("REVOKE DELETE ON prediction FROM limited")

        assert "may not read and write prediction:" in failed(check_rights(lacking))


def test_few_connections_of_the_role_and_of_the_database_are_warned_of(
    database: Database, settings: Settings
) -> None:
    passed(check_connections(settings))
    name = database.value("SELECT current_database()")
    with role(database, settings, "CONNECTION LIMIT 4") as limited:
        check = check_connections(limited)
        assert "left of the limit of role limited" in warned(check)
        assert "ALTER ROLE limited CONNECTION LIMIT -1" in check.remedy

    database.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 6")
    assert f"left of the limit of database {name}" in warned(check_connections(settings))


def test_few_connections_of_the_server_are_warned_of(
    database: Database, settings: Settings
) -> None:
    uri = settings.require_database_uri().replace("+asyncpg", "")
    most = int(database.value("SHOW max_connections"))
    # Workers that tests share may live on.
    others = int(database.value("SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL"))

    async def occupy() -> str:
        taken = [await asyncpg.connect(uri) for _ in range(most - 12 - others)]
        try:
            return warned(await asyncio.to_thread(check_connections, settings))
        finally:
            for connection in taken:
                await connection.close()

    assert f"left of max_connections ({most})" in asyncio.run(occupy())


def test_a_version_that_is_too_old_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "without a pooler" in passed(check_postgresql_version(settings))
    monkeypatch.setattr(database_server, "_OLDEST", 10**9)

    assert "upgrade to" in warned(check_postgresql_version(settings))


@pytest.mark.pgbouncer
def test_a_pooler_in_between_is_told(settings: Settings, tmp_path: Path) -> None:
    with running_pgbouncer(settings.require_database_uri(), tmp_path) as uri:
        pooled = settings.model_copy(update={"database_uri": SecretStr(uri)})

        assert "through a pooler" in passed(check_postgresql_version(pooled))


@pytest.mark.parametrize(("ahead_s", "state"), [(5, State.WARN), (-60, State.FAIL)])
def test_a_clock_that_is_off_is_told_by_how_much(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead_s: int, state: State
) -> None:
    from time import time

    assert check_postgresql_clock(settings).state is State.PASS
    clock = "lexiclass_worker.telemetry.checks.clocks.time.time"
    monkeypatch.setattr(clock, lambda: time() + ahead_s)

    assert check_postgresql_clock(settings).state is state


def test_queues_that_are_paused_or_have_no_worker_are_named(
    database: Database, settings: Settings
) -> None:
    database.execute("INSERT INTO queue_pause (queue) VALUES ('training')")

    check = check_queues(settings)

    assert "paused: training; no worker listens to indexing" in warned(check)
    assert "lexiclass-worker queues resume training" in check.remedy
    assert "lexiclass-worker run" in check.remedy


def test_tasks_that_were_left_by_their_workers_are_named(
    database: Database, settings: Settings
) -> None:
    passed(check_leases(settings))
    insert = (
        "INSERT INTO task (message_id, type, status, lease_owner, lease_expires_at) VALUES "
        "(:m, 'index_documents', 'started', 'gone', now() - make_interval(secs => :age))"
    )
    database.execute(insert, m="long ago", age=3_600)
    database.execute(insert, m="a moment ago", age=1)
    task = database.value("SELECT id FROM task WHERE message_id = 'long ago'")

    check = check_leases(settings)

    assert warned(check).partition(": ")[2].startswith(f"tasks {task}: ")
    assert "lexiclass-worker reconcile" in check.remedy


def test_plugins_of_serving_models_that_are_missing_are_named_with_their_fields(
    database: Database, settings: Settings
) -> None:
    assert check_plugins(settings).state is State.SKIPPED
    project = database.value("INSERT INTO project (name) VALUES ('p') RETURNING id")
    fields = [
        database.value(
            "INSERT INTO field (project_id, name) VALUES (:p, :n) RETURNING id", p=project, n=name
        )
        for name in ("first", "second")
    ]

    def train(field: int, version: int, tokenizer: str) -> None:
        database.execute(
            "INSERT INTO model (field_id, version, status, metrics) VALUES (:f, :v, 'ready', "
            "jsonb_build_object('tokenizer', CAST(:t AS text), 'classifier', 'svm'))",
            f=field, v=version, t=tokenizer,
        )  # fmt: skip

    for field in fields:
        train(field, 1, "icu")
    assert "icu, svm" in passed(check_plugins(settings))

    train(fields[1], 2, "somebody's")
    check = check_plugins(settings)
    assert f"tokenizer somebody's is not installed (fields {fields[1]})" in failed(check)


def test_what_is_confirmed_and_not_on_a_disk_is_warned_of(
    database: Database, settings: Settings
) -> None:
    name = database.value("SELECT current_database()")
    database.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
    # The servers of the tests write nothing to a disk on purpose.
    said = warned(check_postgresql_persistence(settings))
    assert "fsync is off" in said
    assert "synchronous_commit" not in said.partition("fsync is off")[0]
    database.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    assert "synchronous_commit is off" in warned(check_postgresql_persistence(settings))
