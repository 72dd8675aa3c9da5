"""What the Celery worker had is copied into tables of this release: docs/MIGRATING.md."""

import subprocess
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from tests.support.postgresql_programs import path_with_clients, variables_of

SCRIPT = Path(__file__).parents[2] / "deploy/migration/from-celery.sh"

# As that worker's API made them, without keys and indexes.
OLD_TABLES = """
CREATE SCHEMA celery;
SET search_path TO celery;
CREATE TABLE project (id bigint, name varchar, description varchar, config json, status varchar,
  index_status varchar, model_status varchar, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now());
CREATE TABLE document (id bigint, project_id bigint, content_path varchar, metadata json,
  index_status varchar, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE field (id bigint, project_id bigint, name varchar, description varchar,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE field_class (id bigint, field_id bigint, name varchar,
  created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now());
CREATE TABLE document_label (id bigint, document_id bigint, field_id bigint, class_id bigint,
  is_training_data boolean, created_at timestamptz DEFAULT now(),
  updated_at timestamptz DEFAULT now());
INSERT INTO project VALUES (7, 'news', NULL, NULL, 'ACTIVE'),
  (9, E'tab\\tand \\\\', 'old', '{"a": 1}', 'archived');
INSERT INTO document VALUES (70, 7, '/old/70.txt', NULL, 'NOT_INDEXED'),
  (71, 7, '/old/71.txt', '{"title": "x"}', 'INDEXED');
INSERT INTO field VALUES (5, 7, 'topic', NULL);
INSERT INTO field_class VALUES (11, 5, 'sports'), (12, 5, 'business');
INSERT INTO document_label VALUES (21, 70, 5, 11, true), (22, 71, 5, 12, false);
"""


async def execute(database_uri: str, *statements: str) -> list[asyncpg.Record]:
    url = make_url(database_uri).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        rows: list[asyncpg.Record] = await connection.fetch(statements[-1])
        return rows
    finally:
        await connection.close()


def copy_all(database_uri: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT],
        env={
            **variables_of(database_uri),
            "PATH": path_with_clients(),
            # Two schemas of one database stand for the two databases.
            "OLD": "options=-csearch_path=celery",
            "NEW": "options=-csearch_path=public",
            "OLD_STORAGE": str(folder / "old"),
            "STORAGE": str(folder / "new"),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    for path in ("7/documents/70.txt", "documents/7/71.txt", "7/models/5/v1/model.pkl"):
        (tmp_path / "old" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "old" / path).write_text(path)
    return tmp_path


async def test_everything_but_models_tasks_and_predictions_is_copied_with_its_number(
    database_uri: str, storage: Path
) -> None:
    await execute(database_uri, OLD_TABLES, "SELECT 1")

    done = copy_all(database_uri, storage)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "from-celery: 2 projects, 2 documents, 2 labels\n"
    projects = await execute(
        database_uri,
        "SELECT id, name, description, config, status FROM project ORDER BY id",
    )
    assert [tuple(row) for row in projects] == [
        (7, "news", "", "{}", "active"), (9, "tab\tand \\", "old", '{"a": 1}', "archived"),
    ]  # fmt: skip
    documents = await execute(
        database_uri, "SELECT id, content_path, metadata, index_status FROM document ORDER BY id"
    )
    assert [tuple(row) for row in documents] == [
        (70, None, "{}", "pending"), (71, None, '{"title": "x"}', "pending"),
    ]  # fmt: skip
    labels = await execute(
        database_uri,
        "SELECT document_id, name, is_training_data FROM document_label "
        "JOIN field_class ON field_class.id = class_id ORDER BY document_id",
    )
    assert [tuple(row) for row in labels] == [(70, "sports", True), (71, "business", False)]
    # The next one has a number of its own.
    (added,) = await execute(database_uri, "INSERT INTO project (name) VALUES ('n') RETURNING id")
    assert added["id"] == 10
    files = {path.relative_to(storage / "new") for path in (storage / "new").rglob("*.*")}
    assert files == {Path("7/documents/70.txt"), Path("7/documents/71.txt")}


async def test_what_cannot_be_copied_leaves_nothing_and_a_second_copy_is_refused(
    database_uri: str, storage: Path
) -> None:
    twice = "INSERT INTO celery.field VALUES (6, 7, 'topic', NULL)"
    await execute(database_uri, OLD_TABLES, twice, "SELECT 1")
    done = copy_all(database_uri, storage)
    assert done.returncode != 0
    assert "Key (project_id, name)=(7, topic) already exists" in done.stderr
    assert await execute(database_uri, "SELECT id FROM project") == []

    await execute(database_uri, "DELETE FROM celery.field WHERE id = 6", "SELECT 1")
    assert copy_all(database_uri, storage).returncode == 0
    assert "has projects already" in copy_all(database_uri, storage).stderr
