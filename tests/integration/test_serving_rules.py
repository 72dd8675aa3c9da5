"""What serves is no accident: rules of fields, and newer versions that measure worse."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from loguru import logger

from lexiclass_core.client import AsyncModels, AsyncTaskClient, ChangeRefused, ServingRule
from lexiclass_core.codes import ErrorCode
from lexiclass_core.versions import VersionNotFound
from lexiclass_worker.errors import NoReadyModel
from tests.support.authors import ANNA
from tests.support.commands import Run
from tests.support.corpora import SmallProject
from tests.support.services import Workshop


@pytest.fixture
async def models(database_uri: str, broker_url: str) -> AsyncIterator[AsyncModels]:
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client.models


async def add_versions(workshop: Workshop, project: SmallProject, count: int) -> None:
    await workshop.execute(
        "INSERT INTO model (field_id, version, status) "
        "SELECT :f, v, 'ready' FROM generate_series(1, :n) AS v",
        f=project.field_id,
        n=count,
    )


async def mislabel_training_data(workshop: Workshop, project: SmallProject) -> None:
    """Every training label becomes another class."""
    await workshop.execute(
        "UPDATE document_label SET class_id = CASE class_id WHEN :a THEN :b WHEN :b THEN :c "
        "ELSE :a END WHERE is_training_data",
        **dict(zip("abc", project.class_ids.values(), strict=True)),
    )


@pytest.mark.slow
async def test_a_field_whose_rule_is_promoted_serves_nothing_by_itself(
    workshop: Workshop, models: AsyncModels
) -> None:
    project = await workshop.project(training=4, test=1)
    field_id = project.field_id
    assert (await models.serving(field_id)).rule is ServingRule.NEWEST
    await models.serve(field_id, ServingRule.PROMOTED, **ANNA)

    trained = await workshop.train(project)

    assert (trained.is_serving, trained.replaced_version) == (False, None)
    assert (await models.serving(field_id)).version is None
    for work in (workshop.predict, workshop.evaluate):
        with pytest.raises(
            NoReadyModel, match=r"none is promoted: promote one \(ready are 1\)"
        ) as no:
            await work(project)
        assert no.value.code == ErrorCode.NO_READY_MODEL
    assert (await workshop.predict(project, model_version=1)).model_version == 1
    await models.promote(field_id, 1, **ANNA)
    assert (await workshop.predict(project)).model_version == 1
    assert not (await workshop.train(project)).is_serving
    assert (await workshop.predict(project)).model_version == 1
    with pytest.raises(ChangeRefused, match="only a promoted one serves it"):
        await models.roll_back(field_id, **ANNA)


@pytest.mark.slow
async def test_a_training_says_whether_its_version_serves_and_what_it_replaced(
    workshop: Workshop, models: AsyncModels
) -> None:
    project = await workshop.project(training=4, test=1)

    first = await workshop.train(project, message_id="first")
    second = await workshop.train(project)
    await models.promote(project.field_id, 1, **ANNA)
    third = await workshop.train(project)

    assert (first.is_serving, first.replaced_version) == (True, None)
    assert (second.is_serving, second.replaced_version) == (True, 1)
    assert (third.is_serving, third.replaced_version) == (False, None)
    # Delivered once more, it says how it is then.
    again = await workshop.train(project, message_id="first")
    assert (again.model_version, again.is_serving, again.replaced_version) == (1, True, None)


async def test_a_rule_that_would_leave_a_field_without_is_refused_unless_forced(
    workshop: Workshop, models: AsyncModels
) -> None:
    project = await workshop.project(training=1, test=1)
    field_id = project.field_id
    await add_versions(workshop, project, 2)

    with pytest.raises(ChangeRefused, match=r"version 2 serves .* promote it first"):
        await models.serve(field_id, ServingRule.PROMOTED, **ANNA)
    forced = await models.serve(field_id, ServingRule.PROMOTED, force=True, **ANNA)
    again = await models.serve(field_id, ServingRule.PROMOTED, **ANNA)
    back = await models.serve(field_id, ServingRule.NEWEST, **ANNA)

    assert (forced.is_new, forced.before, forced.after) == (True, 2, None)
    assert (again.is_new, again.before, again.after) == (False, None, None)
    assert (back.is_new, back.before, back.after) == (True, None, 2)
    await models.promote(field_id, 1, **ANNA)
    assert (await models.serve(field_id, ServingRule.PROMOTED, **ANNA)).after == 1
    events = await models.history(field_id)
    assert [(event.action, event.details) for event in events if event.action != "promoted"] == [
        ("rule_changed", {"from": "newest", "to": "promoted"}),
        ("rule_changed", {"from": "promoted", "to": "newest"}),
        ("rule_changed", {"from": "newest", "to": "promoted"}),
    ]
    assert {event.by for event in events} == {"anna"}
    with pytest.raises(VersionNotFound, match="field 4711 does not exist"):
        await models.serve(4711, ServingRule.NEWEST, **ANNA)


@pytest.mark.slow
async def test_a_newer_version_that_serves_by_itself_and_measures_worse_is_warned_of(
    workshop: Workshop, models: AsyncModels, cli: Run
) -> None:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    assert (await workshop.evaluate(project)).warnings == []
    await mislabel_training_data(workshop, project)
    # One that was never evaluated says nothing.
    await workshop.train(project)
    await workshop.train(project)
    assert (await models.serving(project.field_id)).regression is None
    logged: list[str] = []
    sink = logger.add(logged.append, level="WARNING", format="{message}")

    evaluated = await workshop.evaluate(project)

    logger.remove(sink)
    regression = (await models.serving(project.field_id)).regression
    assert regression is not None
    assert (regression.version, regression.replaced) == (3, 1)
    before, now = regression.measures["accuracy"]
    assert (before, now) == (1.0, evaluated.metrics.accuracy)
    assert now < 0.5
    assert set(regression.measures) == {"accuracy", "macro_f1"}
    (warning,) = evaluated.warnings
    assert warning.startswith(
        "version 3 serves because it is the newest, and measures worse than version 1 on the same "
        f"test set: accuracy {now:.3f} instead of 1.000, macro F1 "
    )
    assert f"What serves got worse: {warning}\n" in logged

    def commands() -> None:
        listed = cli("models", "list", "small", "topic", "--json").json
        assert [row["version"] for row in listed if row["worse_than"]] == [3]
        assert listed[0]["worse_than"]["version"] == 1
        table = cli("models", "list", "small", "topic").out
        assert "icu + bow + svm" in table
        assert "version 3 serves: it is the newest that is ready" in table
        assert "measures worse than version 1" in " ".join(table.split())

    # The command runs an event loop of its own.
    await asyncio.to_thread(commands)
    # Who promotes it wants it.
    await models.promote(project.field_id, 3, **ANNA)
    assert (await workshop.evaluate(project)).warnings == []
    assert (await models.serving(project.field_id)).regression is None


@pytest.mark.slow
async def test_versions_of_other_test_sets_are_not_held_against_each_other(
    workshop: Workshop, models: AsyncModels
) -> None:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    await workshop.evaluate(project)
    await mislabel_training_data(workshop, project)
    await workshop.execute(
        "DELETE FROM document_label WHERE document_id = :d", d=project.test_ids[0]
    )
    await workshop.train(project)

    assert (await workshop.evaluate(project)).warnings == []
    # Until the older one is measured on the same.
    (warning,) = (await workshop.evaluate(project, model_version=1)).warnings
    assert "version 2 serves because it is the newest, and measures worse than version 1" in warning


async def test_the_rule_is_shown_and_changed_on_the_command_line(
    workshop: Workshop, cli: Run
) -> None:
    project = await workshop.project(training=1, test=1)
    await add_versions(workshop, project, 2)

    def commands() -> None:
        serve = ("models", "serve", "small", "topic")
        refused = cli(*serve, "promoted")
        assert refused.status == 1
        assert "promote it first, or force it" in refused.err
        forced = cli(*serve, "promoted", "--force")
        assert "only promoted ones serve\nno version serves, before it was version 2" in forced.out
        listed = cli("models", "list", "small", "topic")
        assert "no version serves: only one that is promoted may, and none is" in listed.out
        assert not any(
            row["is_serving"] for row in cli("models", "list", "small", "topic", "--json").json
        )
        back = cli("models", "serve", project.field_id, "newest", "--json").json
        assert back == {"rule": "newest", "is_new": True, "before": None, "after": 2}
        assert "already" in cli(*serve, "newest").out
        for wrong in ((*serve, "oldest"), ("models", "serve", "newest")):
            assert cli(*wrong).status == 2

    # The command runs an event loop of its own.
    await asyncio.to_thread(commands)
