"""Predictions that are reviewed in the console."""

import re
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from lexiclass_core.db import SessionFactory
from lexiclass_core.documents.reviewing import count_to_review, list_to_review
from lexiclass_core.documents.reviews import ReviewPosition, ReviewQuery
from tests.support.console import OURS, words

ROWS = (
    "INSERT INTO project (id, name) VALUES (7, 'news')",
    "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'topic')",
    "INSERT INTO field_class (id, field_id, name) VALUES (1, 3, 'sports'), (2, 3, 'trade')",
    "INSERT INTO document (id, project_id) SELECT n, 7 FROM generate_series(1, 9) n",
    # 1 is accepted and 2 was not asked about; 3 and 4 are unlike the documents of training.
    (
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted, metadata) VALUES (1, 3, 1, 1, 0.99, true, '{}'), "
        "(2, 3, 1, 1, 0.1, NULL, '{}'), "
        "(3, 3, 1, 1, 0.8, false, '{\"unfamiliar\": true}'), "
        "(4, 3, 2, 1, 0.7, false, '{\"unfamiliar\": true}'), "
        "(5, 3, 2, 1, 0.6, false, '{\"unfamiliar\": false}'), (6, 3, 1, 1, 0.5, false, '{}'), "
        "(7, 3, 1, 1, 0.5, false, '[]')"
    ),
)
OF_FIELD = {"project_id": "7", "field_id": "3"}


@pytest.fixture(autouse=True)
async def rows(sessions: SessionFactory) -> None:
    async with sessions.begin() as session:
        for statement in ROWS:
            await session.execute(text(statement))


async def labels(sessions: SessionFactory) -> dict[int, int]:
    async with sessions() as session:
        found = await session.execute(text("SELECT document_id, class_id FROM document_label"))
        return {int(document): int(class_id) for document, class_id in found}


async def order(sessions: SessionFactory, limit: int, **asked: Any) -> list[int]:
    query = ReviewQuery(field_id=3, **asked)
    found: list[int] = []
    after = None
    async with sessions() as session:
        while True:
            page = await list_to_review(session, query, after=after, limit=limit)
            found += [each.document_id for each in page.predictions]
            if page.next_position is None:
                return found
            after = ReviewPosition.parse(str(page.next_position))
            assert after == page.next_position


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [4, 3, 6, 7, 5]),
        ({"class_id": 1}, [3, 6, 7]),
        ({"is_unfamiliar": True}, [4, 3]),
        ({"is_unfamiliar": False}, [6, 7, 5]),
        ({"min_confidence": 0.6, "max_confidence": 0.7}, [4, 5]),
    ],
)
async def test_what_helps_most_comes_first(
    sessions: SessionFactory, limit: int, asked: dict[str, Any], found: list[int]
) -> None:
    assert await order(sessions, limit, **asked) == found
    async with sessions() as session:
        counted = await count_to_review(session, ReviewQuery(field_id=3, **asked))
    assert counted == (len(found), False)


