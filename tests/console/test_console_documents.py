"""Documents in the console: found, read, labelled."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from starlette.applications import Starlette

from lexiclass_console import ConsoleSettings, create_console
from lexiclass_core.db import SessionFactory
from lexiclass_core.documents.browsing import DocumentQuery, list_documents
from lexiclass_core.models import IndexStatus
from lexiclass_core.statuses import Role
from tests.support.console import OURS, browser, log_in, words
from tests.support.variants import examples

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202e &amp;"
ROWS = (
    "INSERT INTO project (id, name) VALUES (7, 'news'), (8, 'other')",
    "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'topic'), (4, 7, 'tone')",
    (
        "INSERT INTO field_class (id, field_id, name) VALUES (1, 3, 'sports'), (2, 3, 'trade'), "
        "(9, 4, 'calm')"
    ),
    (
        "INSERT INTO document (id, project_id, external_id, index_status) VALUES "
        "(1, 7, 'a-1', 'indexed'), (2, 7, 'a-2', 'pending'), (3, 7, 'b-1', 'failed'), "
        "(4, 7, NULL, 'indexed'), (5, 8, 'a-1', 'indexed')"
    ),
    (
        "INSERT INTO document_label (document_id, field_id, class_id, is_training_data) VALUES "
        "(1, 3, 1, true), (2, 3, 2, false), (2, 4, 9, true)"
    ),
)


async def run(sessions: SessionFactory, *statements: str, **values: Any) -> None:
    async with sessions.begin() as session:
        for statement in statements:
            await session.execute(text(statement), values)


@pytest.fixture
async def rows(sessions: SessionFactory) -> None:
    await run(sessions, *ROWS)


@pytest.fixture
def console(database_uri: str, broker_url: str, tmp_path: Path) -> Starlette:
    """A console that reads texts, which only operators may."""
    return create_console(
        database_uri=database_uri,
        broker_url=broker_url,
        settings=ConsoleSettings(texts_from=Role.OPERATOR),
        storage=str(tmp_path / "storage"),
    )


def put_text(tmp_path: Path, document_id: int, content: bytes) -> None:
    folder = tmp_path / "storage" / "7" / "documents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{document_id}.txt").write_bytes(content)


def listed(page: httpx.Response) -> set[int]:
    return {number for number in range(10) if f'href="/documents/{number}"' in page.text}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {1, 2, 3, 4}),
        ({"text": "a-"}, {1, 2}),
        ({"text": "4"}, {4}),
        ({"text": "A"}, set()),
        ({"index_status": "failed"}, {3}),
        ({"label": "unlabelled"}, {3, 4}),
        ({"label": "unlabelled", "field_id": "4"}, {1, 3, 4}),
        ({"label": "labelled", "field_id": "3"}, {1, 2}),
        ({"label": "test", "field_id": "3"}, {2}),
        ({"field_id": "3", "class_id": "1"}, {1}),
        ({"field_id": "3", "class_id": "1", "text": "b"}, set()),
        ({"cursor": "3"}, {1, 2}),
        ({"text": "a", "cursor": "a-1"}, {2}),
        ({"label": "nonsense", "field_id": "99", "class_id": "x", "cursor": "y"}, {1, 2, 3, 4}),
        ({"text": "\x00"}, set()),
    ],
)
@pytest.mark.usefixtures("rows")
async def test_documents_are_found_by_all_that_the_address_says(
    operator: httpx.AsyncClient, asked: dict[str, str], found: set[int]
) -> None:
    page = await operator.get("/projects/7/documents", params=asked)
    assert page.status_code == 200
    assert listed(page) == found


async def test_pages_of_documents_come_one_after_the_other(
    viewer: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    await run(
        sessions,
        "INSERT INTO project (id, name) VALUES (7, 'news')",
        "INSERT INTO document (project_id, external_id) SELECT 7, 'n' || n "
        "FROM generate_series(1, 120) n",
    )
    for prefix in (None, "n"):
        async with sessions() as session:
            query = DocumentQuery(project_id=7, text=prefix)
            seen: list[int] = []
            cursor = None
            while True:
                page = await list_documents(session, query, cursor=cursor, limit=7)
                seen += [each.id for each in page.documents]
                cursor = page.next_cursor
                if cursor is None:
                    break
        assert len(seen) == len(set(seen)) == 120
    assert "More documents" in words(await viewer.get("/projects/7/documents"))


NAMES = st.text(st.sampled_from("aAzZ-09é\ud7ff\ue000\U0010ffff%_\\' "), min_size=1, max_size=3)


@given(names=st.lists(NAMES, unique=True, max_size=8), prefix=NAMES)
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_a_document_is_found_by_whatever_its_name_begins_with(
    sessions: SessionFactory, names: Sequence[str], prefix: str
) -> None:
    async with sessions() as session:
        await session.execute(text("INSERT INTO project (id, name) VALUES (7, 'news')"))
        await session.execute(
            text(
                "INSERT INTO document (project_id, external_id) "
                "SELECT 7, unnest(CAST(:names AS text[]))"
            ),
            {"names": list(names)},
        )
        query = DocumentQuery(project_id=7, text=prefix)
        page = await list_documents(session, query, limit=50)
        await session.rollback()
    found = [each.external_id for each in page.documents if each.external_id != prefix]
    wanted = sorted(name for name in names if name.startswith(prefix) and name != prefix)
    assert sorted(filter(None, found)) == wanted


async def test_a_page_that_ends_because_enough_was_looked_at_goes_on(
    sessions: SessionFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass_core.documents.browsing.MOST_LOOKED_AT", 10)
    await run(
        sessions,
        "INSERT INTO project (id, name) VALUES (7, 'news')",
        "INSERT INTO document (id, project_id, index_status) SELECT n, 7, "
        "CASE n WHEN 1 THEN 'failed' ELSE 'indexed' END FROM generate_series(1, 25) n",
    )
    query = DocumentQuery(project_id=7, index_status=IndexStatus.FAILED)
    cursor, pages, found = None, 0, []
    async with sessions() as session:
        while True:
            page = await list_documents(session, query, cursor=cursor)
            pages += 1
            found += [each.id for each in page.documents]
            assert page.is_cut == (page.next_cursor is not None)
            cursor = page.next_cursor
            if cursor is None:
                break
    assert (pages, found) == (3, [1])


@pytest.mark.usefixtures("rows")
async def test_a_document_is_shown_with_all_that_is_known_of_it(
    operator: httpx.AsyncClient, sessions: SessionFactory, tmp_path: Path
) -> None:
    put_text(tmp_path, 1, f"The match {NASTY}".encode())
    await run(
        sessions,
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted, metadata) VALUES (1, 3, 2, 4, 0.61, false, "
        '\'{"known_words": 12, "familiarity": 0.2, "unfamiliar": true}\')',
        'UPDATE document SET metadata = \'{"source": "first.csv:2"}\'',
    )
    page = await operator.get("/documents/1")
    said = words(page)
    assert "a-1" in said
    assert "The match" in said
    assert "<script>alert" not in page.text
    assert "first.csv:2" in said
    assert "sports training trade not its label" in said
    assert "to be reviewed unfamiliar 0.610 12 4" in said


@pytest.mark.usefixtures("rows")
async def test_texts_and_what_is_said_of_them_are_for_those_who_may_see_them(
    operator: httpx.AsyncClient, sessions: SessionFactory, tmp_path: Path
) -> None:
    put_text(tmp_path, 1, b"kiwi")
    await run(sessions, 'UPDATE document SET metadata = \'{"author": "kiwi"}\'')
    data = {"project_id": "7", "field_id": "3", "document_id": "1", "class_id": "2"}
    answer = await operator.post("/actions/label.set", data=data, headers=OURS)
    assert "Document 1 is &#39;trade&#39; in field 3." in answer.text
    assert "kiwi" in (await operator.get("/documents/1")).text
    assert "trade" in words(await operator.get("/activity"))

    await log_in(operator, sessions, Role.VIEWER, "vera")

    assert "kiwi" not in (await operator.get("/documents/1")).text
    activity = words(await operator.get("/activity"))
    assert "label.set" in activity
    assert "trade" not in activity
    assert "hidden for your role" in activity


@pytest.mark.slow
@pytest.mark.usefixtures("rows")
async def test_which_class_a_document_has_is_for_those_who_may_see_texts(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    verdict = {
        "gate": "max_class_f1_loss", "outcome": "failed", "limit": 0.01,
        "says": "F1 of class 'sports' -9.0 points",
    }  # fmt: skip
    judgement = {"is_passed": False, "against": None, "verdicts": [verdict]}
    await run(
        sessions,
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted) VALUES (3, 3, 1, 1, 0.5, false)",
        "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, score, "
        "model_version, reason) VALUES (1, 3, 1, 2, 0.9, 1, '{}')",
        "INSERT INTO model (field_id, version, status) VALUES (3, 1, 'ready')",
    )
    await run(
        sessions,
        "INSERT INTO model_event (field_id, version, action, details) "
        "VALUES (3, 1, 'refused', CAST(:details AS jsonb))",
        details=json.dumps({"gates": judgement}),
    )
    of_documents = (
        "/documents/1", "/documents/3", "/projects/7/documents", "/fields/3/review",
        "/projects/7/documents?field_id=3&class_id=2", "/fields/3/suspects",
    )  # fmt: skip
    of_classes = ("/projects/7", "/fields/3", "/fields/3/versions/1")
    for path in (*of_documents, *of_classes):
        assert "sports" in words(await operator.get(path)), path

    await log_in(operator, sessions, Role.VIEWER, "vera")

    for path in of_documents:
        page = await operator.get(path)
        assert page.status_code == 200
        assert not {"sports", "trade"} & set(re.findall(r"\w+", page.text)), path
    # What filters let through would tell it too.
    found = await operator.get("/projects/7/documents?field_id=3&class_id=1")
    assert listed(found) == {1, 2, 3, 4}
    # Names of classes, and figures by class, are nobody's document.
    for path in of_classes:
        assert "sports" in words(await operator.get(path)), path


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "Its file is not there"),
        (b"", "Its text is empty"),
        ("caf\u00e9".encode("latin-1"), "caf\ufffd"),
        (b"\xef\xbb\xbfplain", "plain"),
        ("\u00e9".encode() * 70_000, "there is more in the file"),
    ],
    ids=["missing", "empty", "latin-1", "byte order mark", "large"],
)
@pytest.mark.usefixtures("rows")
async def test_whatever_a_text_is_its_page_is_there(
    operator: httpx.AsyncClient, tmp_path: Path, content: bytes | None, said: str
) -> None:
    if content is not None:
        put_text(tmp_path, 1, content)
    page = await operator.get("/documents/1")
    assert page.status_code == 200
    assert said in words(page)
    assert len(page.text) < 100_000


@pytest.mark.parametrize("path", ["../8/documents/5.txt", "/etc/passwd", "7/documents/link.txt"])
@pytest.mark.usefixtures("rows")
async def test_no_file_outside_of_its_project_is_shown(
    operator: httpx.AsyncClient, sessions: SessionFactory, tmp_path: Path, path: str
) -> None:
    put_text(tmp_path, 1, b"own")
    secret = tmp_path / "secret"
    secret.write_text("root:kiwi")
    (tmp_path / "storage/7/documents/link.txt").symlink_to(secret)
    await run(sessions, "UPDATE document SET content_path = :path WHERE id = 1", path=path)
    page = words(await operator.get("/documents/1"))
    assert "root:" not in page
    assert "none is read" in page or "cannot be read" in page


@pytest.mark.usefixtures("rows")
async def test_a_label_is_set_and_removed_and_told(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    data = {"project_id": "7", "field_id": "3", "document_id": "3"}

    async def label() -> Any:
        async with sessions() as session:
            row = await session.execute(
                text(
                    "SELECT class_id, is_training_data FROM document_label "
                    "WHERE document_id = 3 AND field_id = 3"
                )
            )
            return row.one_or_none()

    given = {**data, "class_id": "1", "split": "test", "next": "/documents/3"}
    answer = await operator.post("/actions/label.set", data=given, headers=OURS)
    assert answer.url.path == "/documents/3"
    assert await label() == (1, False)
    await operator.post(
        "/actions/label.set", data={**data, "class_name": "trade", "class_id": "0"}, headers=OURS
    )
    assert await label() == (2, False)
    assert (await operator.post("/actions/label.remove", data=data, headers=OURS)).is_success
    assert await label() is None
    activity = words(await operator.get("/activity"))
    assert activity.count("document 3 of field 3") == 3


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"class_id": "9"}, 409),
        ({"class_name": "sprots"}, 409),
        ({"document_id": "5", "class_id": "1"}, 404),
        ({"field_id": "99", "class_id": "1"}, 409),
        ({"document_id": str(2**63), "class_id": "1"}, 422),
        ({"class_id": "1", "split": "both"}, 422),
    ],
)
@pytest.mark.usefixtures("rows")
async def test_what_cannot_be_a_label_is_refused(
    operator: httpx.AsyncClient, change: dict[str, str], status: int
) -> None:
    data = {"project_id": "7", "field_id": "3", "document_id": "3", **change}
    answer = await operator.post("/actions/label.set", data=data, headers=OURS)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "action", ["label.set", "label.remove", "prediction.review", "predictions.confirm"]
)
@pytest.mark.usefixtures("rows")
async def test_a_viewer_labels_nothing(viewer: httpx.AsyncClient, action: str) -> None:
    data = {"project_id": "7", "field_id": "3", "document_id": "3", "class_id": "1"}
    answer = await viewer.post(f"/actions/{action}", data=data, headers=OURS)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("label.set", {"class_id": "1"}),
        ("label.set", {"class_id": "2"}),
        ("label.remove", {}),
        ("prediction.review", {"class_id": "1", "shown_class_id": "1"}),
        ("label.judge", {"status": "confirmed"}),
        ("predictions.confirm", {"shown": "3:1"}),
    ],
)
@pytest.mark.usefixtures("rows")
async def test_what_would_confirm_a_guess_of_a_class_is_for_those_who_may_see_it(
    database_uri: str, broker_url: str, sessions: SessionFactory, action: str, more: dict[str, str]
) -> None:
    await run(
        sessions,
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted) VALUES (3, 3, 1, 1, 0.5, false)",
        "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, score, "
        "model_version, reason) VALUES (1, 3, 1, 2, 0.9, 1, '{}')",
    )
    app = create_console(
        database_uri=database_uri,
        broker_url=broker_url,
        settings=ConsoleSettings(texts_from=Role.ADMIN),
    )
    data = {"project_id": "7", "field_id": "3", "document_id": "1", **more}
    if action == "predictions.confirm":
        data = {"field_id": "3", **more}
    async with browser(app) as somebody:
        await log_in(somebody, sessions, Role.OPERATOR)
        refused = await somebody.post(f"/actions/{action}", data=data, headers=OURS)
        assert refused.status_code == 403
        assert f"{action} needs the role admin; yours is operator." in words(refused)
        assert "Nobody has done anything" in words(await somebody.get("/activity"))
        assert f"actions/{action}" not in (await somebody.get("/documents/1")).text

        await log_in(somebody, sessions, Role.ADMIN)
        done = await somebody.post(f"/actions/{action}", data=data, headers=OURS)
        assert done.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/documents/99", f"/documents/{2**63}", "/projects/99/documents", "/fields/99/review"],
)
async def test_what_is_not_there_is_said_not_to_be(viewer: httpx.AsyncClient, path: str) -> None:
    assert (await viewer.get(path)).status_code == 404


@pytest.mark.usefixtures("rows")
async def test_a_project_says_how_its_documents_are_labelled(
    viewer: httpx.AsyncClient,
) -> None:
    said = words(await viewer.get("/projects/7"))
    assert "3 topic 1 1 2" in said
    assert "4 tone 1 0 3" in said
    assert "sports 1 0 trade 0 1" in said


@pytest.mark.usefixtures("rows")
async def test_a_label_that_looks_wrong_is_changed_where_it_is_explained(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    terms = f'["goal", {json.dumps(NASTY)}]'
    await run(
        sessions,
        "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, score, "
        "model_version, reason) VALUES (1, 3, 1, 2, 0.9, 1, CAST(:reason AS jsonb))",
        reason=f'{{"terms": {{"given": {terms}, "suggested": 7}}}}',
    )
    page = await operator.get("/fields/3/suspects")
    assert "goal" in words(page)
    assert "<script>alert" not in page.text
    assert 'href="/documents/1"' in page.text
    data = {"project_id": "7", "field_id": "3", "document_id": "1", "class_id": "2"}
    await operator.post("/actions/label.set", data=data, headers=OURS)
    assert "None is open" in words(await operator.get("/fields/3/suspects"))
    await log_in(operator, sessions, Role.VIEWER, "vera")
    seen = await operator.get("/fields/3/suspects", params={"status": "corrected"})
    assert "hidden for your role" in words(seen)
    assert "goal" not in words(seen)


@pytest.mark.usefixtures("rows")
async def test_what_files_tell_of_a_document_is_looked_up_and_shown(
    operator: httpx.AsyncClient, sessions: SessionFactory
) -> None:
    assert "Which documents are most like it" in words(await operator.get("/documents/1"))
    data = {"project_id": "7", "document_id": "1", "next": "/documents/1"}
    answer = await operator.post("/actions/submit.describe", data=data, headers=OURS)
    assert answer.url.path == "/documents/1"
    assert "A worker looks it up: pending" in words(answer)
    result = {
        "project_id": 7, "document_id": 1,
        "similar": [{"document_id": 2, "similarity": 0.42}, {"document_id": 99, "similarity": 0.1}],
        "predictions": [{
            "document_id": 1, "field_id": 3, "model_version": 4, "message_id": "m",
            "predicted_class": NASTY, "confidence": 0.7, "scores": {NASTY: 0.7, "trade": 0.3},
            "is_accepted": False, "known_words": 5, "unfamiliar": True,
        }],
    }  # fmt: skip
    await run(sessions, "UPDATE task SET status = 'started'")
    await run(
        sessions,
        "UPDATE task SET status = 'succeeded', finished_at = now(), "
        "result = CAST(:result AS jsonb)",
        result=json.dumps(result),
    )
    page = await operator.get("/documents/1")
    assert "2 a-2 0.420 tone calm topic trade test" in words(page)
    assert "to be reviewed unfamiliar 0.700 5 trade 0.300" in words(page)
    assert "<script>alert" not in page.text
    assert "/documents/99" not in page.text
    await log_in(operator, sessions, Role.VIEWER, "vera")
    assert "0.420" not in words(await operator.get("/documents/1"))
