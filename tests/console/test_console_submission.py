"""Tasks that are submitted in the console, and labels that are judged."""

import httpx
import pytest
from markupsafe import escape
from sqlalchemy import text

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from tests.support.console import OURS, words

OF_FIELD = {"project_id": "7", "field_id": "3"}


@pytest.mark.parametrize(
    ("action", "data", "request_"),
    [
        ("index", {"project_id": "7"}, {"project_id": 7}),
        ("train", OF_FIELD, {"feature_extractor": "tfidf"}),
        (
            "train",
            {**OF_FIELD, "feature_extractor": "bow", "parameters": '{"classifier_params":{"C":2}}'},
            {"feature_extractor": "bow", "classifier_params": {"C": 2}},
        ),
        ("evaluate", {**OF_FIELD, "model_version": "2"}, {"model_version": 2}),
        ("predict", OF_FIELD, {"document_ids": None, "model_version": None}),
        ("predict", {**OF_FIELD, "accuracy": "0.95"}, {"accept_at": {"accuracy": 0.95}}),
        ("predict", {**OF_FIELD, "confidence": " 0.8 "}, {"accept_at": {"confidence": 0.8}}),
        ("predict", {**OF_FIELD, "confidence": "1"}, {"accept_at": {"confidence": 1}}),
    ],
)
async def test_a_form_becomes_a_task(
    operator: httpx.AsyncClient,
    client: AsyncTaskClient,
    action: str,
    data: dict[str, str],
    request_: dict[str, object],
) -> None:
    answer = await operator.post(f"/actions/submit.{action}", data=data, headers=OURS)
    (task,) = (await client.list()).tasks
    assert answer.url.path == f"/tasks/{task.id}"
    assert {name: task.request.get(name) for name in request_} == request_


@pytest.mark.parametrize(
    ("action", "data", "said"),
    [
        ("train", {**OF_FIELD, "parameters": "nonsense"}, "expected JSON such as"),
        ("train", {**OF_FIELD, "parameters": '{"project_id": 8}'}, "expected JSON such as"),
        ("train", {**OF_FIELD, "parameters": "[" * 9_999}, "expected JSON such as"),
        ("train", {**OF_FIELD, "classifier": "../x" * 40}, "classifier"),
        ("predict", {**OF_FIELD, "accuracy": "1e9"}, "accuracy: found"),
        ("predict", {**OF_FIELD, "confidence": "0,8"}, "0,8&#39;; expected a number from 0 to 1"),
        ("predict", {**OF_FIELD, "confidence": "1.5"}, "1.5&#39;; expected a number from 0 to 1"),
        ("evaluate", {**OF_FIELD, "model_version": "-1"}, "model_version"),
    ],
)
async def test_what_cannot_be_a_task_is_refused_with_the_reason(
    operator: httpx.AsyncClient,
    client: AsyncTaskClient,
    action: str,
    data: dict[str, str],
    said: str,
    suspect: int,
) -> None:
    del suspect
    answer = await operator.post(f"/actions/submit.{action}", data=data, headers=OURS)
    assert answer.status_code in {409, 422}
    assert said in words(answer)
    assert "pattern" not in words(answer)
    assert not (await client.list()).tasks


async def test_parameters_that_are_not_understood_stay_in_the_form(
    operator: httpx.AsyncClient, client: AsyncTaskClient, suspect: int
) -> None:
    del suspect
    for written in ('{"classifier_params": {"C": 0,5}}', "nonsense"):
        data = {**OF_FIELD, "classifier": "nb", "parameters": written}
        answer = await operator.post("/actions/submit.train", data=data, headers=OURS)
        assert answer.status_code == 422
        assert "expected JSON such as" in words(answer)
        assert f">{escape(written)}</textarea>" in answer.text
        assert 'name="classifier" maxlength="200" placeholder="svm" value="nb"' in answer.text
    assert not (await client.list()).tasks


@pytest.fixture
async def suspect(sessions: SessionFactory) -> int:
    """A document whose label looks wrong."""
    async with sessions.begin() as session:
        for statement in (
            "INSERT INTO project (id, name) VALUES (7, 'news')",
            "INSERT INTO document (id, project_id) VALUES (5, 7)",
            "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'subject')",
            "INSERT INTO field_class (id, field_id, name) VALUES (1, 3, '<b>a'), (2, 3, '<i>b')",
            "INSERT INTO document_label (document_id, field_id, class_id) VALUES (5, 3, 1)",
            (
                "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, "
                "score, model_version) VALUES (5, 3, 1, 2, 0.9, 1)"
            ),
        ):
            await session.execute(text(statement))
    return 5


@pytest.mark.parametrize("status", ["confirmed", "dismissed"])
async def test_a_label_that_looks_wrong_is_judged(
    operator: httpx.AsyncClient, suspect: int, status: str
) -> None:
    assert 'href="/fields/3/suspects"' in (await operator.get("/fields/3")).text
    page = await operator.get("/fields/3/suspects")
    assert "&lt;b&gt;a" in page.text
    data = {**OF_FIELD, "document_id": str(suspect), "next": "/fields/3/suspects"}
    answer = await operator.post(
        "/actions/label.judge", data={**data, "status": status}, headers=OURS
    )
    assert "None is open" in words(answer)
    assert "&lt;b&gt;a" in (await operator.get(f"/fields/3/suspects?status={status}")).text


async def test_a_viewer_sees_no_buttons(viewer: httpx.AsyncClient, suspect: int) -> None:
    del suspect
    for path in ("/fields/3", "/fields/3/suspects", "/projects/7"):
        assert "/actions/" not in (await viewer.get(path)).text
