"""After an erasure nothing is left of what was erased: rows, files, indexes, histories."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass import DocumentIndex
from lexiclass_core.documents import NewDocument, adding
from lexiclass_core.schemas import EraseDocuments
from lexiclass_worker.errors import NotFound
from lexiclass_worker.execution.outcome import Snooze, TaskFailed
from lexiclass_worker.execution.removal import remove_deleted_projects
from lexiclass_worker.repositories import project_removal
from lexiclass_worker.repositories.erasure import forget_documents
from lexiclass_worker.repositories.traces import without_documents
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.services.erasure import erase_documents
from tests.support.corpora import SmallProject, add_document, add_label, make_text
from tests.support.deliveries import come_due, deliver, delivery, task_row
from tests.support.services import Workshop

WORD = "quuxzanzib"


async def with_secrets(workshop: Workshop) -> tuple[SmallProject, list[int]]:
    """A project, and two documents in it that have a word nobody else has."""
    project = await workshop.project(labels=("animals", "vehicles"), training=6, test=2)
    secrets = []
    async with workshop.sessions.begin() as session:
        for number, is_training in ((1, True), (2, False)):
            content = f"{make_text('animals', number)} {WORD}"
            document_id = await add_document(session, workshop.path, project.project_id, content)
            await add_label(session, project, document_id, "animals", is_training_data=is_training)
            secrets.append(document_id)
    return project, secrets


def with_word(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and WORD.encode() in path.read_bytes()
    }


def histories(folder: Path) -> list[int]:
    return [
        json.loads(line)["document_id"]
        for path in sorted((folder / "predictions").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


async def rows_that_name(workshop: Workshop, document_id: int) -> list[str]:
    found = await workshop.rows(
        "SELECT 'document' AS t FROM document WHERE id = :id "
        "UNION ALL SELECT 'label' FROM document_label WHERE document_id = :id "
        "UNION ALL SELECT 'prediction' FROM prediction WHERE document_id = :id "
        "UNION ALL SELECT 'errors' FROM model WHERE :id = ANY(test_errors)",
        id=document_id,
    )
    return [row["t"] for row in found]


async def worked_with(workshop: Workshop, project: SmallProject) -> None:
    await workshop.index(project)
    await workshop.train(project)
    await workshop.evaluate(project)
    await workshop.predict(project)
    await workshop.predict(project, document_ids=project.document_ids)
    await workshop.execute("UPDATE model SET test_errors = :ids", ids=project.document_ids)


async def test_nothing_is_left_of_documents_but_in_models_that_are_named(
    workshop: Workshop,
) -> None:
    project, secrets = await with_secrets(workshop)
    folder = workshop.path / str(project.project_id)
    await worked_with(workshop, project)
    assert len(with_word(folder)) >= 4

    result = await workshop.erase(project, *secrets)

    assert {name.partition("/")[0] for name in with_word(folder)} == {"models"}
    assert (result.num_documents, result.num_indexes, result.num_predictions) == (2, 1, 4)
    assert [version.model_dump() for version in result.model_versions] == [
        {"field_id": project.field_id, "version": 1}
    ]
    assert not result.models_removed
    assert not set(histories(folder)) & set(secrets)
    assert len(histories(folder)) == 2 * (len(project.document_ids) - 2)
    for secret in secrets:
        assert await rows_that_name(workshop, secret) == []
        assert not workshop.document(project, secret).exists()
    # What is left is as it was.
    index = DocumentIndex.open(folder / "indexes" / "icu-en")
    index.verify()
    assert set(index.ids.tolist()) == set(project.document_ids) - set(secrets)
    indexed = await workshop.index(project)
    assert (indexed.unchanged, indexed.num_documents) == (16, 16)


@pytest.mark.slow
async def test_models_go_as_well_if_that_is_asked(workshop: Workshop) -> None:
    project, secrets = await with_secrets(workshop)
    folder = workshop.path / str(project.project_id)
    await worked_with(workshop, project)

    result = await workshop.erase(project, *secrets, remove_models=True)

    assert result.models_removed
    assert with_word(folder) == set()
    assert not workshop.model(project).exists()
    assert (await workshop.train(project)).model_version == 2
    assert with_word(folder) == set()
    again = await workshop.erase(project, *secrets)
    assert (again.num_documents, again.num_predictions) == (0, 0)


@pytest.mark.slow
async def test_models_of_before_the_documents_came_are_none_of_theirs(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=1)
    await workshop.train(project)
    async with adding(workshop.sessions.begin, workshop.storage, project.project_id) as addition:
        (document_id,) = await addition.add([NewDocument(text=WORD, external_id="a")])

    result = await workshop.erase(project, document_id, remove_models=True)

    assert (result.num_documents, result.model_versions) == (1, [])
    assert workshop.model(project).exists()


async def test_texts_at_other_places_go_and_nothing_outside_does(workshop: Workshop) -> None:
    project, other = await workshop.project(training=2, test=0), await workshop.project()
    ids = project.document_ids
    folder = workshop.path / str(project.project_id)
    (folder / "mine").mkdir()
    (folder / "mine" / "a.txt").write_text("text")
    stray = folder / "incoming" / "key" / "².txt"
    stray.parent.mkdir(parents=True)
    stray.write_text("text")
    (folder / "link").symlink_to(workshop.path / str(other.project_id) / "documents")
    foreign = workshop.document(other, other.document_ids[0])
    paths = {
        ids[0]: "mine/a.txt",
        ids[1]: f"{other.project_id}/documents/{foreign.name}",
        ids[2]: f"../{other.project_id}/documents/{foreign.name}",
        ids[3]: f"link/{foreign.name}",
    }
    for document_id, path in paths.items():
        await workshop.execute(
            "UPDATE document SET content_path = :p WHERE id = :id", p=path, id=document_id
        )

    result = await workshop.erase(project, *ids, *other.document_ids)

    assert result.num_documents == len(ids)
    assert not (folder / "mine" / "a.txt").exists()
    assert stray.exists()
    assert foreign.exists()
    assert len(list((folder / "documents").iterdir())) == 0
    rows = await workshop.rows("SELECT id FROM document")
    assert len(rows) == len(other.document_ids)


async def test_a_project_without_a_document_has_no_index(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    await workshop.index(project)

    result = await workshop.erase(project, *project.document_ids)

    assert result.num_indexes == 1
    assert not list((workshop.path / str(project.project_id) / "indexes").iterdir())
    row = await workshop.row("SELECT index_status FROM project")
    assert row["index_status"] == "pending"


@pytest.mark.slow
async def test_a_damaged_index_is_removed(workshop: Workshop) -> None:
    project, secrets = await with_secrets(workshop)
    await workshop.index(project)
    indexes = workshop.path / str(project.project_id) / "indexes"
    next(indexes.rglob("terms-*")).write_bytes(WORD.encode())
    (indexes / "foreign").mkdir()
    (indexes / "foreign" / "index.json").write_text(WORD)

    await workshop.erase(project, *secrets)

    assert with_word(workshop.path / str(project.project_id)) == set()
    assert (await workshop.index(project)).num_documents == 16


class _Killed(BaseException):
    """Stands for the end of a worker."""


STEPS = [
    "sandbox",
    *(
        pytest.param(step, marks=pytest.mark.slow)
        for step in ("remove", "filter_lines", "forget_documents")
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
async def test_an_erasure_that_is_killed_is_finished_by_the_next_run(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    project, secrets = await with_secrets(workshop)
    folder = workshop.path / str(project.project_id)
    await worked_with(workshop, project)

    def kill(*_: Any, **__: Any) -> Any:
        raise _Killed

    with monkeypatch.context() as patched:
        match step:
            case "sandbox":
                patched.setattr(Sandbox, "run", kill)
            case "forget_documents":
                patched.setattr("lexiclass_worker.repositories.erasure.forget_documents", kill)
            case _:
                patched.setattr(workshop.storage, step, kill)
        with pytest.raises(_Killed):
            await workshop.erase(project, *secrets)

    result = await workshop.erase(project, *secrets)

    assert {name.partition("/")[0] for name in with_word(folder)} == {"models"}
    assert not set(histories(folder)) & set(secrets)
    assert [version.version for version in result.model_versions] == [1]
    for secret in secrets:
        assert await rows_that_name(workshop, secret) == []


@pytest.mark.slow
@pytest.mark.parametrize("remove_models", [True, False])
async def test_after_a_kill_the_models_since_the_first_of_the_documents_are_known(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, *, remove_models: bool
) -> None:
    project = await workshop.project(training=2, test=1)
    await workshop.train(project)
    async with adding(workshop.sessions.begin, workshop.storage, project.project_id) as addition:
        (first,) = await addition.add([NewDocument(text=WORD, external_id="a")])
    await workshop.train(project)
    async with adding(workshop.sessions.begin, workshop.storage, project.project_id) as addition:
        (second,) = await addition.add([NewDocument(text=WORD, external_id="b")])
    await workshop.train(project)

    def kill(*_: Any, **__: Any) -> Any:
        raise _Killed

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "run", kill)
        with pytest.raises(_Killed):
            await workshop.erase(project, first, remove_models=remove_models)
    assert await rows_that_name(workshop, first) == []

    result = await workshop.erase(project, first, second, remove_models=remove_models)

    assert [version.version for version in result.model_versions] == [2, 3]
    assert (result.num_documents, result.models_removed) == (2, remove_models)
    left = [version for version in (1, 2, 3) if workshop.model(project, version).exists()]
    assert left == ([1] if remove_models else [1, 2, 3])
    assert not list((workshop.path / str(project.project_id)).rglob("erasures/*"))


@pytest.mark.slow
async def test_a_number_that_is_no_document_removes_no_model(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=1)
    await workshop.train(project)

    result = await workshop.erase(project, 4711, remove_models=True)

    assert (result.num_documents, result.model_versions) == (0, [])
    row = await workshop.row("SELECT status, files_removed_at FROM model")
    assert row == {"status": "ready", "files_removed_at": None}
    assert workshop.model(project).exists()


@pytest.mark.slow
async def test_it_waits_for_a_prediction_that_had_read_the_documents(
    workshop: Workshop,
) -> None:
    project, secrets = await with_secrets(workshop)
    await worked_with(workshop, project)
    running = await workshop.row(
        "INSERT INTO task (project_id, message_id, type, status, started_at, lease_expires_at) "
        "VALUES (:p, 'running', 'predict_field_documents', 'started', now(), "
        "now() + interval '1 hour') RETURNING id",
        p=project.project_id,
    )
    context = workshop.context()
    erasing = asyncio.create_task(workshop.erase(project, *secrets, context=context))
    async with asyncio.timeout(60):
        while context.progress.stage != "wait":
            await asyncio.sleep(0.01)
    # It writes its history now, of documents that it has read before.
    late = workshop.history(project, "running")
    late.write_text("".join(f'{{"document_id": {key}, "a": 1}}\n' for key in project.document_ids))
    assert not erasing.done()
    await workshop.execute("UPDATE task SET status = 'succeeded' WHERE id = :id", id=running["id"])

    await erasing

    assert not set(histories(workshop.path / str(project.project_id))) & set(secrets)


RUNNING = (
    "INSERT INTO task (project_id, message_id, type, status, started_at, lease_expires_at) VALUES "
    "(:p, :id, 'train_field_model', 'started', clock_timestamp(), now() + interval '1 hour')"
)
ENDED = "UPDATE task SET status = 'succeeded' WHERE message_id = :id"


@pytest.mark.slow
async def test_one_that_waits_for_a_training_keeps_no_thread_and_does_its_work_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, secrets = await with_secrets(workshop)
    await worked_with(workshop, project)
    await workshop.execute(RUNNING, p=project.project_id, id="long")
    message = delivery(project_id=project.project_id, document_ids=secrets)

    with pytest.raises(Snooze, match="have to end first"):
        await deliver(workshop, erase_documents, message, schema=EraseDocuments)

    waiting = await task_row(workshop, message)
    assert (waiting["status"], waiting["stage"], waiting["attempts"]) == ("pending", "wait", 0)
    assert (waiting["lease_owner"], waiting["crashes"], waiting["error"]) == (None, 0, None)
    assert await workshop.rows("SELECT 1 FROM document WHERE id = ANY(:ids)", ids=secrets) == []
    # It comes back, and waits on, but not for what has begun since; only the wait is left to do.
    await workshop.execute(RUNNING, p=project.project_id, id="later")
    await come_due(workshop, message.message_id)
    with monkeypatch.context() as patched:
        patched.delattr(Sandbox, "run")
        with pytest.raises(Snooze, match="have to end first"):
            await deliver(workshop, erase_documents, message, schema=EraseDocuments)
    await workshop.execute(ENDED, id="long")
    await come_due(workshop, message.message_id)

    result = await deliver(workshop, erase_documents, message, schema=EraseDocuments)

    assert (result["num_documents"], result["num_indexes"], result["num_predictions"]) == (2, 1, 4)
    row = await task_row(workshop, message)
    assert (row["status"], row["attempts"]) == ("succeeded", 1)
    assert row["started_at"] == waiting["started_at"]
    for secret in secrets:
        assert await rows_that_name(workshop, secret) == []
    assert not list((workshop.path / str(project.project_id)).rglob("erasures/*"))


@pytest.mark.slow
async def test_one_that_waits_can_be_cancelled(workshop: Workshop) -> None:
    project = await workshop.project(training=2, test=0)
    await workshop.execute(RUNNING, p=project.project_id, id="long")
    message = delivery(project_id=project.project_id, document_ids=project.document_ids)
    with pytest.raises(Snooze, match="have to end first"):
        await deliver(workshop, erase_documents, message, schema=EraseDocuments)
    await workshop.execute(
        "UPDATE task SET cancel_requested_at = now() WHERE message_id = :id", id=message.message_id
    )

    with pytest.raises(TaskFailed, match="CANCELLED"):
        await deliver(workshop, erase_documents, message, schema=EraseDocuments)

    assert (await task_row(workshop, message))["status"] == "cancelled"


async def test_what_tasks_say_of_documents_is_taken_out_of_their_rows(workshop: Workshop) -> None:
    project, (first, second) = await with_secrets(workshop)
    said = {
        "request": {"project_id": project.project_id, "document_ids": [first, 7, second]},
        "result": {"missing_document_ids": [second], "skipped": [
            {"document_id": first, "reason": "empty"}, {"document_id": 7, "reason": "empty"},
        ]},
        "error": {"code": "CRASHED", "details": {"documents": [first], "document_id": second}},
    }  # fmt: skip
    await workshop.execute(
        "INSERT INTO task (project_id, message_id, type, status, request, result, error) VALUES "
        "(:p, 'm', 'predict_field_documents', 'failed', CAST(:q AS jsonb), CAST(:r AS jsonb), "
        "CAST(:e AS jsonb))",
        p=project.project_id,
        q=json.dumps(said["request"]),
        r=json.dumps(said["result"]),
        e=json.dumps(said["error"]),
    )

    await workshop.erase(project, first, second)

    row = await workshop.row("SELECT request, result, error, status FROM task")
    assert row == {
        "request": {"project_id": project.project_id, "document_ids": [7]},
        "result": {
            "missing_document_ids": [], "skipped": [{"document_id": 7, "reason": "empty"}],
        },
        "error": {"code": "CRASHED", "details": {"documents": []}},
        "status": "failed",
    }  # fmt: skip


async def test_a_task_that_ends_while_its_row_is_rewritten_keeps_its_result(
    workshop: Workshop,
) -> None:
    project, (first, _) = await with_secrets(workshop)
    task = await workshop.row(
        "INSERT INTO task (project_id, message_id, type, status, request) VALUES "
        "(:p, 'm', 'train_field_model', 'started', CAST(:q AS jsonb)) RETURNING id",
        p=project.project_id,
        q=json.dumps({"document_ids": [first, 7]}),
    )

    async def forget() -> None:
        async with workshop.sessions.begin() as session:
            await forget_documents(session, project.project_id, {first})

    async with workshop.sessions.begin() as ending:
        await ending.execute(
            text("UPDATE task SET status = 'succeeded', result = CAST(:r AS jsonb) WHERE id = :id"),
            {"id": task["id"], "r": json.dumps({"document_id": first, "model_version": 3})},
        )
        forgetting = asyncio.create_task(forget())
        await workshop.until_there_is(
            "SELECT pid FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    await forgetting

    row = await workshop.row("SELECT request, result, error FROM task")
    assert row == {
        "request": {"document_ids": [7]}, "result": {"model_version": 3}, "error": None,
    }  # fmt: skip


async def test_a_delivered_erasure_names_no_document_in_its_own_row(workshop: Workshop) -> None:
    project, secrets = await with_secrets(workshop)
    kwargs: dict[str, Any] = {"project_id": project.project_id, "document_ids": secrets}

    result = await deliver(workshop, erase_documents, delivery(**kwargs), schema=EraseDocuments)

    assert result["num_documents"] == 2
    row = await workshop.row("SELECT request, result, status FROM task")
    assert row == {
        "request": {"project_id": project.project_id, "document_ids": []},
        "result": result,
        "status": "succeeded",
    }


def test_other_numbers_are_no_documents() -> None:
    value = {"version": 3, "counts": [3, 4], "matrix": [[3]], "document_ids": [3, 4, True]}
    assert without_documents(value, {3, 1}) == {**value, "document_ids": [4, True]}


async def test_a_project_goes_with_all_it_has(workshop: Workshop) -> None:
    project, other = (await with_secrets(workshop))[0], await workshop.project(training=1, test=0)
    await worked_with(workshop, project)
    await workshop.execute(
        "INSERT INTO task (project_id, message_id, type, status) VALUES "
        "(:p, 'done', 'index_documents', 'succeeded'), (:p, 'waits', 'index_documents', 'pending')",
        p=project.project_id,
    )

    result = await workshop.delete(project)

    assert (result.num_documents, result.num_tasks) == (18, 2)
    assert {path.name for path in workshop.path.iterdir()} <= {str(other.project_id), ".scratch"}
    for table in ("project", "field"):
        assert len(await workshop.rows(f"SELECT id FROM {table}")) == 1
    for table in ("model", "model_event", "prediction", "task", "project_removal"):
        assert await workshop.rows(f"SELECT id FROM {table}") == []
    with pytest.raises(NotFound, match="does not exist, and it has no files"):
        await workshop.delete(project)


async def test_the_documents_of_a_project_go_bit_by_bit(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, other = await workshop.project(), await workshop.project(training=1, test=0)
    left: list[int] = []
    delete_some = project_removal.delete_some_documents

    async def count(session: AsyncSession, project_id: int, *, most: int) -> int:
        # What others see: each bit is committed.
        left.append(len(await workshop.rows("SELECT id FROM document WHERE project_id = :p",
                                            p=project_id)))  # fmt: skip
        return await delete_some(session, project_id, most=most)

    monkeypatch.setattr(project_removal, "delete_some_documents", count)
    monkeypatch.setattr("lexiclass_worker.services.project_deletion._TOGETHER", 10)

    result = await workshop.delete(project)

    number = len(project.document_ids)
    assert number > 10
    assert result.num_documents == number
    assert left == [*range(number, 0, -10), 0]
    assert len(await workshop.rows("SELECT id FROM document")) == len(other.document_ids)


async def test_tasks_that_run_are_ended_first(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    running = await workshop.row(
        "INSERT INTO task (project_id, message_id, type, status, lease_expires_at) VALUES "
        "(:p, 'running', 'train_field_model', 'started', now() + interval '1 hour') RETURNING id",
        p=project.project_id,
    )
    deleting = asyncio.create_task(workshop.delete(project))
    await workshop.until_there_is("SELECT id FROM task WHERE cancel_requested_at IS NOT NULL")
    assert await workshop.rows("SELECT id FROM project")
    # What its worker says within a second or two.
    await workshop.execute("UPDATE task SET status = 'cancelled' WHERE id = :id", id=running["id"])

    assert (await deleting).num_tasks == 1
    assert await workshop.rows("SELECT id FROM project") == []


@pytest.mark.slow_variants
@pytest.mark.parametrize("by_sql", [pytest.param(False, marks=pytest.mark.slow), True])
async def test_a_deletion_that_was_killed_or_left_to_sql_is_finished_by_the_reconciler(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, *, by_sql: bool
) -> None:
    project = (await with_secrets(workshop))[0]
    await worked_with(workshop, project)
    folder = workshop.path / str(project.project_id)
    await workshop.execute(
        "INSERT INTO task (project_id, message_id, type, status) "
        "VALUES (:p, 'done', 'index_documents', 'succeeded')",
        p=project.project_id,
    )
    if by_sql:
        await workshop.execute("DELETE FROM project")
    else:
        with monkeypatch.context() as patched:
            patched.setattr(workshop.storage, "remove", lambda _: (_ for _ in ()).throw(_Killed()))
            with pytest.raises(_Killed):
                await workshop.delete(project)
    assert folder.is_dir()

    would = await remove_deleted_projects(workshop.sessions, workshop.storage, is_dry_run=True)
    assert folder.is_dir()
    removed = await remove_deleted_projects(workshop.sessions, workshop.storage)

    assert would == removed == [str(folder)]
    assert not folder.exists()
    assert await workshop.rows("SELECT id FROM task UNION ALL SELECT id FROM project_removal") == []
    assert await remove_deleted_projects(workshop.sessions, workshop.storage) == []


async def test_files_of_a_project_that_was_never_here_are_left_alone(workshop: Workshop) -> None:
    """Another database's: the storage may be set wrongly, or shared by mistake."""
    stranger = workshop.path / "4711" / "documents" / "1.txt"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("of another database")

    assert await remove_deleted_projects(workshop.sessions, workshop.storage) == []

    assert stranger.exists()


async def test_a_project_that_is_there_again_keeps_its_files(workshop: Workshop) -> None:
    project = await workshop.project(training=1, test=0)
    await workshop.execute("DELETE FROM project")
    await workshop.execute(
        "INSERT INTO project (id, name) VALUES (:id, 'restored')", id=project.project_id
    )

    assert await remove_deleted_projects(workshop.sessions, workshop.storage) == []

    assert workshop.document(project, project.document_ids[0]).exists()


async def test_what_is_not_there_is_not_erased(workshop: Workshop) -> None:
    with pytest.raises(NotFound, match="project 99 does not exist"):
        await workshop.erase(SmallProject(99, 1, {}), 1)
    kwargs: dict[str, Any] = {"project_id": 99, "document_ids": []}
    with pytest.raises(TaskFailed, match="document_ids"):
        await deliver(workshop, erase_documents, delivery(**kwargs), schema=EraseDocuments)
