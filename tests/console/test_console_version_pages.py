"""A version's page with its report, and two versions side by side."""

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, text

from lexiclass_console import ConsoleSettings, create_console
from lexiclass_console.reports import Report
from lexiclass_core.client import AsyncModels
from lexiclass_core.db import SessionFactory
from lexiclass_core.models import Model
from lexiclass_core.statuses import Role
from lexiclass_core.versions.kept_reports import KeptFile
from tests.integration.conftest import warm_sandbox, workshop
from tests.support.console import OURS, browser, log_in, words
from tests.support.corpora import SmallProject
from tests.support.services import Workshop

__all__ = ["warm_sandbox", "workshop"]


@pytest.fixture
async def project(workshop: Workshop) -> SmallProject:
    """A project with a version that was evaluated, and is wrong of a document or more."""
    project = await workshop.project(training=6, test=4)
    await workshop.train(project)
    await workshop.execute(
        "UPDATE document_label SET class_id = :id WHERE document_id = :document",
        id=next(
            number
            for name, number in project.class_ids.items()
            if name != project.true_class[project.test_ids[0]]
        ),
        document=project.test_ids[0],
    )
    await workshop.evaluate(project)
    return project


@pytest.fixture
async def visitor(
    database_uri: str, broker_url: str, workshop: Workshop
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at a console that was told where the storage is; logged in as nobody yet."""
    app = create_console(
        database_uri=database_uri,
        broker_url=broker_url,
        storage=str(workshop.path),
        settings=ConsoleSettings(texts_from=Role.OPERATOR),
    )
    async with browser(app) as client:
        yield client


async def test_a_version_is_shown_with_its_report_to_who_may_see_it(
    visitor: httpx.AsyncClient, sessions: SessionFactory, project: SmallProject, workshop: Workshop
) -> None:
    address = f"/fields/{project.field_id}/versions/1"
    assert "/login" in str((await visitor.get(f"{address}/report.html")).url)

    await log_in(visitor, sessions, Role.OPERATOR)
    page = await visitor.get(address)
    assert page.status_code == 200
    for said in (
        "How good it is", "on all such documents", "Macro F1", "What to do:", "icu",
        "SHA-256 of training set", "trained",
    ):  # fmt: skip
        assert said in words(page)
    assert f'href="{address}/report.html?test_set=' in page.text
    assert "max_iter" in page.text

    report = await visitor.get(f"{address}/report.html")
    (stored,) = workshop.path.glob("*/reports/*/v1/*/report.html")
    assert report.content == stored.read_bytes()
    policy = report.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert policy.endswith("sandbox")
    assert "script-src" not in policy
    assert report.headers["x-content-type-options"] == "nosniff"
    as_json = await visitor.get(f"{address}/report.json")
    assert as_json.json()["format_version"] == 1
    assert all(mistake["text"] is None for mistake in as_json.json()["mistakes"])
    assert "sandbox" in as_json.headers["content-security-policy"]
    for wrong in ("predictions.jsonl", "..%2f..%2fmanifest.json", "x"):
        assert (await visitor.get(f"{address}/{wrong}")).status_code == 404
    assert (await visitor.get(f"{address}/report.html?test_set=../..")).status_code == 404

    await log_in(visitor, sessions, Role.VIEWER)
    page = await visitor.get(address)
    assert "Macro F1" in words(page)
    assert "The report itself tells single documents, which your role may not see" in words(page)
    assert "report.html" not in page.text
    for name in ("report.html", "report.json"):
        answer = await visitor.get(f"{address}/{name}")
        assert answer.status_code == 403
        assert "tells single documents" in words(answer)
    assert (await visitor.get(f"{address}/predictions.jsonl")).status_code == 404


MISTAKE = {"document": 5, "true": "sports", "predicted": "trade", "confidence": 0.9, "text": None}
FINDING = {"code": "LX009", "level": "note", "title": "t", "message": "m", "advice": "a"}
COMPARISON = {"message": "m", "verdict": "better", "fixed": [], "broken": []}


@pytest.mark.parametrize(
    ("parts", "tells"),
    [
        ({}, False),
        ({"findings": [FINDING, FINDING | {"documents": []}]}, False),
        ({"comparison": COMPARISON}, False),
        ({"mistakes": [MISTAKE]}, True),
        ({"mistakes": [MISTAKE | {"text": "goal"}]}, True),
        ({"findings": [FINDING, FINDING | {"documents": ["a"]}]}, True),
        ({"comparison": COMPARISON | {"fixed": [5]}}, True),
        ({"comparison": COMPARISON | {"broken": [5]}}, True),
    ],
)
def test_a_report_tells_documents_wherever_it_names_one(parts: dict[str, Any], tells: bool) -> None:
    estimate = {"value": 0.9, "low": 0.8, "high": 1.0}
    report = {
        "format_version": 1, "created_at": "2026-01-01T00:00:00Z", "verdict": "good",
        "test_set": {"name": "test", "num_documents": 10},
        "accuracy": estimate, "macro_f1": estimate, "acceptance": {"thresholds": []},
        "calibration": {"debiased_calibration_error": {"value": 0.1, "expected": 0.2}},
        "findings": [], "mistakes": [],
    }  # fmt: skip
    assert Report.model_validate(report | parts).tells_documents is tells


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.write_bytes(b"{}"), "is not as it was written"),
        (lambda file: file.write_bytes(file.read_bytes().replace(b"1", b"2")), "was changed"),
        (Path.unlink, "is gone"),
    ],
)
async def test_a_report_that_was_damaged_is_not_shown(
    visitor: httpx.AsyncClient,
    sessions: SessionFactory,
    project: SmallProject,
    workshop: Workshop,
    damage: Any,
    said: str,
) -> None:
    (stored,) = workshop.path.glob("*/reports/*/v1/*/report.json")
    damage(stored)
    await log_in(visitor, sessions, Role.OPERATOR)
    address = f"/fields/{project.field_id}/versions/1"
    page = await visitor.get(address)
    assert page.status_code == 200
    assert "Its report cannot be shown" in words(page)
    assert said in words(page)
    answer = await visitor.get(f"{address}/report.html")
    assert answer.status_code == 502
    assert "evaluate the version again" in words(answer)


@pytest.mark.slow
async def test_a_report_is_sent_as_it_was_when_it_was_looked_through(
    visitor: httpx.AsyncClient,
    sessions: SessionFactory,
    project: SmallProject,
    workshop: Workshop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (stored,) = workshop.path.glob("*/reports/*/v1/*/report.json")
    with_documents = stored.read_bytes()
    kept = json.loads(with_documents) | {"mistakes": [], "findings": [], "comparison": None}
    without = json.dumps(kept).encode()

    async def put(content: bytes) -> None:
        stored.write_bytes(content)
        async with sessions.begin() as session:
            (model,) = await session.scalars(select(Model))
            metrics = copy.deepcopy(dict(model.metrics))
            for each in metrics["reports"].values():
                file = KeptFile.of(content).model_dump()
                each["current"]["files"]["report.json"] = file
            model.metrics = metrics

    read = AsyncModels.report

    async def read_then_replaced(*args: Any, **kwargs: Any) -> Any:
        file = await read(*args, **kwargs)
        await put(with_documents)
        return file

    await put(without)
    monkeypatch.setattr(AsyncModels, "report", read_then_replaced)
    await log_in(visitor, sessions, Role.VIEWER)
    address = f"/fields/{project.field_id}/versions/1/report.json"
    assert (await visitor.get(address)).content == without
    assert (await visitor.get(address)).status_code == 403


ROWS = (
    "INSERT INTO project (id, name) VALUES (7, 'news')",
    "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'subject <i>')",
    (
        "INSERT INTO model (field_id, version, status, accuracy, metrics, manifest, test_errors) "
        "SELECT 3, n, 'ready', 0.5 + n / 10.0, jsonb_build_object("
        "'test_set', jsonb_build_object('digest', CASE WHEN n = 4 THEN 'b' ELSE 'a' END, "
        "'num_documents', 200), 'evaluation', jsonb_build_object('accuracy', 0.5 + n / 10.0, "
        "'per_class_metrics', jsonb_build_object('a <u>', jsonb_build_object('f1_score', 0.5)))), "
        "jsonb_build_object('model_digest', 'd' || n / 2, 'spec', jsonb_build_object('C', n)), "
        "ARRAY(SELECT generate_series(n, 60, n)) FROM generate_series(1, 4) n"
    ),
)


@pytest.fixture
async def rows(sessions: SessionFactory) -> None:
    """Four versions, the last one of another test set; the second and third are one model."""
    async with sessions.begin() as session:
        for statement in ROWS:
            await session.execute(text(statement))


async def test_two_versions_are_compared_the_interval_first(
    operator: httpx.AsyncClient, rows: None
) -> None:
    del rows
    page = await operator.get("/fields/3/compare?first=1&second=2")
    said = words(page)
    assert "Version 2 is better than version 1, beyond chance" in said
    assert said.index("in 19 cases of 20") < said.index("p = ")
    assert "30 documents are right with version 2 alone, 0 with version 1 alone" in said
    assert "<u>" not in page.text
    assert "<i>" not in page.text

    data = {"field_id": "3", "version": "2", "next": "/fields/3/compare?first=1&second=2"}
    answer = await operator.post("/actions/version.promote", data=data, headers=OURS)
    assert "Version 2 serves." in words(answer)
    assert answer.url.path == "/fields/3/compare"
    assert "Let version 2 serve" not in words(answer)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("first=2&second=3", "This is the same model."),
        ("first=3&second=4", "evaluated on different test sets"),
        ("first=2&second=2", "no better than itself"),
        ("", "better than"),
        ("first=x&second=-1", "better than"),
    ],
)
async def test_what_cannot_be_compared_is_said(
    operator: httpx.AsyncClient, rows: None, query: str, said: str
) -> None:
    del rows
    page = await operator.get(f"/fields/3/compare?{query}")
    assert page.status_code == 200
    assert said in words(page)
    assert "beyond chance" not in words(page).replace("Which of these are beyond chance", "")


async def test_what_is_pruned_is_retired_before(operator: httpx.AsyncClient, rows: None) -> None:
    del rows
    data = {"field_id": "3", "version": "1", "is_sure": "true"}
    assert (
        await operator.post("/actions/version.prune", data=data, headers=OURS)
    ).status_code == 403


async def test_an_admin_prunes_what_is_retired(
    stranger: httpx.AsyncClient, sessions: SessionFactory, rows: None
) -> None:
    del rows
    await log_in(stranger, sessions, Role.ADMIN)
    address = "/fields/3/versions/1"
    data = {"field_id": "3", "version": "1", "is_sure": "true", "next": address}
    answer = await stranger.post("/actions/version.prune", data=data, headers=OURS)
    assert "retire it first" in words(answer)
    await stranger.post("/actions/version.retire", data=data | {"is_sure": ""}, headers=OURS)
    retired = {name: value for name, value in data.items() if name != "is_sure"}
    await stranger.post("/actions/version.retire", data=retired, headers=OURS)
    answer = await stranger.post("/actions/version.prune", data=retired, headers=OURS)
    assert "say that you are sure" in words(answer)
    assert "Prune it" in (await stranger.get(address)).text
    answer = await stranger.post("/actions/version.prune", data=data, headers=OURS)
    assert "files of version 1 go" in words(answer)
    assert "retired , pruned" in words(answer) or "retired, pruned" in words(answer)
    assert "Prune it" not in answer.text


@pytest.mark.parametrize(
    "path", ["/fields/3/versions/9", "/fields/9/versions/1", "/fields/9/compare", "/fields/9/train",
             f"/fields/3/versions/{'9' * 30}", "/fields/3/compare?first=1&second=9"]
)  # fmt: skip
async def test_what_is_not_there_is_told(
    operator: httpx.AsyncClient, rows: None, path: str
) -> None:
    del rows
    assert (await operator.get(path)).status_code == 404
