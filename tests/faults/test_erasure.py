"""Processes that are killed while documents come, and while documents and projects go."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_worker.config import export_environment
from tests.faults.test_versions import QUICK, WAITING, nobody_writes
from tests.support.corpora import SmallProject, add_document, add_label, make_text
from tests.support.house import House
from tests.support.workers import wait_until

CLI = Path(sys.executable).with_name("lexiclass-worker")
WORD = "quuxzanzib"


def with_secret(house: House) -> tuple[SmallProject, int]:
    """A project, and a document in it that has a word nobody else has."""
    project = house.project(training=4, test=1)

    async def add(session: AsyncSession) -> int:
        content = f"{make_text('animals', 1)} {WORD}"
        document_id = await add_document(session, house.storage, project.project_id, content)
        await add_label(session, project, document_id, "animals", is_training_data=True)
        return document_id

    return project, house.database.run(add)


def files_with_word(house: House) -> set[str]:
    return {
        path.relative_to(house.storage).parts[1]
        for path in house.storage.rglob("*")
        if path.is_file() and WORD.encode() in path.read_bytes()
    }


def files(house: House) -> set[Path]:
    """What projects have; the mark of the storage is nobody's."""
    found = {path for path in house.storage.rglob("*") if path.is_file()}
    return found - {house.storage / layout.owner_file()}


@pytest.mark.slow
# What it is stopped at: the rows of documents, and at the very end those of models.
@pytest.mark.parametrize("table", ["document", "model"])
def test_an_erasure_whose_worker_is_killed_is_done_by_the_next(
    own_house: House, table: str
) -> None:
    project, secret = with_secret(own_house)
    with own_house.worker(QUICK) as group:
        own_house.database.succeeded(
            own_house.send("index_documents", project_id=project.project_id)
        )
        own_house.train(project)
        own_house.database.succeeded(own_house.send_prediction(project, None))
        assert files_with_word(own_house) == {"documents", "indexes", "models"}
        with nobody_writes(own_house, table):
            message_id = own_house.send(
                "erase_documents",
                project_id=project.project_id,
                document_ids=[secret],
                remove_models=table == "document",
            )
            wait_until(lambda: own_house.database.rows(WAITING))
            os.killpg(group.process.pid, signal.SIGKILL)
            group.process.wait(60)
        assert not own_house.document_file(project, secret).exists()
    with own_house.worker(QUICK):
        task = own_house.database.succeeded(message_id)

    assert task["attempts"] == 2
    left = set() if table == "document" else {"models"}
    assert files_with_word(own_house) == left
    histories = (own_house.storage / str(project.project_id) / "predictions").rglob("*.jsonl")
    assert all(f'"document_id": {secret},' not in path.read_text() for path in histories)
    assert own_house.database.rows("SELECT id FROM document WHERE id = :id", id=secret) == []
    assert task["request"]["document_ids"] == []
    own_house.wait_tidy()


@pytest.mark.slow
def test_a_deletion_of_a_project_whose_worker_is_killed_is_done_by_the_next(
    own_house: House,
) -> None:
    project, _ = with_secret(own_house)
    other = own_house.project(training=1, test=0)
    with own_house.worker(QUICK) as group:
        own_house.train(project)
        with nobody_writes(own_house, "document"):
            message_id = own_house.send("delete_project", project_id=project.project_id)
            wait_until(lambda: own_house.database.rows(WAITING))
            os.killpg(group.process.pid, signal.SIGKILL)
            group.process.wait(60)
    with own_house.worker(QUICK):
        task = own_house.database.succeeded(message_id)
        late = own_house.send_training(project)
        error = own_house.database.failed(late)["error"]

    assert (task["attempts"], error["code"]) == (2, "NOT_FOUND")
    assert not (own_house.storage / str(project.project_id)).exists()
    projects = own_house.database.rows("SELECT id FROM project")
    assert projects == [{"id": other.project_id}]
    assert own_house.database.rows("SELECT id FROM project_removal") == []


@pytest.mark.slow
def test_a_project_is_deleted_under_a_training_that_runs(own_house: House) -> None:
    project = own_house.slow_project()
    with own_house.worker(QUICK) as group:
        training = own_house.send_training(project)
        own_house.training_process(project, group)

        task = own_house.database.succeeded(
            own_house.send("delete_project", project_id=project.project_id)
        )

        assert task["result"]["num_tasks"] == 1
        assert own_house.database.task(training) is None
        own_house.wait_settled()
    assert files(own_house) == set()


@pytest.mark.slow
def test_what_a_killed_import_wrote_is_removed_by_the_reconciler(
    own_house: House, tmp_path: Path
) -> None:
    project = own_house.project(training=1, test=0)
    before = files(own_house)
    corpus = tmp_path / "more.csv"
    corpus.write_text("id,text,label\n" + "".join(f"d{n},text {n},a\n" for n in range(50)))
    environment = export_environment(own_house.environment)
    command = [str(CLI), "project", "add", str(project.project_id), str(corpus)]
    with nobody_writes(own_house, "document"):
        adding = subprocess.Popen(command, env=environment)
        wait_until(lambda: own_house.database.rows(WAITING))
        assert len(files(own_house)) > len(before) + 50  # the notes, too
        adding.kill()
        adding.wait(60)
    with own_house.worker(QUICK):
        wait_until(lambda: files(own_house) == before)

    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert len(files(own_house)) == len(before) + 50
