"""Promotion through the gates of a field: what the rows say afterwards."""

import json
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from lexiclass_core import versions
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.gates import FieldConfig
from lexiclass_core.versions import Author, ChangeRefused, GatedChange
from tests.support.services import Workshop

ANNA = Author("anna", "because")
GOOD = {"against": 1, "accuracy": {"value": 0.02, "low": -0.005, "high": 0.04}}
POOR = {"against": 1, "accuracy": {"value": -0.2, "low": -0.3, "high": -0.1}}
GATE = {"gates": {"max_accuracy_loss": 0.01}}


async def field_with(workshop: Workshop, config: dict[str, Any], *figures: Any) -> int:
    """A field with that configuration, and a ready version for each of the figures."""
    project = await workshop.project(training=1)
    await set_config(workshop, project.field_id, config)
    for number, each in enumerate(figures, start=1):
        await workshop.execute(
            "INSERT INTO model (field_id, version, status, metrics) VALUES "
            "(:f, :v, 'ready', jsonb_build_object('gate_figures', CAST(:m AS jsonb)))",
            f=project.field_id, v=number, m=_json(each),
        )  # fmt: skip
    return project.field_id


async def set_config(workshop: Workshop, field_id: int, config: object) -> None:
    await workshop.execute(
        "UPDATE field SET config = CAST(:c AS jsonb) WHERE id = :f", c=_json(config), f=field_id
    )


def _json(value: object) -> str:
    return json.dumps(value)


async def promote(workshop: Workshop, field_id: int, version: int, **options: Any) -> GatedChange:
    async with workshop.sessions.begin() as session:
        return await versions.promote_through_gates(session, field_id, version, ANNA, **options)


async def events(workshop: Workshop) -> list[dict[str, Any]]:
    return await workshop.rows("SELECT action, version, reason, details FROM model_event")


async def test_what_passes_serves_and_its_figures_are_in_the_history(workshop: Workshop) -> None:
    field_id = await field_with(workshop, GATE, None, GOOD)
    await workshop.execute("UPDATE model SET promoted_at = now() WHERE version = 1")

    found = await promote(workshop, field_id, 2)

    assert found.change is not None
    assert (found.change.before, found.change.after) == (1, 2)
    (event,) = await events(workshop)
    assert (event["action"], event["version"]) == ("promoted", 2)
    details = event["details"]
    assert (details["to"], details["is_overridden"]) == (2, False)
    (verdict,) = details["gates"]["verdicts"]
    assert (verdict["gate"], verdict["outcome"]) == ("max_accuracy_loss", "passed")
    assert verdict["figures"] == GOOD["accuracy"]


async def test_what_fails_is_refused_once_until_it_is_overridden_with_a_reason(
    workshop: Workshop,
) -> None:
    field_id = await field_with(workshop, GATE, None, POOR, {**POOR, "against": 2})
    await workshop.execute("UPDATE model SET promoted_at = now() WHERE version = 1")

    for _ in range(2):
        found = await promote(workshop, field_id, 2)
        assert (found.change, found.judgement and found.judgement.is_passed) == (None, False)
    with pytest.raises(ValueError, match="say why"):
        async with workshop.sessions.begin() as session:
            await versions.promote_through_gates(
                session, field_id, 2, Author("anna"), override=True
            )
    assert [event["action"] for event in await events(workshop)] == ["refused"]

    overridden = await promote(workshop, field_id, 2, override=True)

    assert overridden.change is not None
    refused, promoted = await events(workshop)
    assert (promoted["reason"], promoted["details"]["is_overridden"]) == ("because", True)
    assert promoted["details"]["gates"] == refused["details"]["gates"]
    again = await promote(workshop, field_id, 2)
    assert again.change is not None
    assert not again.change.is_new
    async with workshop.sessions.begin() as session:
        back = await versions.roll_back(session, field_id, ANNA)
    assert back.before == 2


async def test_a_version_is_judged_against_what_serves_without_it(workshop: Workshop) -> None:
    field_id = await field_with(workshop, GATE, None, GOOD, {**GOOD, "against": 2})

    # Version 3 serves because it is the newest: it is judged against version 2.
    async with workshop.sessions() as session:
        judgements = [await versions.judge_version(session, field_id, number) for number in (2, 3)]

    assert [(each.against, each.is_passed) for each in judgements] == [(3, False), (2, True)]


