"""Workers driven as another program drives them: raw messages, SQL and files only."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lexiclass_core.db import create_engine, create_session_factory
from tests.support.corpora import SmallProject, create_project
from tests.support.workers import RawSender, running_worker, wait_until


class Database:
    """SQL as another program would write it."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def row(self, statement: str, **values: Any) -> Any:
        async def run() -> Any:
            engine = create_engine(self._uri)
            try:
                async with engine.begin() as connection:
                    return (await connection.execute(text(statement), values)).mappings().first()
            finally:
                await engine.dispose()

        return asyncio.run(run())

    def task(self, message_id: str) -> Any:
        return self.row("SELECT * FROM task WHERE message_id = :id", id=message_id)

    def finished(self, message_id: str) -> Any:
        final = ("succeeded", "failed", "cancelled")

        def look() -> Any:
            task = self.task(message_id)
            return task if task is not None and task["status"] in final else None

        return wait_until(look)


@pytest.fixture
def database(database_uri: str) -> Database:
    return Database(database_uri)


@pytest.fixture
def project(database_uri: str, storage_path: Path) -> SmallProject:
    async def create() -> SmallProject:
        engine = create_engine(database_uri)
        async with create_session_factory(engine).begin() as session:
            project = await create_project(session, storage_path)
        await engine.dispose()
        return project

    return asyncio.run(create())


@pytest.fixture
def sender(broker_url: str) -> Iterator[RawSender]:
    sender = RawSender(broker_url)
    yield sender
    sender.close()


def test_the_whole_way_of_a_project(
    environment: dict[str, str],
    tmp_path: Path,
    storage_path: Path,
    database: Database,
    project: SmallProject,
    sender: RawSender,
) -> None:
    project_id, field_id = project.project_id, project.field_id
    with running_worker(environment, tmp_path / "worker.log"):
        indexed = database.finished(sender.send("index_documents", project_id=project_id))
        assert indexed["status"] == "succeeded", indexed["error"]
        assert indexed["result"]["num_documents"] == 48
        assert Path(indexed["result"]["index_path"]).is_dir()

        trained = database.finished(
            sender.send(
                "train_field_model",
                field_id=field_id,
                project_id=project_id,
                feature_extractor="tfidf",
                classifier="svm",
            )
        )
        assert trained["status"] == "succeeded", trained["error"]
        model = database.row("SELECT * FROM model WHERE field_id = :id", id=field_id)
        assert (model["version"], model["status"]) == (1, "ready")
        directory = storage_path / str(project_id) / "models" / str(field_id) / "v1"
        assert json.loads((directory / "manifest.json").read_bytes())

        evaluated = database.finished(
            sender.send("evaluate_field_model", field_id=field_id, project_id=project_id)
        )
        assert evaluated["status"] == "succeeded", evaluated["error"]
        assert evaluated["result"]["metrics"]["accuracy"] > 0.9

        message_id = sender.send(
            "predict_field_documents",
            field_id=field_id,
            project_id=project_id,
            document_ids=project.test_ids,
        )
        predicted = database.finished(message_id)
        assert predicted["status"] == "succeeded", predicted["error"]
        assert predicted["result"]["predictions_created"] == len(project.test_ids)
        history = storage_path / str(project_id) / "predictions" / str(field_id) / "v1"
        lines = (history / f"{message_id}.jsonl").read_text().splitlines()
        assert [json.loads(line)["document_id"] for line in lines] == project.test_ids
