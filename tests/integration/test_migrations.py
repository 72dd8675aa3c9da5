"""Migrations on real databases, and the tables as other programs' SQL finds them."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from lexiclass_core import models
from lexiclass_core.db import create_engine, migrate
from lexiclass_core.db.migrate import configuration, current_revision, upgrade
from lexiclass_core.db.schema import known_version
from lexiclass_core.models import Base
from lexiclass_worker.embedded import EmbeddedServers
from tests.support.services import Workshop


@pytest.fixture
async def empty_database(servers: EmbeddedServers) -> AsyncIterator[AsyncEngine]:
    """A database without a table."""
    name = f"empty_{uuid.uuid4().hex}"
    server = create_async_engine(servers.database_uri, isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    uri = make_url(servers.database_uri).set(database=name)
    engine = create_engine(uri.render_as_string(hide_password=False))
    yield engine
    await engine.dispose()
    async with server.connect() as connection:
        await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await server.dispose()


async def tables(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        return set(rows.scalars())


TABLES = {
    "installation", "project_index", "label_suspect",
    "project", "document", "field", "field_class", "document_label", "model", "model_event",
    "prediction", "task", "task_event", "queue_pause", "task_limit", "project_removal", "worker",
    "schema_support", "access_token", "audit_event", "plugin_catalog", "backup",
}  # fmt: skip


async def test_an_empty_database_gets_every_table_and_a_second_run_changes_nothing(
    empty_database: AsyncEngine,
) -> None:
    assert await current_revision(empty_database) is None

    for _ in range(2):
        await upgrade(empty_database)
        assert await tables(empty_database) == {*TABLES, "alembic_version"}
        assert await current_revision(empty_database) == known_version()


async def test_upgrades_that_start_together_all_succeed(empty_database: AsyncEngine) -> None:
    await asyncio.gather(*(upgrade(empty_database) for _ in range(4)))

    assert await tables(empty_database) == {*TABLES, "alembic_version"}


@pytest.mark.slow
async def test_no_timeout_of_the_server_ends_an_upgrade(
    empty_database: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "_SILENT_S", 0.0)

    async def change(statement: str) -> None:
        async with empty_database.begin() as connection:
            await connection.execute(text(statement))

    await upgrade(empty_database, "0005")
    await change(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 300', "
        "current_database()); END $$"
    )
    await change(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 300', "
        "current_database()); END $$"
    )
    await empty_database.dispose()  # the settings are those of new sessions
    told: asyncio.Queue[str] = asyncio.Queue()
    async with asyncio.timeout(60), empty_database.begin() as connection:
        await connection.execute(text("LOCK TABLE document IN ACCESS EXCLUSIVE MODE"))
        work = asyncio.create_task(upgrade(empty_database, tell=told.put_nowait))
        while not (await told.get()).startswith("waiting for process "):
            pass
    await work

    assert await current_revision(empty_database) == known_version()


def test_the_newest_version_is_that_of_the_last_migration() -> None:
    scripts = ScriptDirectory.from_config(configuration())

    assert scripts.get_current_head() == known_version()


async def test_an_upgrade_that_fails_leaves_nothing_behind(empty_database: AsyncEngine) -> None:
    async with empty_database.begin() as connection:
        await connection.execute(text("CREATE TABLE prediction (theirs integer)"))

    with pytest.raises(DBAPIError, match="already exists"):
        await upgrade(empty_database)

    assert await tables(empty_database) == {"prediction"}
    assert await current_revision(empty_database) is None


async def test_a_downgrade_removes_what_the_upgrade_made(empty_database: AsyncEngine) -> None:
    def downgrade(connection: Connection) -> None:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    await upgrade(empty_database)
    async with empty_database.begin() as connection:
        await connection.run_sync(downgrade)
    assert await tables(empty_database) == {"alembic_version"}
    async with empty_database.connect() as connection:
        functions = await connection.execute(
            text("SELECT proname FROM pg_proc WHERE proname LIKE 'lexiclass%'")
        )
        assert functions.all() == []

    await upgrade(empty_database)
    assert await current_revision(empty_database) == known_version()


async def test_the_models_are_what_the_migrations_make(empty_database: AsyncEngine) -> None:
    def differences(connection: Connection) -> Any:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return compare_metadata(context, Base.metadata)

    await upgrade(empty_database)
    async with empty_database.connect() as connection:
        assert await connection.run_sync(differences) == []


def test_a_migration_says_which_one_it_follows() -> None:
    for script in ScriptDirectory.from_config(configuration()).walk_revisions():
        assert script.down_revision is None or f"Revises: {script.down_revision}" in script.longdoc


CHECKS = """
    SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE contype = 'c' AND connamespace = 'public'::regnamespace
