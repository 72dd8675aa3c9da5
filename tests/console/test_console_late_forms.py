"""Forms that are sent late: what they show is not so any more, or nobody is logged in by then."""

import asyncio
import re
from collections.abc import Mapping

import httpx
import pytest
from sqlalchemy import text

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.db import SessionFactory
from tests.support.console import OURS, words

ROWS = (
    "INSERT INTO project (id, name) VALUES (7, 'news')",
    "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'topic')",
    (
        "INSERT INTO field_class (id, field_id, name) VALUES "
        "(1, 3, 'sports'), (2, 3, 'trade'), (4, 3, 'art')"
    ),
    "INSERT INTO document (id, project_id) VALUES (5, 7), (6, 7)",
    "INSERT INTO document_label (document_id, field_id, class_id) VALUES (5, 3, 1)",
    (
        "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, "
        "score, model_version) VALUES (5, 3, 1, 2, 0.9, 1)"
    ),
)


@pytest.fixture
async def rows(sessions: SessionFactory) -> None:
    await run(sessions, *ROWS)


async def run(sessions: SessionFactory, *statements: str) -> None:
    async with sessions.begin() as session:
        for statement in statements:
            await session.execute(text(statement))


async def labels(sessions: SessionFactory) -> Mapping[int, int]:
    async with sessions() as session:
        found = await session.execute(text("SELECT document_id, class_id FROM document_label"))
        return {int(document): int(class_id) for document, class_id in found}


def form_of(page: httpx.Response, action: str) -> dict[str, str]:
    """What a form of a page sends, but for what is chosen in it."""
    whole = rf'<form[^>]*action="/actions/{action}"[^>]*>.*?</form>'
    (form,) = re.findall(whole, page.text, re.DOTALL)
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))


@pytest.mark.usefixtures("rows")
async def test_a_label_that_was_set_meanwhile_is_not_changed_by_a_list_shown_before(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    form = form_of(await operator.get("/fields/3/suspects"), "label.set")
    assert form["class_id"] == "2"
    await run(sessions, "UPDATE document_label SET class_id = 4")
    said = words(await operator.post("/actions/label.set", data=form, headers=OURS))
    assert "Document 5 is &#39;art&#39; by now" in said
    assert "nothing was done" in said
    assert await labels(sessions) == {5: 4}

    await run(sessions, "UPDATE document_label SET class_id = 1")
    await operator.post("/actions/label.set", data=form, headers=OURS)
    assert await labels(sessions) == {5: 2}


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("document_id", "meanwhile", "said", "then"),
    [
        (5, "UPDATE document_label SET class_id = 4", "is &#39;art&#39; by now", {5: 4}),
        (5, "DELETE FROM document_label", "has no label any more", {}),
        (
            6,
            "INSERT INTO document_label (document_id, field_id, class_id) VALUES (6, 3, 4)",
            "is &#39;art&#39; by now",
            {5: 1, 6: 4},
        ),
        # As somebody else has said it too.
        (5, "UPDATE document_label SET class_id = 2", "as it was", {5: 2}),
    ],
)
async def test_the_label_that_a_document_was_shown_with_is_the_one_that_is_changed(
    operator: httpx.AsyncClient,
    sessions: SessionFactory,
    document_id: int,
    meanwhile: str,
    said: str,
    then: dict[int, int],
) -> None:
    form = form_of(await operator.get(f"/documents/{document_id}"), "label.set")
    await run(sessions, meanwhile)
    data = {**form, "class_id": "2"}
    answer = await operator.post("/actions/label.set", data=data, headers=OURS)
    assert said in words(answer)
    assert await labels(sessions) == then


@pytest.mark.usefixtures("rows")
async def test_a_document_that_was_shown_without_a_label_gets_one(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    form = form_of(await operator.get("/documents/6"), "label.set")
    data = {**form, "class_id": "2", "split": "test"}
    answer = await operator.post("/actions/label.set", data=data, headers=OURS)
    assert "Document 6 is &#39;trade&#39; in field 3." in words(answer)
    assert await labels(sessions) == {5: 1, 6: 2}
    assert "trade test" in words(await operator.get("/documents/6"))


@pytest.mark.usefixtures("rows")
async def test_a_label_that_was_set_meanwhile_is_not_removed(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    form = form_of(await operator.get("/documents/5"), "label.remove")
    await run(sessions, "UPDATE document_label SET class_id = 4")
    answer = await operator.post("/actions/label.remove", data=form, headers=OURS)
    assert "Document 5 is &#39;art&#39; by now" in words(answer)
    assert await labels(sessions) == {5: 4}


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("path", "action", "said"),
    [
        ("/fields/3", "submit.train", "by this form before"),
        ("/fields/3/train", "submit.train", "by this form before"),
        ("/projects/7", "submit.index", "by this form before"),
        ("/documents/5", "submit.describe", "A worker looks it up"),
    ],
)
async def test_a_form_that_is_sent_twice_makes_one_task(
    operator: httpx.AsyncClient, client: AsyncTaskClient, path: str, action: str, said: str
) -> None:
    form = form_of(await operator.get(path), action)
    sent = [operator.post(f"/actions/{action}", data=form, headers=OURS) for _ in range(3)]
    assert {answer.status_code for answer in await asyncio.gather(*sent)} == {200}
    assert len((await client.list()).tasks) == 1
    assert said in words(await operator.post(f"/actions/{action}", data=form, headers=OURS))

    # The page anew is a form anew, and so is what was changed in it.
    form = form_of(await operator.get(path), action)
    await operator.post(f"/actions/{action}", data=form, headers=OURS)
    assert len((await client.list()).tasks) == 2
    if action == "submit.train":
        changed = {**form, "locale": "de"}
        await operator.post(f"/actions/{action}", data=changed, headers=OURS)
        assert len((await client.list()).tasks) == 3


@pytest.mark.parametrize(
    ("referer", "back"),
    [
        ("http://localhost/fields/3/review?after=u,0.7,4", "/fields/3/review?after=u,0.7,4"),
        ("http://evil.example/fields/3", "/fields/3/review"),
        ("http://localhost/actions/submit.train", "/fields/3/review"),
        ("http://[", "/fields/3/review"),
        (None, "/fields/3/review"),
    ],
)
async def test_what_is_sent_after_the_session_has_ended_is_told_to_be_lost(
    stranger: httpx.AsyncClient, referer: str | None, back: str
) -> None:
    answer = await stranger.post(
        "/actions/prediction.review",
        data={"next": "/fields/3/review"},
        headers=OURS if referer is None else {**OURS, "Referer": referer},
    )
    assert answer.url.path == "/login"
    assert "nothing was done" in words(answer)
    assert answer.url.params["next"] == back
    assert "nothing was done" not in words(await stranger.get("/login?next=/tasks"))
