"""The form of a training, made of the schemas that workers publish."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lexiclass.plugins.builtin import default_registry
from lexiclass_console.parameters import fields_of
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_core.plugins import Plugin
from lexiclass_worker.repositories.plugins import publish
from tests.support.console import OURS, words

OF_FIELD = {"project_id": "7", "field_id": "3"}
PLUGINS = [Plugin.model_validate(each) for each in default_registry().describe()]


@pytest.fixture
async def field(sessions: SessionFactory) -> int:
    """A field, and a worker that has said which plugins it has."""
    async with sessions.begin() as session:
        for statement in (
            "INSERT INTO project (id, name) VALUES (7, 'news')",
            "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'subject')",
            (
                "INSERT INTO worker (name, host, pid, group_pid, queues, threads, version) "
                "VALUES ('w', 'h', 2, 1, '{training}', 2, '0')"
            ),
        ):
            await session.execute(text(statement))
        available = [each.model_copy(update={"available": True}) for each in PLUGINS]
        content: dict[str, Any] = {"plugins": [each.model_dump() for each in available]}
        await publish(session, "w", content)
    return 3


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.type}-{plugin.name}")
def test_what_a_field_shows_first_is_the_default(plugin: Plugin) -> None:
    defaults = default_registry().get(plugin.type, plugin.name).parse({})  # type: ignore[arg-type]
    fields = fields_of(plugin)
    assert [each.label for each in fields] == list(type(defaults).model_fields)
    for each in fields:
        value = each.read(each.default)
        assert value == defaults.model_dump(mode="json")[each.label]
        assert each.is_default(value)


async def test_a_field_is_there_for_each_parameter_with_its_bounds_and_default(
    operator: httpx.AsyncClient, field: int
) -> None:
    page = await operator.get(f"/fields/{field}/train")
    assert 'name="classifier_params.C"' in page.text
    said = words(page)
    assert "Expects a number above 0; default 1.0." in said
    assert "2 of: a whole number from 1 to 5; default 1, 2." in said
    page = await operator.get(f"/fields/{field}/train", params={"classifier": "transformer"})
    assert "tokenizer and features are not used" in words(page)
    assert 'name="tokenizer_params' not in page.text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, {"feature_extractor": "tfidf", "classifier_params": {}}),
        ({"classifier_params.C": "1.0"}, {"classifier_params": {}}),
        ({"classifier_params.C": "2"}, {"classifier_params": {"C": 2}}),
        ({"classifier_params.calibration_folds": ""}, {"classifier_params": {}}),
        (
            {"classifier_params.class_weight": '{"a": 2}', "locale": "de"},
            {"classifier_params": {"class_weight": {"a": 2}}, "locale": "de"},
        ),
        (
            {"classifier_params.class_weight": "balanced"},
            {"classifier_params": {"class_weight": "balanced"}},
        ),
        (
            {"feature_extractor": "bow", "feature_extractor_params.ngram_range": "1, 3"},
            {"feature_extractor_params": {"ngram_range": [1, 3]}, "feature_extractor": "bow"},
        ),
        ({"feature_extractor_params.max_df": "1"}, {"feature_extractor_params": {"max_df": 1}}),
        (
            {"feature_extractor_params.norm": "null", "tokenizer_params.lowercase": "false"},
            {"feature_extractor_params": {"norm": None}, "tokenizer_params": {"lowercase": False}},
        ),
    ],
)
async def test_what_differs_from_the_defaults_is_submitted(
    operator: httpx.AsyncClient,
    client: AsyncTaskClient,
    field: int,
    data: dict[str, str],
    expected: dict[str, Any],
) -> None:
    del field
    answer = await operator.post("/actions/submit.train", data={**OF_FIELD, **data}, headers=OURS)
    (task,) = (await client.list()).tasks
    assert answer.url.path == f"/tasks/{task.id}"
    assert {name: task.request.get(name, {}) for name in expected} == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"classifier_params.C": "0"}, "found '0'; expected a number above 0"),
        ({"classifier_params.C": "nan"}, "expected a number above 0"),
        ({"classifier_params.C": "<b>"}, "found '&lt;b&gt;'"),
        ({"classifier_params.max_iter": "1e400"}, "expected a whole number from 1"),
        ({"classifier_params.max_iter": "9" * 5_000}, "expected a whole number from 1"),
        ({"classifier_params.class_weight": "even"}, "expected balanced or JSON"),
        ({"classifier_params.loss": '"none"'}, "expected hinge, squared_hinge"),
        ({"classifier_params.class_weight": "[" * 9_999}, "expected balanced or JSON"),
        ({"feature_extractor_params.ngram_range": "1"}, "2 of: a whole number from 1 to 5"),
        ({"feature_extractor_params.ngram_range": "1, 9"}, "2 of: a whole number from 1 to 5"),
        ({"classifier_params.nosuch": "1"}, "have no such parameter"),
        ({"locale": "english please"}, "expected a language such as en"),
        ({"nosuch": "1"}, "have no such parameter"),
        ({"classifier": "nosuch"}, "no worker that trains has"),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field_and_what_was_written_stays(
    operator: httpx.AsyncClient,
    client: AsyncTaskClient,
    field: int,
    data: dict[str, str],
    said: str,
) -> None:
    del field
    written = {**OF_FIELD, "tokenizer_params.min_length": "3", **data}
    answer = await operator.post("/actions/submit.train", data=written, headers=OURS)
    assert answer.status_code == 422
    assert "Nothing was submitted" in words(answer)
    assert said in answer.text.replace("&#39;", "'")
    assert "<b>" not in answer.text.replace("<b><bdi>", "")
    assert 'value="3"' in answer.text
    assert not (await client.list()).tasks
    assert "Nobody has done anything" in words(await operator.get("/activity"))


@pytest.mark.heavy
async def test_a_language_that_no_worker_has_rules_for_is_told_at_the_form(
    operator: httpx.AsyncClient, client: AsyncTaskClient, field: int
) -> None:
    data = {**OF_FIELD, "tokenizer": "spacy", "tokenizer_params.language": '"qq"'}
    answer = await operator.post("/actions/submit.train", data=data, headers=OURS)
    assert answer.status_code == 422
    assert re.search("expected af,.*, zh or none", words(answer))
    assert '<option value="&#34;qq&#34;" selected>' in answer.text
    assert not (await client.list()).tasks

    data["tokenizer_params.language"] = '"grc"'
    await operator.post("/actions/submit.train", data=data, headers=OURS)
    (task,) = (await client.list()).tasks
    assert task.request["tokenizer_params"] == {"language": "grc"}
    page = words(await operator.get("/plugins"))
    assert "for any language. string or null" in page
    del field


async def test_a_training_like_another_begins_with_its_parameters(
    operator: httpx.AsyncClient, sessions: SessionFactory, field: int
) -> None:
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO model (field_id, version, status, manifest) VALUES (3, 1, 'ready', "
                '\'{"spec": {"classifier": "svm", "classifier_params": {"C": 0.25}, '
                '"feature_extractor": "tfidf", "feature_extractor_params": {"max_df": 0.375}}}\')'
            )
        )
    page = await operator.get(f"/fields/{field}/train?like=1")
    assert 'value="0.25"' in page.text
    # Other plugins are chosen by a form, which goes on with the same version.
    assert '<input type="hidden" name="like" value="1">' in page.text
    assert 'value="0.375"' in page.text
    asked = {"like": "1", "feature_extractor": "bow"}
    page = await operator.get(f"/fields/{field}/train", params=asked)
    assert 'name="feature_extractor_params.max_df"' in page.text
    assert 'value="0.25"' in page.text
    assert 'value="0.375"' not in page.text
    assert "where the plugins are the same" in words(page)


@pytest.mark.parametrize(
    ("pattern", "code"),
    # What takes any other engine ages, what ours does not know, and what it would not hold.
    [
        ("^(a+)+$", 422),
        ("^(a|aa)*$", 422),
        ("^(?=a)(?!b)", 200),
        ("(", 200),
        ("(a{999}){999}", 200),
    ],
)
async def test_a_pattern_of_a_plugin_keeps_nobody_waiting(
    operator: httpx.AsyncClient, sessions: SessionFactory, field: int, pattern: str, code: int
) -> None:
    schema = {"type": "string", "pattern": pattern}
    hostile = [
        each.model_copy(update={"available": True, "parameters": {"properties": {"a": schema}}})
        for each in PLUGINS
        if (each.type, each.name) == ("classifier", "svm")
    ]
    kept = [each.model_copy(update={"available": True}) for each in PLUGINS if each.name != "svm"]
    async with sessions.begin() as session:
        await publish(session, "w", {"plugins": [each.model_dump() for each in kept + hostile]})
    answer = await operator.post(
        "/actions/submit.train",
        data={**OF_FIELD, "classifier_params.a": f"{'a' * 5_000}b"},
        headers=OURS,
    )
    assert answer.status_code == code


async def test_nobody_but_who_may_train_is_shown_the_form(
    viewer: httpx.AsyncClient, field: int
) -> None:
    assert (await viewer.get(f"/fields/{field}/train")).status_code == 403
