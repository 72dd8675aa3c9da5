"""Actions on what another removes at the same moment."""

import asyncio
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from lexiclass_core.db import SessionFactory
from tests.support.console import OURS, words

ROWS: Final = (
    "INSERT INTO project (id, name) VALUES (7, 'news')",
    "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'topic')",
    "INSERT INTO field_class (id, field_id, name) VALUES (1, 3, 'sports'), (2, 3, 'trade')",
    "INSERT INTO document (id, project_id) SELECT n, 7 FROM generate_series(1, 3) n",
    (
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted) SELECT n, 3, 2, 1, 0.5, false FROM generate_series(1, 3) n"
    ),
)
OF_DOCUMENT: Final = {"project_id": "7", "field_id": "3", "document_id": "1", "class_id": "1"}
TASKS: Final = (
    "INSERT INTO task (id, message_id, type, queue, project_id, request) OVERRIDING SYSTEM VALUE "
    "SELECT n, 'm' || n, 'index_documents', 'indexing', 7, '{\"project_id\": 7}' "
    "FROM generate_series(1, 3) n"
)
ACTIONS: Final[dict[str, dict[str, Any]]] = {
    "label.set": OF_DOCUMENT,
    "prediction.review": {**OF_DOCUMENT, "shown_class_id": "1"},
    "predictions.confirm": {"field_id": "3", "shown": ["1:2", "2:2"]},
}
SEVERAL_TASKS: Final = {"tasks.cancel": {"task_ids": ["1", "2", "3"]}}
REMOVALS: Final = {
    "document": "DELETE FROM document WHERE id = 1",
    "class": "DELETE FROM field_class WHERE id IN (1, 2)",
    "field": "DELETE FROM field WHERE id = 3",
    "project": "DELETE FROM project WHERE id = 7",
}
WAITS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
    "AND datname = current_database()"
)


@pytest.fixture(autouse=True)
async def rows(sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        for statement in ROWS:
            await session.execute(text(statement))


async def _act_while(
    operator: httpx.AsyncClient, sessions: SessionFactory, action: str, removal: str
) -> httpx.Response:
    """Act once something is removed, and before that is committed."""
    async with sessions() as removing:
        await removing.execute(text(removal))
        acting = asyncio.create_task(
            operator.post(
                f"/actions/{action}", data=(ACTIONS | SEVERAL_TASKS)[action], headers=OURS
            )
        )
        async with sessions() as watching:
            while not acting.done() and not await watching.scalar(text(WAITS)):
                await watching.rollback()
                await asyncio.sleep(0.02)
        await removing.commit()
    return await acting


@pytest.mark.slow_variants(6)
@pytest.mark.parametrize("removed", REMOVALS)
@pytest.mark.parametrize("action", ACTIONS)
async def test_what_is_removed_meanwhile_is_told_and_audited_only_if_something_was_done(
    operator: httpx.AsyncClient, sessions: SessionFactory, action: str, removed: str
) -> None:
    answer = await _act_while(operator, sessions, action, REMOVALS[removed])
    assert answer.status_code in {200, 404, 409}
    async with sessions() as session:
        audited = await session.scalar(text("SELECT count(*) FROM audit_event"))
    assert audited == (1 if answer.history else 0)


async def test_one_that_is_removed_keeps_no_other_from_being_confirmed(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    answer = await _act_while(operator, sessions, "predictions.confirm", REMOVALS["document"])
    assert "1 documents of field 3 are labelled as predicted" in words(answer)
    async with sessions() as session:
        labelled = await session.scalars(text("SELECT document_id FROM document_label"))
        assert list(labelled) == [2]


async def test_a_task_that_is_removed_keeps_no_other_from_being_cancelled(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    async with sessions.begin() as session:
        await session.execute(text(TASKS))
    removal = "DELETE FROM task WHERE id = 2"
    answer = await _act_while(operator, sessions, "tasks.cancel", removal)
    assert "2 tasks were cancelled. 1 is gone: 2." in words(answer)