async def test_what_has_a_label_is_not_asked_about_however_many_have(
    sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass_core.documents.reviewing.MOST_LOOKED_AT", 2)
    async with sessions.begin() as session:
        await session.execute(
            text(
                "INSERT INTO document_label (document_id, field_id, class_id) "
                "VALUES (4, 3, 1), (3, 3, 1), (6, 3, 1), (7, 3, 1)"
            )
        )
    assert await order(sessions, 50) == [5]


async def test_one_is_confirmed_and_the_next_one_comes(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    page = await operator.get("/fields/3/review")
    assert "5 wait" in words(page)
    assert 'href="/documents/4">Document 4' in page.text
    data = {
        **OF_FIELD, "document_id": "4", "shown_class_id": "2", "class_id": "2",
        "next": "/fields/3/review?after=u,0.7,4",
    }  # fmt: skip
    answer = await operator.post("/actions/prediction.review", data=data, headers=OURS)
    assert 'href="/documents/3">Document 3' in answer.text
    assert "Document 4 is 'trade', as predicted." in words(answer).replace("&#39;", "'")

    data |= {"document_id": "3", "shown_class_id": "1", "class_id": "2"}
    answer = await operator.post("/actions/prediction.review", data=data, headers=OURS)
    assert "and not as predicted" in words(answer)
    assert await labels(sessions) == {4: 2, 3: 2}
    async with sessions() as session:
        rows = await session.execute(
            text("SELECT class_id, is_accepted FROM prediction WHERE document_id = 3")
        )
        assert rows.one() == (1, False)


async def test_what_another_has_said_meanwhile_stays(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    data = {**OF_FIELD, "document_id": "4", "shown_class_id": "2", "class_id": "2"}
    await operator.post("/actions/prediction.review", data=data, headers=OURS)
    data |= {"class_id": "1"}
    answer = await operator.post("/actions/prediction.review", data=data, headers=OURS)
    assert await labels(sessions) == {4: 2}
    assert "nothing was done" in words(await operator.get("/activity"))
    assert answer.status_code == 200


async def test_all_that_were_shown_are_confirmed_and_no_others(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    page = await operator.get("/fields/3/review", params={"class_id": "1"})
    assert "All 3 shown are right" in words(page)
    async with sessions.begin() as session:
        await session.execute(text("UPDATE prediction SET class_id = 2 WHERE document_id = 6"))
        await session.execute(
            text("INSERT INTO document_label (document_id, field_id, class_id) VALUES (7, 3, 2)")
        )
    shown = ["3:1", "6:1", "7:1"]
    assert all(f'value="{each}"' in page.text for each in shown)
    answer = await operator.post(
        "/actions/predictions.confirm",
        data={"field_id": "3", "shown": shown, "next": "/fields/3/review?class_id=1"},
        headers=OURS,
    )
    assert await labels(sessions) == {3: 1, 7: 2}
    assert answer.url.params["class_id"] == "1"
    said = words(answer)
    assert "1 documents of field 3 are labelled as predicted." in said
    assert "1 are predicted otherwise by now" in said
    assert "1 had got a label meanwhile" in said


@pytest.mark.parametrize(
    "shown", [["x"], ["1"], ["1:"], [":1"], ["0:1"], ["1:2:3"], [f"{2**70}:1"], ["1:1"] * 501]
)
async def test_no_list_but_one_of_ours_is_confirmed(
    operator: httpx.AsyncClient, sessions: SessionFactory, shown: list[str]
) -> None:
    answer = await operator.post(
        "/actions/predictions.confirm", data={"field_id": "3", "shown": shown}, headers=OURS
    )
    assert answer.status_code == 422
    assert await labels(sessions) == {}


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("from", "0,95", "Confidence from: found 0,95 ; expected a number from 0 to 1, such as"),
        ("to", "95", "Confidence to: found 95 ; expected a number from 0 to 1"),
        ("from", "nan", "Confidence from: found nan"),
        ("to", "-1", "Confidence to: found -1"),
        ("class_id", "9" * 20, "Predicted as: found 9999"),
        ("kind", "odd", "Documents: found odd ; expected unfamiliar or familiar"),
    ],
)
async def test_a_filter_that_cannot_be_read_is_named_and_shows_nothing(
    operator: httpx.AsyncClient, name: str, given: str, expected: str
) -> None:
    page = await operator.get("/fields/3/review", params={name: given, "show": "500"})
    assert expected in words(page)
    assert "Document 4" not in words(page)
    assert "shown are right" not in words(page)


async def test_a_digit_is_the_same_class_whatever_is_predicted(
    operator: httpx.AsyncClient,
) -> None:
    for predicted, other in (("1", "2"), ("2", "1")):
        page = await operator.get("/fields/3/review", params={"class_id": predicted})
        keys = re.findall(r'name="class_id" value="(\d)" data-key="(\d)"', page.text)
        assert keys == [(other, other)]


@pytest.mark.parametrize(
    "query",
    [
        {"after": "u,nan,1"}, {"after": "x"}, {"after": "u,1e999,3"}, {"after": "f,0.5,"},
        {"show": "0"}, {"show": "99999"},
    ],
)  # fmt: skip
async def test_an_address_that_says_nonsense_is_read_as_if_it_did_not(
    viewer: httpx.AsyncClient, query: dict[str, str]
) -> None:
    page = await viewer.get("/fields/3/review", params=query)
    assert page.status_code == 200
    assert "Document 4" in words(page)