"""


async def test_the_statuses_are_those_of_the_models(workshop: Workshop) -> None:
    """Which alembic does not compare."""
    found = {row["conname"]: row["definition"] for row in await workshop.rows(CHECKS)}

    for constraint, statuses in {
        "ck_project_status": models.ProjectStatus,
        "ck_project_index_status": models.ProjectIndexStatus,
        "ck_project_model_status": models.ProjectModelStatus,
        "ck_document_index_status": models.IndexStatus,
        "ck_model_status": models.ModelStatus,
        "ck_model_event_action": models.ModelAction,
        "ck_label_suspect_status": models.SuspectStatus,
        "ck_access_token_role": models.Role,
        "ck_audit_event_role": models.Role,
        "ck_task_status": models.TaskStatus,
        "ck_task_event_event": models.TaskEventKind,
    }.items():
        quoted = {
            part for part in found[constraint].split("'") if part.isidentifier() and part.islower()
        }
        assert quoted == {str(status) for status in statuses}
    declared = {
        constraint.name
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert declared == set(found)


async def bare_rows(workshop: Workshop) -> dict[str, dict[str, Any]]:
    """A row of each table with nothing but what it must have."""
    rows: dict[str, dict[str, Any]] = {}

    async def add(table: str, **values: Any) -> None:
        columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        rows[table] = await workshop.row(
            f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING *", **values
        )

    await add("project", name="p")
    project_id = rows["project"]["id"]
    await add("document", project_id=project_id)
    await add("field", project_id=project_id, name="f")
    field_id, document_id = rows["field"]["id"], rows["document"]["id"]
    await add("field_class", field_id=field_id, name="c")
    class_id = rows["field_class"]["id"]
    await add("document_label", document_id=document_id, field_id=field_id, class_id=class_id)
    await add(
        "label_suspect",
        document_id=document_id,
        field_id=field_id,
        class_id=class_id,
        suggested_class_id=class_id,
        score=0.5,
        model_version=1,
    )
    await add("model", field_id=field_id, version=1)
    await add("model_event", field_id=field_id, version=1, action="promoted")
    await add(
        "prediction",
        document_id=document_id,
        field_id=field_id,
        class_id=class_id,
        model_version=1,
        confidence=0.5,
    )
    await add(
        "access_token", kind="login", digest="d", user_name="u", role="viewer",
        expires_at=datetime.now(UTC),
    )  # fmt: skip
    await add(
        "audit_event", user_name="u", role="viewer", action="task.cancel", subject="s", outcome="o"
    )
    await add("plugin_catalog", digest="d")
    await add("backup", name="n")
    await add("task", message_id="m", type="index_documents")
    await add("task_event", task_id=rows["task"]["id"], event="started", attempt=1)
    await add("queue_pause", queue="training")
    await add("task_limit", type="train_field_model", per_project=2)
    await add(
        "worker",
        name="host:1:a",
        host="host",
        pid=1,
        group_pid=1,
        queues=["training"],
        threads=2,
        version="0.1.0",
    )
    await add("project_index", project_id=project_id, name="icu-en")
    for table in ("schema_support", "installation"):
        rows[table] = await workshop.row(f"SELECT * FROM {table}")
    await add("project_removal", project_id=project_id + 1_000)
    return rows


async def test_what_an_insert_leaves_out_has_a_default(workshop: Workshop) -> None:
    rows = await bare_rows(workshop)

    assert set(rows) == TABLES
    assert isinstance(rows["project"]["build_key"], uuid.UUID)
    defaults: dict[str, dict[str, Any]] = {
        "project": {
            "description": "", "status": "active", "config": {}, "index_status": "pending",
            "model_status": "pending", "last_indexed_at": None, "last_trained_at": None,
            "takes_unknown_indexes": False,
        },
        "document": {
            "content_path": None, "metadata": {}, "index_status": "pending", "external_id": None,
        },
        "project_index": {"manifests": {}},
        "field": {"description": "", "config": {}},
        "field_class": {},
        "document_label": {"is_training_data": True},
        "model": {
            "status": "training", "accuracy": None, "metrics": {}, "trained_at": None,
            "manifest": {}, "promoted_at": None, "retired_at": None, "pruned_at": None,
            "files_removed_at": None, "test_errors": None, "test_error_labels": None,
            "test_error_predictions": None,
        },
        "label_suspect": {"reason": {}, "neighbours": [], "status": "open"},
        "model_event": {"done_by": "", "reason": "", "training_digest": None, "details": {}},
        "prediction": {"metadata": {}},
        "task": {
            "project_id": None, "status": "pending", "progress": 0, "request": {}, "result": None,
            "error": None, "attempts": 0, "correlation_id": None, "started_at": None,
            "finished_at": None, "priority": None, "trace_context": None,
        },
        "task_event": {"worker": None, "error": None, "next_attempt_at": None, "times": 1},
        "queue_pause": {"reason": None},
        "task_limit": {},
        "worker": {
            "away_since": None, "away_until": None, "plugins_digest": None, "settings": {},
        },
        "plugin_catalog": {"content": {}},
        "schema_support": {"serves_from": "0005"},
        "installation": {},
        "access_token": {},
        "audit_event": {"details": {}},
        "backup": {},
        "project_removal": {},
    }  # fmt: skip
    for table, row in rows.items():
        assert {name: row[name] for name in defaults[table]} == defaults[table]
        assert row["created_at"] == row["updated_at"]
        assert row["created_at"].tzinfo is not None
    assert rows["task"]["queued_at"] == rows["task"]["created_at"]


async def test_every_update_moves_updated_at_and_nothing_else(workshop: Workshop) -> None:
    for table, before in (await bare_rows(workshop)).items():
        await workshop.execute(f"UPDATE {table} SET id = id")

        after = await workshop.row(f"SELECT * FROM {table}")
        assert after["updated_at"] > before["updated_at"]
        assert {**after, "updated_at": None} == {**before, "updated_at": None}


async def test_ids_are_big_integers_and_may_be_given(workshop: Workshop) -> None:
    types = await workshop.rows(
        "SELECT table_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND (column_name = 'id' OR column_name LIKE '%\\_id') "
        "AND column_name NOT IN ('message_id', 'correlation_id', 'external_id')"
    )
    assert {row["data_type"] for row in types} == {"bigint"}

    row = await workshop.row(
        "INSERT INTO project (id, name) VALUES (:id, 'big') RETURNING id", id=2**62
    )
    assert row["id"] == 2**62


async def test_deleting_a_project_takes_all_of_it_except_its_tasks(workshop: Workshop) -> None:
    rows = await bare_rows(workshop)
    await workshop.execute("UPDATE task SET project_id = :id", id=rows["project"]["id"])

    await workshop.execute("DELETE FROM project")

    left = {table for table in TABLES if await workshop.rows(f"SELECT id FROM {table}")}
    assert left == {
        "task", "task_event", "queue_pause", "task_limit", "project_removal", "worker",
        "schema_support", "installation", "access_token", "audit_event", "plugin_catalog",
        "backup",
    }  # fmt: skip


WRONG = [
    ("project", "status = 'ACTIVE'"),
    ("project", "index_status = 'done'"),
    ("document", "index_status = 'indexing'"),
    ("document", "external_id = ''"),
    ("document", "external_id = repeat('x', 501)"),
    ("model", "status = 'Ready'"),
    ("model", "version = 0"),
    ("model", "promoted_at = now()"),  # it is in training
    ("model", "status = 'ready', promoted_at = now(), retired_at = now()"),
    ("model", "status = 'ready', pruned_at = now()"),
    ("model", "files_removed_at = now()"),
    ("model_event", "action = 'Promoted'"),
    ("label_suspect", "status = 'Open'"),
    ("label_suspect", "score = 1.5"),
    ("access_token", "kind = 'Login'"),
    ("access_token", "role = 'root'"),
    ("audit_event", "role = 'root'"),
    ("task", "status = 'done'"),
    ("task", "progress = 101"),
    ("task", "progress = -1"),
    ("prediction", "confidence = 1.01"),
    ("prediction", "confidence = -0.01"),
    ("prediction", "confidence = 'NaN'"),
]


@pytest.mark.slow_variants(8)
@pytest.mark.parametrize(("table", "assignment"), WRONG)
async def test_what_no_row_may_hold_is_refused(
    workshop: Workshop, table: str, assignment: str
) -> None:
    await bare_rows(workshop)

    with pytest.raises(DBAPIError, match="violates check constraint"):
        await workshop.execute(f"UPDATE {table} SET {assignment}")


async def test_a_label_or_prediction_of_another_fields_class_is_refused(workshop: Workshop) -> None:
    await bare_rows(workshop)
    other = await workshop.row(
        "WITH f AS (INSERT INTO field (project_id, name) SELECT id, 'g' FROM project RETURNING id) "
        "INSERT INTO field_class (field_id, name) SELECT id, 'd' FROM f RETURNING id"
    )

    for table in ("document_label", "prediction"):
        with pytest.raises(DBAPIError, match="violates foreign key"):
            await workshop.execute(f"UPDATE {table} SET class_id = :id", id=other["id"])


UNIQUE = {
    "field": "project_id, name",
    "field_class": "field_id, name",
    "document_label": "document_id, field_id, class_id",
    "model": "field_id, version",
    "document": "project_id, external_id",
    "prediction": "document_id, field_id, class_id, model_version, confidence",
    "task": "message_id, type",
}


@pytest.mark.parametrize("table", UNIQUE)
async def test_what_is_unique_is_kept_so(workshop: Workshop, table: str) -> None:
    await bare_rows(workshop)
    await workshop.execute("UPDATE document SET external_id = 'a'")
    columns = UNIQUE[table]

    with pytest.raises(DBAPIError, match="duplicate key"):
        await workshop.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {table}")


async def two_projects(workshop: Workshop) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Rows of one project, and a document and a field with a class of another."""
    rows = await bare_rows(workshop)
    other = await workshop.row(
        "WITH p AS (INSERT INTO project (name) VALUES ('q') RETURNING id), "
        "d AS (INSERT INTO document (project_id) SELECT id FROM p RETURNING id), "
        "f AS (INSERT INTO field (project_id, name) SELECT id, 'g' FROM p RETURNING id), "
        "c AS (INSERT INTO field_class (field_id, name) SELECT id, 'x' FROM f RETURNING id) "
        "SELECT p.id AS project, d.id AS document, f.id AS field, c.id AS class FROM p, d, f, c"
    )
    return rows, other