@pytest.mark.parametrize("config", [{"gates": {"accuracy": 1}}, {"gate": {}}, {"gates": None}])
async def test_a_configuration_that_is_not_understood_lets_nothing_through(
    workshop: Workshop, config: object
) -> None:
    field_id = await field_with(workshop, GATE, None, GOOD)
    await set_config(workshop, field_id, config)

    for override in (False, True):
        with pytest.raises(ChangeRefused, match=r"field\.config .* is not understood"):
            await promote(workshop, field_id, 2, override=override)
    assert await events(workshop) == []


async def test_without_gates_nothing_goes_through_them(workshop: Workshop) -> None:
    field_id = await field_with(workshop, {}, None, GOOD)

    with pytest.raises(ChangeRefused, match="has no gates"):
        await promote(workshop, field_id, 2)


async def test_a_version_that_cannot_serve_is_refused_whatever_gates_say(
    workshop: Workshop,
) -> None:
    field_id = await field_with(workshop, GATE, None, GOOD)
    await workshop.execute("UPDATE model SET retired_at = now() WHERE version = 2")

    with pytest.raises(ChangeRefused, match="was retired"):
        await promote(workshop, field_id, 2, override=True)


async def test_gates_are_set_once_and_the_history_says_by_whom(workshop: Workshop) -> None:
    field_id = await field_with(workshop, {}, None)
    config = FieldConfig.of_row(GATE)

    async with workshop.sessions.begin() as session:
        first = await versions.set_field_config(session, field_id, config, ANNA)
        second = await versions.set_field_config(session, field_id, config, ANNA)

    assert (first.is_new, second.is_new) == (True, False)
    (event,) = await events(workshop)
    assert (event["action"], event["details"]) == ("gates_changed", {"from": {}, "to": GATE})
    async with workshop.sessions() as session:
        assert await versions.field_config(session, field_id) == config


async def test_a_version_promotes_itself_where_the_field_says_so_and_nobody_has_undone_it(
    workshop: Workshop,
) -> None:
    asked = {**GATE, "promote_after_evaluation": True}
    field_id = await field_with(workshop, GATE, None, GOOD, GOOD)

    async def promotes(version: int) -> bool:
        async with workshop.sessions() as session:
            return await versions.promotes_itself(session, field_id, version)

    assert not await promotes(2)
    await set_config(workshop, field_id, asked)
    async with workshop.sessions.begin() as session:
        await versions.promote(session, field_id, 2, ANNA)
    # 1 is older than what serves, 2 is promoted.
    assert [await promotes(number) for number in (1, 2, 3)] == [False, False, True]
    async with workshop.sessions.begin() as session:
        await versions.promote(session, field_id, 3, ANNA)
        await versions.roll_back(session, field_id, ANNA)
    assert not await promotes(3)


@pytest.mark.parametrize("config", ["[]", '"gates"', '{"x": "' + "y" * 10_000 + '"}'])
async def test_the_table_takes_small_objects_only(workshop: Workshop, config: str) -> None:
    field_id = await field_with(workshop, {})

    with pytest.raises(IntegrityError, match="ck_field_config_is"):
        await workshop.execute(
            "UPDATE field SET config = CAST(:c AS jsonb) WHERE id = :f", c=config, f=field_id
        )


async def test_the_client_of_an_api_sets_gates_and_promotes_through_them(
    workshop: Workshop, database_uri: str, broker_url: str
) -> None:
    field_id = await field_with(workshop, {}, None, POOR, GOOD)
    await workshop.execute("UPDATE model SET promoted_at = now() WHERE version = 1")

    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        models = client.models
        assert await models.gates(field_id) == FieldConfig()
        await models.set_gates(field_id, FieldConfig.of_row(GATE), by="anna")
        assert not (await models.judge(field_id, 2)).is_passed
        refused = await models.promote_through_gates(field_id, 2, by="anna")
        promoted = await models.promote_through_gates(field_id, 3, by="anna")
        history = await models.history(field_id)

    assert refused.change is None
    assert promoted.change is not None
    assert [(event.action, event.version) for event in history] == [
        ("promoted", 3), ("refused", 2), ("gates_changed", 1),
    ]  # fmt: skip
