"""Freeing the storage of old versions, and keeping what is in use."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from lexiclass_core import layout, versions
from lexiclass_core.versions import Author, ChangeRefused
from lexiclass_worker.admin.pruning import Verdict, plan_pruning, prune
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.errors import NoReadyModel
from lexiclass_worker.execution.reconciler import Reconciler
from lexiclass_worker.setting_groups import ReconcilerSettings
from tests.support.corpora import SmallProject
from tests.support.reconciling import reconciling
from tests.support.services import Workshop

ANNA = Author("anna", "room is needed")


@pytest.fixture
async def reconciler(workshop: Workshop, broker_url: str) -> AsyncIterator[Reconciler]:
    settings = ReconcilerSettings(interval_s=3600, orphan_age_s=3600)
    with reconciling(workshop, broker_url, settings) as reconciler:
        yield reconciler


@pytest.fixture(params=["disk", "object store"])
def storage(request: pytest.FixtureRequest, workshop: Workshop) -> Storage:
    """The same files as a directory, or as an object store."""
    if request.param == "disk":
        return LocalStorage(workshop.path)
    return ObjectStorage(f"file://{workshop.path}")


async def project_with(workshop: Workshop, *statuses: str) -> SmallProject:
    """A project whose versions 1, 2, ... have these statuses, and files of 1000 bytes each."""
    project = await workshop.project(labels=(), training=0, test=0)
    for version, status in enumerate(statuses, start=1):
        await workshop.execute(
            "INSERT INTO model (field_id, version, status, retired_at, message_id) "
            "VALUES (:f, :v, :s, CASE WHEN :r THEN now() END, 'message ' || :m)",
            f=project.field_id,
            v=version,
            s="ready" if status == "retired" else status,
            r=status == "retired",
            m=f"{project.field_id}.{version}",
        )
        folder = workshop.model(project, version)
        (folder / "classifier").mkdir(parents=True)
        (folder / "manifest.json").write_bytes(b"x" * 400)
        (folder / "classifier" / "planes").write_bytes(b"x" * 600)
    return project


async def add_task(
    workshop: Workshop, project: SmallProject, status: str, version: int | None, **values: Any
) -> int:
    request = {"project_id": project.project_id, "field_id": project.field_id}
    row = await workshop.row(
        "INSERT INTO task (message_id, type, status, request, started_at) VALUES "
        "(:m, :t, :s, CAST(:r AS jsonb), CASE WHEN :s = 'started' THEN clock_timestamp() END) "
        "RETURNING id",
        m=values.get("message_id", f"task {status} {version}"),
        t=values.get("type", "predict_field_documents"),
        s=status,
        r=json.dumps({**request, "model_version": version}),
    )
    return int(row["id"])


def files(workshop: Workshop, project: SmallProject) -> set[int]:
    """The versions that have files."""
    return {v for v in range(1, 10) if workshop.model(project, v).exists()}


def outcomes(verdicts: list[Verdict]) -> dict[int, tuple[str, str]]:
    return {verdict.version: (verdict.outcome, verdict.reason) for verdict in verdicts}


async def test_what_failed_or_was_retired_goes_and_the_rest_stays(
    workshop: Workshop, storage: Storage
) -> None:
    project = await project_with(workshop, "failed", "retired", "ready", "ready", "training")
    report = workshop.path / layout.report_directory(
        project.project_id, project.field_id, 2, "d" * 64
    )
    report.mkdir(parents=True)
    (report / "report.json").write_bytes(b"x" * 50)
    plan = await plan_pruning(workshop.admin(storage), project.field_id)
    assert files(workshop, project) == {1, 2, 3, 4, 5}

    done = await prune(workshop.admin(storage), project.field_id, ANNA)

    assert outcomes(done) == {
        5: ("keep", "in training"),
        4: ("keep", "serves"),
        3: ("keep", "ready"),
        2: ("removed", "retired"),
        1: ("removed", "failed"),
    }
    assert [(v.version, v.size_bytes) for v in plan if v.outcome == "remove"] == [
        (2, 1050), (1, 1000),
    ]  # fmt: skip
    assert files(workshop, project) == {3, 4, 5}
    rows = await workshop.rows("SELECT * FROM model ORDER BY version")
    assert [row["files_removed_at"] is not None for row in rows] == [True, True] + [False] * 3
    assert [row["status"] for row in rows] == ["failed", "ready", "ready", "ready", "training"]
    # Nothing is left to do.
    again = await prune(workshop.admin(storage), project.field_id, ANNA)
    assert {verdict.outcome for verdict in again} == {"keep"}
    assert len(await workshop.rows("SELECT * FROM model_event WHERE action = 'pruned'")) == 2


@pytest.mark.parametrize(
    ("keep", "left"), [(None, {1, 2, 3, 4}), (2, {1, 3, 4}), (1, {1, 4}), (0, {1})]
)
async def test_the_newest_are_kept_and_always_the_promoted_one(
    workshop: Workshop, keep: int | None, left: set[int]
) -> None:
    project = await project_with(workshop, *["ready"] * 4)
    async with workshop.sessions.begin() as session:
        await versions.promote(session, project.field_id, 1, ANNA)

    await prune(workshop.admin(), project.field_id, ANNA, keep=keep)

    assert files(workshop, project) == left
    async with workshop.sessions() as session:
        serving = await versions.serving_version(session, project.field_id)
        events = await versions.history(session, project.field_id)
    assert serving is not None
    assert serving.version == 1
    pruned = {event.version for event in events if event.action == "pruned"}
    assert pruned == {1, 2, 3, 4} - left
    assert {(event.done_by, event.reason) for event in events} == {("anna", "room is needed")}


async def test_the_version_that_serves_is_kept_where_none_is_promoted(workshop: Workshop) -> None:
    project = await project_with(workshop, "ready", "ready", "retired")

    await prune(workshop.admin(), project.field_id, ANNA, keep=0)

    assert files(workshop, project) == {2}


async def test_what_open_tasks_name_or_train_is_kept(workshop: Workshop) -> None:
    project = await project_with(workshop, "ready", "ready", "failed", "ready", "ready")
    other = await project_with(workshop, "ready", "ready")
    named = await add_task(workshop, project, "pending", 1)
    training = await add_task(
        workshop,
        project,
        "retrying",
        None,
        type="train_field_model",
        message_id=f"message {project.field_id}.3",
    )
    await add_task(workshop, project, "succeeded", 2)
    await add_task(workshop, other, "pending", 4)

    done = await prune(workshop.admin(), project.field_id, ANNA, keep=1)

    assert files(workshop, project) == {1, 3, 5}
    assert outcomes(done)[1] == ("keep", f"needed by task {named}")
    assert outcomes(done)[3] == ("keep", f"needed by task {training}")


@pytest.mark.parametrize("asked", [None, 1])
async def test_files_that_a_running_task_may_read_stay_until_it_has_ended(
    workshop: Workshop, reconciler: Reconciler, asked: int | None
) -> None:
    project = await project_with(workshop, "retired", "ready")
    task_id = await add_task(workshop, project, "started", asked)
    await add_task(workshop, project, "started", 2)

    done = await prune(workshop.admin(), project.field_id, ANNA)
    # One that starts now finds the version pruned.
    await add_task(workshop, project, "started", None, message_id="later")

    assert outcomes(done)[1] == ("waits", f"for task {task_id} to end, then removed")
    assert files(workshop, project) == {1, 2}
    assert (await reconciler.run()).removed == []
    assert files(workshop, project) == {1, 2}
    with pytest.raises(NoReadyModel, match=r"was pruned on .* files removed"):
        await workshop.predict(project, model_version=1)

    await workshop.execute("UPDATE task SET status = 'failed' WHERE id = :id", id=task_id)
    removed = [str(workshop.model(project, 1))]
    assert (await reconciler.run(is_dry_run=True)).removed == removed
    assert files(workshop, project) == {1, 2}
    assert (await reconciler.run()).removed == removed
    assert files(workshop, project) == {2}
    assert (await reconciler.run()).removed == []


class Failing(LocalStorage):
    """Fails in the middle of a removal, as a disk does that goes away."""

    def remove(self, path: PurePosixPath) -> None:
        next(Path(self.locate(path)).rglob("planes")).unlink()
        raise OSError(5, "Input/output error")


async def test_a_removal_that_failed_is_finished_by_the_next(workshop: Workshop) -> None:
    project = await project_with(workshop, "retired", "ready")
    with pytest.raises(OSError, match="Input/output"):
        await prune(workshop.admin(Failing(workshop.path)), project.field_id, ANNA)
    assert files(workshop, project) == {1, 2}
    assert (await workshop.row("SELECT files_removed_at FROM model WHERE version = 1")) == {
        "files_removed_at": None
    }

    done = await prune(workshop.admin(), project.field_id, ANNA)

    assert outcomes(done)[1] == ("removed", "pruned before, its files are still there")
    assert files(workshop, project) == {2}
    assert len(await workshop.rows("SELECT * FROM model_event WHERE action = 'pruned'")) == 1


class Refusing(LocalStorage):
    """Refuses to remove the first version, as a file does that somebody has made immutable."""

    def remove(self, path: PurePosixPath) -> None:
        if path.name.endswith("1"):
            raise OSError(1, "Operation not permitted")
        super().remove(path)


async def test_a_version_that_cannot_be_removed_keeps_no_other(
    workshop: Workshop, reconciler: Reconciler
) -> None:
    project = await project_with(workshop, "retired", "retired", "ready", "failed")
    refusing = Refusing(workshop.path)
    with pytest.raises(OSError, match="not permitted"):
        await prune(workshop.admin(refusing), project.field_id, ANNA)
    assert files(workshop, project) == {1, 3}

    other = await project_with(workshop, "failed", "failed", "ready")
    at_once = ReconcilerSettings(interval_s=3600, orphan_age_s=0)
    with pytest.raises(OSError, match="not permitted"):
        await replace(reconciler, storage=refusing, settings=at_once).run()
    assert files(workshop, other) == {1, 3}


async def test_two_that_prune_at_once_and_the_reconciler_do_it_once(
    workshop: Workshop, reconciler: Reconciler
) -> None:
    project = await project_with(workshop, *["retired"] * 4, "ready")

    await asyncio.gather(
        prune(workshop.admin(), project.field_id, ANNA),
        prune(workshop.admin(), project.field_id, Author("ben")),
        reconciler.run(),
    )
    await reconciler.run()

    assert files(workshop, project) == {5}
    events = await workshop.rows("SELECT version FROM model_event WHERE action = 'pruned'")
    assert sorted(event["version"] for event in events) == [1, 2, 3, 4]


async def test_what_is_pruned_stays_explained_and_never_comes_back(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=1)
    await workshop.train(project)
    await workshop.predict(project, message_id="p")
    await workshop.train(project)

    await prune(workshop.admin(), project.field_id, ANNA, keep=1)

    assert files(workshop, project) == {2}
    # Its predictions say version 1: what that was, and where they come from, is known still.
    row = await workshop.row("SELECT * FROM model WHERE version = 1")
    assert row["manifest"]["training_digest"]
    assert row["metrics"]["num_documents"] == 12
    assert {r["model_version"] for r in await workshop.rows("SELECT * FROM prediction")} == {1}
    assert workshop.history(project, "p").is_file()
    async with workshop.sessions() as session:
        actions = [e.action for e in await versions.history(session, project.field_id, version=1)]
    assert actions == ["pruned", "retired", "trained"]
    for change in (versions.promote, versions.reinstate):
        async with workshop.sessions() as session:
            with pytest.raises(ChangeRefused, match=r"was pruned on"):
                await change(session, project.field_id, 1, ANNA)
    assert (await workshop.predict(project)).model_version == 2


async def test_a_failed_version_that_was_pruned_can_be_trained_by_its_message(
    workshop: Workshop, reconciler: Reconciler
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.execute(
        "INSERT INTO model (field_id, version, status, message_id) VALUES (:f, 1, 'failed', 'm')",
        f=project.field_id,
    )
    await prune(workshop.admin(), project.field_id, ANNA)

    assert (await workshop.train(project, message_id="m")).model_version == 1
    await reconciler.run()

    assert files(workshop, project) == {1}
    assert (await workshop.predict(project)).model_version == 1


async def test_the_reconciler_leaves_every_version_that_can_serve(
    workshop: Workshop, reconciler: Reconciler
) -> None:
    project = await project_with(workshop, "ready", "ready", "retired", "training")
    async with workshop.sessions.begin() as session:
        await versions.promote(session, project.field_id, 1, ANNA)

    assert (await reconciler.run()).removed == []
    assert files(workshop, project) == {1, 2, 3, 4}