ONE_PROJECT = "is of project .* both must be of one"
JOINED = {"document_label": "", "prediction": ", 1, 0.5"}
COLUMNS = {
    "document_label": "document_id, field_id, class_id",
    "prediction": "document_id, field_id, class_id, model_version, confidence",
}


@pytest.mark.parametrize("table", JOINED)
async def test_a_document_and_a_field_of_another_project_cannot_be_joined(
    workshop: Workshop, table: str
) -> None:
    rows, other = await two_projects(workshop)
    insert = (
        f"INSERT INTO {table} ({COLUMNS[table]}) VALUES (:document, :field, :class{JOINED[table]})"
    )
    own_document = rows["document"]["id"]

    with pytest.raises(DBAPIError, match=ONE_PROJECT):
        await workshop.execute(
            insert, document=own_document, field=other["field"], **{"class": other["class"]}
        )
    with pytest.raises(DBAPIError, match=ONE_PROJECT):
        await workshop.execute(f"UPDATE {table} SET document_id = :id", id=other["document"])
    with pytest.raises(DBAPIError, match=ONE_PROJECT):
        await workshop.execute(
            f"UPDATE {table} SET field_id = :field, class_id = :class",
            field=other["field"],
            **{"class": other["class"]},
        )
    with pytest.raises(DBAPIError, match=ONE_PROJECT):
        await workshop.execute(
            f"{insert} ON CONFLICT (document_id, field_id) DO UPDATE SET document_id = :document",
            document=other["document"],
            field=rows["field"]["id"],
            **{"class": rows["field_class"]["id"]},
        )


