"""Projects, fields and versions in the console."""

import asyncio
import html
import json

import httpx
import pytest
from sqlalchemy import text

from lexiclass_core.db import SessionFactory
from tests.support.console import OURS, words


@pytest.fixture
async def field(sessions: SessionFactory) -> int:
    """A field with three versions, two of them ready."""
    async with sessions.begin() as session:
        for statement in (
            "INSERT INTO project (id, name, index_status) VALUES (7, '<b>news</b>', 'indexed')",
            "INSERT INTO document (project_id) SELECT 7 FROM generate_series(1, 12)",
            "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'subject <i>')",
            "INSERT INTO field_class (id, field_id, name) VALUES (1, 3, 'a <u>'), (2, 3, 'b')",
            (
                "INSERT INTO document_label (document_id, field_id, class_id, is_training_data) "
                "SELECT id, 3, 1 + id % 2, id % 4 > 0 FROM document"
            ),
            (
                "INSERT INTO model (field_id, version, status, accuracy) "
                "VALUES (3, 1, 'ready', 0.8), (3, 2, 'ready', 0.9), (3, 3, 'failed', null)"
            ),
        ):
            await session.execute(text(statement))
    return 3


async def test_the_way_from_the_projects_to_a_version_that_serves(
    operator: httpx.AsyncClient, field: int
) -> None:
    assert 'href="/projects/7"' in (await operator.get("/projects")).text
    project = await operator.get("/projects/7")
    assert "12 pending" in words(project)
    assert f'href="/fields/{field}"' in project.text
    page = await operator.get(f"/fields/{field}")
    assert "9 labels for training, 3 for testing" in words(page)
    assert "<u>" not in page.text
    assert "<b>news" not in project.text

    back = {"field_id": str(field), "next": f"/fields/{field}"}
    answer = await operator.post(
        "/actions/version.promote", data={**back, "version": "1", "reason": "as agreed"},
        headers=OURS,
    )  # fmt: skip
    assert "Version 1 serves." in words(answer)
    assert "promoted version 1 by anna as agreed" in words(answer)
    await operator.post("/actions/version.promote", data={**back, "version": "2"}, headers=OURS)
    answer = await operator.post("/actions/version.roll_back", data=back, headers=OURS)
    assert "The promotion of version 2 is undone. Version 1 serves." in words(answer)
    answer = await operator.post(
        "/actions/version.retire", data={**back, "version": "2"}, headers=OURS
    )
    assert "Version 2 is retired" in words(answer)
    answer = await operator.post(
        "/actions/version.reinstate", data={**back, "version": "2"}, headers=OURS
    )
    assert "Version 2 can be used again" in words(answer)


@pytest.mark.parametrize(
    ("version", "status", "said"),
    [("3", 409, "is failed, not ready"), ("9", 404, "no model version 9")],
)
async def test_what_cannot_serve_is_refused_with_the_reason(
    operator: httpx.AsyncClient, field: int, version: str, status: int, said: str
) -> None:
    answer = await operator.post(
        "/actions/version.promote", data={"field_id": str(field), "version": version}, headers=OURS
    )
    assert answer.status_code == status
    assert said in words(answer)
    assert "Nobody has done anything" in words(await operator.get("/activity"))


async def test_gates_hold_in_the_console_too(
    operator: httpx.AsyncClient, sessions: SessionFactory, field: int
) -> None:
    async with sessions.begin() as session:
        await session.execute(
            text('UPDATE field SET config = \'{"gates": {"max_accuracy_loss": 0.01}}\'')
        )
    data = {"field_id": str(field), "version": "1", "next": f"/fields/{field}"}
    answer = await operator.post("/actions/version.promote", data=data, headers=OURS)
    assert (
        "was not promoted by the field's gates. max accuracy loss cannot tell: "
        "it was not measured: evaluate this version."
    ) in html.unescape(words(answer))
    assert '<p class="problem" role="status">' in answer.text
    answer = await operator.post(
        "/actions/version.promote", data={**data, "override": "true"}, headers=OURS
    )
    assert answer.status_code == 409
    assert "needs a reason" in words(answer)
    answer = await operator.post(
        "/actions/version.promote", data={**data, "override": "true", "reason": "must"},
        headers=OURS,
    )  # fmt: skip
    assert "Version 1 serves." in words(answer)


async def test_gates_that_are_set_meanwhile_hold(
    operator: httpx.AsyncClient, sessions: SessionFactory, field: int
) -> None:
    data = {"field_id": str(field), "version": "1", "next": f"/fields/{field}"}
    async with sessions() as session:
        await session.execute(
            text('UPDATE field SET config = \'{"gates": {"max_accuracy_loss": 0.01}}\'')
        )
        promoting = asyncio.create_task(
            operator.post("/actions/version.promote", data=data, headers=OURS)
        )
        async with asyncio.timeout(60):
            while not await session.scalar(
                text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")
            ):
                await asyncio.sleep(0.01)
        await session.commit()
    assert "was not promoted" in words(await promoting)


async def test_an_empty_installation_says_how_to_begin(viewer: httpx.AsyncClient) -> None:
    assert "lexiclass-worker project import" in words(await viewer.get("/projects"))
    assert (await viewer.get("/projects/9")).status_code == 404
    assert (await viewer.get("/fields/99999999999999999999")).status_code == 404


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        (None, "Evaluate version 2 first: nothing is certified of it yet."),
        ((None, None), "Version 2, which serves, certifies none of these"),
        ((0.7, None), "Version 2, which serves, certifies 0.9."),
    ],
)
async def test_the_form_of_predictions_says_what_the_evaluation_certifies(
    operator: httpx.AsyncClient,
    sessions: SessionFactory,
    field: int,
    thresholds: tuple[float | None, ...] | None,
    said: str,
) -> None:
    acceptance = thresholds and [
        {
            "target": target, "threshold": found, "accepted": 0.0 if found is None else 0.5,
            "accuracy": None if found is None else 0.99,
            "guaranteed": None if found is None else target, "num_documents": 100,
        }
        for target, found in zip((0.9, 0.95), thresholds, strict=True)
    ]  # fmt: skip
    async with sessions.begin() as session:
        await session.execute(
            text("UPDATE model SET metrics = CAST(:found AS jsonb) WHERE version = 2"),
            {"found": json.dumps({"evaluation": {"acceptance": acceptance}})},
        )
    assert said in words(await operator.get(f"/fields/{field}"))


async def test_what_serves_without_a_promotion_is_told_while_there_is_none(
    operator: httpx.AsyncClient, field: int
) -> None:
    rule = "While no version is promoted, the newest that is ready serves."
    assert rule in words(await operator.get(f"/fields/{field}"))
    await operator.post(
        "/actions/version.promote",
        data={"field_id": str(field), "version": "1", "next": f"/fields/{field}"},
        headers=OURS,
    )
    assert rule not in words(await operator.get(f"/fields/{field}"))
