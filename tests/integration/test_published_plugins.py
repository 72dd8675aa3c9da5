"""Workers tell which plugins they have, and whoever has no machine learning reads it."""

from typing import Any

import pytest
from sqlalchemy import text

from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.plugin_type import PluginType
from lexiclass_core.plugins import PLACES, list_plugins
from lexiclass_worker.execution.worker_row import WorkerRow
from lexiclass_worker.jobs.plugins import DescribePluginsJob
from lexiclass_worker.repositories.workers import Identity, remove_silent
from tests.support.services import Workshop

SILENT = "UPDATE worker SET seen_at = clock_timestamp() - interval '21 s' WHERE name = :name"


def worker(workshop: Workshop, name: str = "a", *queues: str) -> WorkerRow:
    identity = Identity(
        name=name, host="host", pid=2, group_pid=1, queues=list(queues) or ["training"],
        threads=2, version="0.1.0",
    )  # fmt: skip
    return WorkerRow(workshop.sessions, identity)


def catalog(*names: str, lacks: str = "") -> dict[str, Any]:
    usual = {"type": "classifier", "parameters": {"type": "object"}}
    found = [{**usual, "name": name, "available": name != lacks} for name in names]
    return {"plugins": found}


async def publish(row: WorkerRow, content: dict[str, Any]) -> None:
    await row.beat()
    await row.publish_plugins(content)


async def test_the_plugins_of_a_worker_are_read_with_the_schemas_of_their_parameters(
    workshop: Workshop,
) -> None:
    described = await workshop.sandbox.run(DescribePluginsJob())
    await publish(worker(workshop), described)

    async with workshop.sessions() as session:
        found = await list_plugins(session)

    assert list(found.workers) == ["a"]
    assert {each.plugin.type for each in found.plugins} == set(PLACES)
    (svm,) = (each for each in found.plugins if each.plugin.name == "svm")
    assert svm.plugin.parameters["properties"]["C"]["exclusiveMinimum"] == 0
    parameters = default_registry().get(PluginType.CLASSIFIER, "svm").parameters
    assert list(svm.plugin.properties) == list(parameters.model_fields)
    assert (svm.available_on, svm.missing_on) == (["a"], [])
    assert "svm" in [each.name for each in found.of_type("classifier")]


async def test_what_one_worker_lacks_another_may_have(workshop: Workshop) -> None:
    await publish(worker(workshop, "a", "indexing"), catalog("svm", "net"))
    await publish(worker(workshop, "b", "training"), catalog("svm", "net", lacks="net"))
    async with workshop.sessions() as session:
        everywhere = {each.plugin.name: each for each in (await list_plugins(session)).plugins}
        training = await list_plugins(session, queue="training")
    assert everywhere["svm"].available_on == ["a", "b"]
    assert (everywhere["net"].available_on, everywhere["net"].missing_on) == (["a"], ["b"])
    assert everywhere["net"].plugin.available
    assert [each.name for each in training.of_type("classifier")] == ["svm"]


async def test_what_was_known_last_stays_known_without_workers(workshop: Workshop) -> None:
    row = worker(workshop)
    await publish(row, catalog("svm"))
    await workshop.execute(SILENT, name="a")
    async with workshop.sessions() as session:
        found = await list_plugins(session)
    assert (list(found.workers), [each.plugin.name for each in found.plugins]) == ([], ["svm"])

    async with workshop.sessions.begin() as session:
        await remove_silent(session, silence_s=20)
    await row.beat()
    async with workshop.sessions() as session:
        assert list((await list_plugins(session)).workers) == ["a"]


async def test_what_nobody_has_any_longer_is_forgotten_after_a_day(workshop: Workshop) -> None:
    row = worker(workshop)
    await publish(row, catalog("old"))
    await publish(row, catalog("new"))
    assert len(await workshop.rows("SELECT id FROM plugin_catalog")) == 2
    await workshop.execute("UPDATE plugin_catalog SET seen_at = seen_at - interval '25 h'")
    await publish(row, catalog("new"))
    (kept,) = await workshop.rows("SELECT content FROM plugin_catalog")
    assert kept["content"] == catalog("new")


@pytest.mark.parametrize(
    "content", ["null", "[]", '{"plugins": 1}', '{"plugins": [1, {"name": 2}, {"type": "x"}]}']
)
async def test_what_others_have_written_is_left_out(workshop: Workshop, content: str) -> None:
    async with workshop.sessions.begin() as session:
        await session.execute(
            text("INSERT INTO plugin_catalog (digest, content) VALUES ('d', CAST(:c AS jsonb))"),
            {"c": content},
        )
        assert (await list_plugins(session)).plugins == []