@pytest.mark.parametrize("table", ["document", "field"])
async def test_what_has_labels_and_predictions_cannot_go_to_another_project_without_them(
    workshop: Workshop, table: str
) -> None:
    rows, other = await two_projects(workshop)
    move = f"UPDATE {table} SET project_id = :project WHERE id = :id"
    values = {"project": other["project"], "id": rows[table]["id"]}

    for joined in ("document_label", "prediction"):
        with pytest.raises(DBAPIError, match=f"has rows of {joined} in project"):
            await workshop.execute(move, **values)
        await workshop.execute(f"DELETE FROM {joined}")
    await workshop.execute(move, **values)


async def test_a_label_written_while_its_document_moves_waits_and_is_refused(
    workshop: Workshop,
) -> None:
    rows, other = await two_projects(workshop)
    await workshop.execute("DELETE FROM document_label")
    await workshop.execute("DELETE FROM prediction")
    insert = text(
        "INSERT INTO document_label (document_id, field_id, class_id) "
        f"VALUES ({rows['document']['id']}, {rows['field']['id']}, {rows['field_class']['id']})"
    )
    async with workshop.sessions() as mover, workshop.sessions() as writer:
        await mover.execute(
            text("UPDATE document SET project_id = :p WHERE id = :d"),
            {"p": other["project"], "d": rows["document"]["id"]},
        )
        writing = asyncio.create_task(writer.execute(insert))
        await workshop.until_there_is(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND datname = current_database()"
        )
        await mover.commit()
        with pytest.raises(DBAPIError, match=ONE_PROJECT):
            await writing


