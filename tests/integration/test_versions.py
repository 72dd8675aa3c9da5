"""Which version of a model serves, and changing that, through the client an API uses."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert

from lexiclass_core.client import AsyncTaskClient, ChangeRefused, TaskClient, VersionNotFound
from lexiclass_core.client.model_versions import AsyncModels
from lexiclass_core.models import Model, ModelAction
from lexiclass_worker.errors import NoReadyModel
from lexiclass_worker.repositories import model_versions as repository
from tests.support.authors import ANNA
from tests.support.corpora import SmallProject
from tests.support.services import Workshop


@pytest.fixture
async def models(database_uri: str, broker_url: str) -> AsyncIterator[AsyncModels]:
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client.models


async def field_with(workshop: Workshop, *statuses: str) -> int:
    """A field whose versions 1, 2, ... have these statuses. Returns its id."""
    project = await workshop.project(labels=(), training=0, test=0)
    for version, status in enumerate(statuses, start=1):
        await workshop.execute(
            "INSERT INTO model (field_id, version, status) VALUES (:f, :v, :s)",
            f=project.field_id,
            v=version,
            s=status,
        )
    return project.field_id


async def add_task(workshop: Workshop, status: str, **request: int) -> int:
    """A prediction. Returns its id."""
    row = await workshop.row(
        "INSERT INTO task (message_id, type, status, request) VALUES "
        "(CAST(gen_random_uuid() AS text), 'predict_field_documents', :s, CAST(:r AS jsonb)) "
        "RETURNING id",
        s=status,
        r=json.dumps(request),
    )
    return int(row["id"])


async def serving(workshop: Workshop, field_id: int) -> int | None:
    """The version that a prediction which names none would use."""
    async with workshop.sessions() as session:
        try:
            return (await repository.require_ready_version(session, field_id, None)).version
        except NoReadyModel:
            return None


async def use_of(models: AsyncModels, field_id: int) -> dict[int, bool]:
    return {model.version: model.is_serving for model in await models.list(field_id)}


async def told(models: AsyncModels, field_id: int) -> list[tuple[ModelAction, int]]:
    return [(event.action, event.version) for event in await models.history(field_id)][::-1]


# Which one serves


async def test_the_newest_ready_version_serves_until_one_is_promoted(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, "ready", "ready", "ready", "failed", "training")
    assert await serving(workshop, field_id) == 3

    change = await models.promote(field_id, 1, **ANNA)

    assert (change.is_new, change.before, change.after) == (True, 3, 1)
    assert await serving(workshop, field_id) == 1
    assert await use_of(models, field_id) == {5: False, 4: False, 3: False, 2: False, 1: True}


@pytest.mark.slow
async def test_a_training_does_not_take_over_from_a_promoted_version(
    workshop: Workshop, models: AsyncModels
) -> None:
    project = await workshop.project(training=4, test=1)
    await workshop.train(project)
    await models.promote(project.field_id, 1, **ANNA)

    await workshop.train(project)

    assert (await workshop.predict(project)).model_version == 1
    assert (await workshop.evaluate(project)).model_version == 1
    assert (await workshop.predict(project, model_version=2)).model_version == 2


@pytest.mark.parametrize("version", [4, 5])
async def test_what_is_not_ready_is_not_promoted(
    workshop: Workshop, models: AsyncModels, version: int
) -> None:
    field_id = await field_with(workshop, "ready", "ready", "ready", "failed", "training")

    with pytest.raises(ChangeRefused, match=rf"version {version} .* is (failed|training)"):
        await models.promote(field_id, version, **ANNA)

    assert await serving(workshop, field_id) == 3
    assert await models.history(field_id) == []


async def test_what_does_not_exist_is_said_so(workshop: Workshop, models: AsyncModels) -> None:
    field_id = await field_with(workshop, "ready")

    for wrong, says in (
        ((4711, 1), "field 4711 does not"),
        ((2**70, 1), "does not"),
        ((field_id, 7), "no model version 7"),
        ((field_id, 2**40), "no model version"),
    ):
        for change in (models.promote, models.retire, models.reinstate):
            with pytest.raises(VersionNotFound, match=says):
                await change(*wrong, **ANNA)
    with pytest.raises(VersionNotFound):
        await models.roll_back(4711, **ANNA)
    with pytest.raises(VersionNotFound):
        await models.list(4711)
    with pytest.raises(VersionNotFound):
        await models.history(field_id, version=7)
    with pytest.raises(VersionNotFound):
        await models.history(field_id, version=2**40)


@pytest.mark.parametrize(("by", "reason"), [("", "x"), (" ", "x"), ("a\0b", ""), ("a", "\ud800")])
async def test_a_change_by_nobody_or_that_cannot_be_stored_is_refused(
    workshop: Workshop, models: AsyncModels, by: str, reason: str
) -> None:
    field_id = await field_with(workshop, "ready")

    with pytest.raises(ValueError, match="author"):
        await models.promote(field_id, 1, by=by, reason=reason)


async def test_promoting_twice_is_promoting_once(workshop: Workshop, models: AsyncModels) -> None:
    field_id = await field_with(workshop, "ready", "ready")

    changes = [await models.promote(field_id, 1, **ANNA) for _ in range(2)]

    assert [change.is_new for change in changes] == [True, False]
    assert await told(models, field_id) == [("promoted", 1)]


async def test_of_many_promotions_at_once_each_counts_and_one_stands(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, *["ready"] * 8)

    await asyncio.gather(*(models.promote(field_id, v, **ANNA) for v in range(1, 9)))

    events = await told(models, field_id)
    assert sorted(version for _, version in events) == list(range(1, 9))
    assert await serving(workshop, field_id) == events[-1][1]


# Rolling back


async def test_rolling_back_goes_back_promotion_by_promotion_and_then_to_the_newest(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, *["ready"] * 5)
    for version in (2, 4, 2, 3):
        await models.promote(field_id, version, **ANNA)

    served = [(await models.roll_back(field_id, **ANNA)).after for _ in range(4)]

    assert served == [2, 4, 2, 5]
    with pytest.raises(ChangeRefused, match="no promoted version to roll back"):
        await models.roll_back(field_id, **ANNA)
    assert await serving(workshop, field_id) == 5


async def test_what_was_rolled_back_is_forgotten_by_the_next_roll_back(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, *["ready"] * 5)
    for version in (1, 2):
        await models.promote(field_id, version, **ANNA)
    await models.roll_back(field_id, **ANNA)
    await models.promote(field_id, 3, **ANNA)

    assert (await models.roll_back(field_id, **ANNA)).after == 1


async def test_rolling_back_passes_over_what_was_retired(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, *["ready"] * 3)
    for version in (1, 2, 3):
        await models.promote(field_id, version, **ANNA)
    await models.retire(field_id, 2, **ANNA)

    assert (await models.roll_back(field_id, **ANNA)).after == 1


async def test_a_roll_back_that_would_change_nothing_is_refused(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, "ready", "ready")
    await models.promote(field_id, 2, **ANNA)

    with pytest.raises(ChangeRefused, match="would go on serving: promote another or retire it"):
        await models.roll_back(field_id, **ANNA)

    assert [model.promoted_at is not None for model in await models.list(field_id)] == [True, False]


# Retiring


async def test_a_retired_version_is_used_by_nobody_until_it_is_reinstated(
    workshop: Workshop, models: AsyncModels
) -> None:
    project = await workshop.project(training=4, test=1)
    for _ in range(2):
        await workshop.train(project)
    assert (await workshop.predict(project)).model_version == 2

    change = await models.retire(project.field_id, 2, **ANNA)

    assert (change.before, change.after) == (2, 1)
    assert (await workshop.predict(project)).model_version == 1
    with pytest.raises(NoReadyModel, match=r"was retired on .* reinstate it") as raised:
        await workshop.predict(project, model_version=2)
    assert not raised.value.retryable
    with pytest.raises(ChangeRefused, match="reinstate it first"):
        await models.promote(project.field_id, 2, **ANNA)
    assert (workshop.model(project, 2) / "manifest.json").is_file()

    assert (await models.reinstate(project.field_id, 2, **ANNA)).after == 2
    assert (await workshop.predict(project, model_version=2)).model_version == 2


async def test_a_promoted_version_is_retired_by_force_only_which_rolls_it_back(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, *["ready"] * 3)
    for version in (1, 2):
        await models.promote(field_id, version, **ANNA)
    with pytest.raises(ChangeRefused, match="promote another or roll back first"):
        await models.retire(field_id, 2, **ANNA)

    change = await models.retire(field_id, 2, **ANNA, force=True)

    assert (change.before, change.after) == (2, 1)
    events = await told(models, field_id)
    assert events == [("promoted", 1), ("promoted", 2), ("rolled_back", 2), ("retired", 2)]


async def test_the_last_version_that_can_serve_is_retired_by_force_only(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, "ready", "failed")
    with pytest.raises(ChangeRefused, match="the only one that can serve"):
        await models.retire(field_id, 1, **ANNA)

    assert (await models.retire(field_id, 1, **ANNA, force=True)).after is None
    assert await serving(workshop, field_id) is None
    assert not (await models.retire(field_id, 1, **ANNA)).is_new


@pytest.mark.parametrize("status", ["pending", "started", "retrying"])
async def test_a_version_that_an_open_task_names_is_retired_by_force_only(
    workshop: Workshop, models: AsyncModels, status: str
) -> None:
    field_id = await field_with(workshop, "ready", "ready")
    named = await add_task(workshop, status, field_id=field_id, model_version=1)
    await add_task(workshop, "succeeded", field_id=field_id, model_version=1)
    await add_task(workshop, status, field_id=field_id + 1, model_version=1)
    await add_task(workshop, status, field_id=field_id)

    with pytest.raises(ChangeRefused, match=f"version 1 .* is used by task {named}: wait"):
        await models.retire(field_id, 1, **ANNA)

    assert (await models.retire(field_id, 1, **ANNA, force=True)).is_new


async def test_a_version_that_a_large_prediction_uses_is_not_retired(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, "ready", "ready")
    parent = await add_task(workshop, "started", field_id=field_id)
    await workshop.execute("UPDATE task SET num_chunks = 2 WHERE id = :id", id=parent)
    for _ in range(2):
        chunk = await add_task(workshop, "pending", field_id=field_id, model_version=1)
        await workshop.execute("UPDATE task SET parent_id = :p WHERE id = :c", p=parent, c=chunk)

    with pytest.raises(ChangeRefused, match=f"is used by task {parent}: wait"):
        await models.retire(field_id, 1, **ANNA)

    assert (await models.retire(field_id, 2, **ANNA)).after == 1


async def test_what_serves_is_not_retired_while_a_task_runs_with_it(
    workshop: Workshop, models: AsyncModels
) -> None:
    field_id = await field_with(workshop, "ready", "ready")
    await add_task(workshop, "pending", field_id=field_id)
    running = [await add_task(workshop, "started", field_id=field_id) for _ in range(7)]

    with pytest.raises(ChangeRefused, match=f"is used by tasks {running[0]}, .* and 2 more: wait"):
        await models.retire(field_id, 2, **ANNA)

    assert (await models.retire(field_id, 1, **ANNA)).after == 2
    await workshop.execute("UPDATE task SET status = 'succeeded' WHERE status = 'started'")
    assert (await models.retire(field_id, 2, **ANNA, force=True)).after is None


# History


async def test_the_history_says_who_when_why_and_on_what_data(
    workshop: Workshop, sync_client: TaskClient
) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project, message_id="first")
    await workshop.train(project, message_id="second")

    def change() -> Any:
        models = sync_client.models
        models.promote(project.field_id, 1, by="anna", reason="better on old data")
        models.roll_back(project.field_id, by="ben")
        models.retire(project.field_id, 1, by="ben", reason="withdrawn")
        models.reinstate(project.field_id, 1, by="anna")
        assert [model.version for model in models.list(project.field_id)] == [2, 1]
        return models.history(project.field_id), models.history(project.field_id, version=2)

    events, of_second = await asyncio.to_thread(change)

    assert [(event.action, event.version, event.by, event.reason) for event in events] == [
        ("reinstated", 1, "anna", ""),
        ("retired", 1, "ben", "withdrawn"),
        ("rolled_back", 1, "ben", ""),
        ("promoted", 1, "anna", "better on old data"),
        ("trained", 2, "message second", ""),
        ("trained", 1, "message first", ""),
    ]
    assert events[3].details == {"from": None, "to": 1}
    assert events[2].details == {"from": 1, "to": None}
    assert [event.version for event in of_second] == [2]
    assert sorted(event.at for event in events) == [event.at for event in events][::-1]
    # The same data, so the same digest: what a model was trained on can be told later.
    assert len({event.training_digest for event in events}) == 1
    assert len(events[0].training_digest) == 64


@pytest.mark.slow
async def test_other_data_have_another_digest(workshop: Workshop) -> None:
    project = await workshop.project(training=4, test=0)
    await workshop.train(project)
    workshop.document(project, project.training_ids[0]).write_text("quite another text")
    await workshop.train(project)

    rows = await workshop.rows("SELECT manifest->>'training_digest' AS digest FROM model")

    assert len({row["digest"] for row in rows}) == 2


# Numbers


@pytest.mark.slow
async def test_a_number_that_another_program_takes_is_passed_over(workshop: Workshop) -> None:
    """It inserts a row without the lock that trainings number themselves under."""
    project: SmallProject = await workshop.project(training=4, test=0)
    async with workshop.sessions.begin() as theirs:
        await theirs.execute(insert(Model).values(field_id=project.field_id, version=1))
        training = asyncio.create_task(workshop.train(project))
        done, _ = await asyncio.wait([training], timeout=1)
        assert not done

    assert (await training).model_version == 2