async def test_rows_that_join_two_projects_stop_no_migration_and_stay(
    empty_database: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await upgrade(empty_database, "0005")
    async with empty_database.begin() as connection:
        await connection.execute(
            text(
                "WITH p AS (INSERT INTO project (name) VALUES ('p') RETURNING id), "
                "q AS (INSERT INTO project (name) VALUES ('q') RETURNING id), "
                "d AS (INSERT INTO document (project_id) SELECT id FROM p RETURNING id), "
                "f AS (INSERT INTO field (project_id, name) SELECT id, 'f' FROM q RETURNING id), "
                "c AS (INSERT INTO field_class (field_id, name) SELECT id, 'c' FROM f "
                "RETURNING id, field_id) "
                "INSERT INTO document_label (document_id, field_id, class_id) "
                "SELECT d.id, c.field_id, c.id FROM d, c"
            )
        )

    await upgrade(empty_database)

    assert "1 rows of document_label join a document and a field of different" in caplog.text
    async with empty_database.begin() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM document_label")) == 1
        await connection.execute(text("UPDATE document SET index_status = 'indexed'"))


async def test_tasks_that_join_two_projects_stop_no_migration_and_can_be_ended(
    empty_database: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await upgrade(empty_database, "0009")
    async with empty_database.begin() as connection:
        await connection.execute(
            text(
                "WITH t AS (INSERT INTO task (message_id, type, project_id) "
                "VALUES ('m', 'x', 1) RETURNING id) "
                "INSERT INTO task (message_id, type, project_id, parent_id, request) "
                "SELECT 'm.0000', 'x', 2, id, '{\"project_id\"\\: 3}' FROM t"
            )
        )

    await upgrade(empty_database)

    assert "1 chunks of a task are of another project" in caplog.text
    assert "1 requests of a task are of another project" in caplog.text
    async with empty_database.begin() as connection:
        ended = await connection.execute(text("UPDATE task SET status = 'failed', progress = 1"))
        assert ended.rowcount == 2
    async with empty_database.begin() as connection:
        await connection.execute(text("SET LOCAL lexiclass.erases = 'on'"))
        await connection.execute(text("UPDATE task SET request = request || '{\"x\"\\: 1}'"))
    async with empty_database.begin() as connection:
        await connection.execute(text("DELETE FROM task WHERE parent_id IS NULL"))
        assert await connection.scalar(text("SELECT count(*) FROM task")) == 0


async def test_an_older_schema_gets_the_new_columns_and_keeps_its_rows(
    empty_database: AsyncEngine,
) -> None:
    await upgrade(empty_database, "0005")
    async with empty_database.begin() as connection:
        await connection.execute(
            text(
                "WITH p AS (INSERT INTO project (name) VALUES ('p') RETURNING id) "
                "INSERT INTO document (project_id, metadata) "
                'SELECT id, \'{"id": "a"}\'::jsonb FROM p, generate_series(1, 2)'
            )
        )

    await upgrade(empty_database)

    async with empty_database.begin() as connection:
        rows = await connection.execute(text("SELECT external_id, metadata ->> 'id' FROM document"))
        assert rows.all() == [(None, "a"), (None, "a")]


@pytest.mark.slow
async def test_a_table_in_use_is_waited_for_without_keeping_others_from_it(
    empty_database: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "_LOCK_TIMEOUT_S": 0.5,
        "_PAUSE_S": 0.1,
        "_POLL_S": 0.1,
        "_SILENT_S": 0.0,
    }.items():
        monkeypatch.setattr(migrate, name, value)
    await upgrade(empty_database, "0005")
    insert = text(
        "WITH p AS (INSERT INTO project (name) VALUES ('p') RETURNING id) "
        "INSERT INTO document (project_id) SELECT id FROM p"
    )
    told: asyncio.Queue[str] = asyncio.Queue()

    async with asyncio.timeout(60), empty_database.connect() as importing:
        await importing.execute(insert)
        upgrading = asyncio.create_task(upgrade(empty_database, tell=told.put_nowait))
        try:
            while "waiting for process " not in await told.get():
                pass
            async with empty_database.begin() as other:
                await other.execute(insert)
            assert not upgrading.done()
            await importing.commit()
            await upgrading
        finally:
            upgrading.cancel()

    assert await current_revision(empty_database) == known_version()
    async with empty_database.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM document")) == 2


@asynccontextmanager
async def role_with(workshop: Workshop, *grants: str) -> AsyncIterator[str]:
    role = f"api_{uuid.uuid4().hex}"
    await workshop.execute(f"CREATE ROLE {role}")
    try:
        for grant in grants:
            await workshop.execute(f"GRANT {grant} TO {role}")
        yield role
    finally:
        await workshop.execute(f"DROP OWNED BY {role}")
        await workshop.execute(f"DROP ROLE {role}")


async def execute_as(workshop: Workshop, role: str, *statements: str) -> None:
    """Several statements in one transaction, on the rights of a role."""
    async with workshop.sessions.begin() as session:
        await session.execute(text(f"SET LOCAL ROLE {role}"))
        for statement in statements:
            await session.execute(text(statement))


async def test_who_may_write_labels_and_delete_projects_needs_no_other_right(
    workshop: Workshop,
) -> None:
    rows = await bare_rows(workshop)
    await workshop.execute("DELETE FROM document_label")
    grants = ("INSERT ON document_label", "SELECT, DELETE ON project")
    async with role_with(workshop, *grants) as role:
        await execute_as(
            workshop,
            role,
            "INSERT INTO document_label (document_id, field_id, class_id) VALUES "
            f"({rows['document']['id']}, {rows['field']['id']}, {rows['field_class']['id']})",
            "DELETE FROM project",
        )

    noted = {row["project_id"] for row in await workshop.rows("SELECT * FROM project_removal")}
    assert rows["project"]["id"] in noted


SPY = (
    "CREATE TEMPORARY TABLE project_removal (project_id bigint UNIQUE) ON COMMIT DROP",
    "GRANT ALL ON pg_temp.project_removal TO PUBLIC",
    """
    CREATE FUNCTION pg_temp.spy() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'this runs as %', current_user; END $$
    """,
    """
    CREATE TRIGGER spy BEFORE INSERT ON pg_temp.project_removal
    FOR EACH ROW EXECUTE FUNCTION pg_temp.spy()
    """,
)
"""A role's own table in the place of one of the worker, and code that runs when it is written."""


async def test_who_deletes_a_project_runs_nothing_as_the_owner_of_the_tables(
    workshop: Workshop,
) -> None:
    rows = await bare_rows(workshop)
    async with role_with(workshop, "SELECT, DELETE ON project") as role:
        await execute_as(workshop, role, *SPY, "DELETE FROM project")

    noted = {row["project_id"] for row in await workshop.rows("SELECT * FROM project_removal")}
    assert rows["project"]["id"] in noted


@pytest.mark.parametrize("hidden", ["document", "field"])
async def test_a_temporary_table_hides_no_document_of_another_project(
    workshop: Workshop, hidden: str
) -> None:
    rows, other = await two_projects(workshop)
    async with role_with(workshop, "INSERT ON document_label") as role:
        with pytest.raises(DBAPIError, match=ONE_PROJECT):
            await execute_as(
                workshop,
                role,
                f"CREATE TEMPORARY TABLE {hidden} (id bigint, project_id bigint)",
                f"GRANT ALL ON pg_temp.{hidden} TO PUBLIC",
                "INSERT INTO document_label (document_id, field_id, class_id) "
                f"VALUES ({rows['document']['id']}, {other['field']}, {other['class']})",
            )


async def test_what_acts_for_the_owner_is_no_trigger_of_anybody_elses_table(
    workshop: Workshop,
) -> None:
    functions = await workshop.rows("SELECT proname AS name FROM pg_proc WHERE prosecdef")
    assert len(functions) == 4
    async with role_with(workshop) as role:
        for function in functions:
            with pytest.raises(DBAPIError, match="permission denied for function"):
                await execute_as(
                    workshop,
                    role,
                    "CREATE TEMPORARY TABLE mine (id bigint)",
                    "CREATE TRIGGER mine AFTER DELETE ON mine FOR EACH ROW "
                    f"EXECUTE FUNCTION {function['name']}()",
                )


async def test_what_acts_for_the_owner_finds_tables_in_a_schema_of_any_name(
    empty_database: AsyncEngine,
) -> None:
    async with empty_database.begin() as connection:
        await connection.execute(text('CREATE SCHEMA "It\'s my ""own"""'))
        await connection.execute(
            text(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = %I', "
                "current_database(), 'It''s my \"own\"'); END $$"
            )
        )
    await empty_database.dispose()
    await upgrade(empty_database)

    async with empty_database.begin() as connection:
        await connection.execute(text("INSERT INTO project (name) VALUES ('p')"))
        await connection.execute(text("SET LOCAL search_path = public"))
        await connection.execute(text('DELETE FROM "It\'s my ""own""".project'))
        noted = text('SELECT count(*) FROM "It\'s my ""own""".project_removal')
        assert await connection.scalar(noted) == 1
