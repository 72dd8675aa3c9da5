"""Similar documents and near-duplicates on the command line, in this process."""

import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass import Document, build_index
from lexiclass.manifest import text_digest
from lexiclass_worker.ml.index import token_index_name
from tests.support.commands import Run
from tests.support.corpora import SmallProject, add_document, add_label, create_project
from tests.support.database import Database

TEXTS = [
    ("red apple on a green table", "animals", True),
    ("red apple on a green table", "vehicles", False),
    ("red apple on a green table today", "animals", True),
    ("trains leave the station at noon", "animals", True),
]


@pytest.fixture
def project(database: Database, storage_path: Path) -> SmallProject:
    """Four documents, indexed."""

    async def create(session: AsyncSession) -> SmallProject:
        project = await create_project(session, storage_path, training=0, test=0)
        for text, label, is_training_data in TEXTS:
            document_id = await add_document(session, storage_path, project.project_id, text)
            await add_label(session, project, document_id, label, is_training_data=is_training_data)
        return project

    project = database.run(create)
    documents = zip(project.document_ids, TEXTS, strict=True)
    build_index(
        storage_path / str(project.project_id) / "indexes" / "icu-en",
        [Document(number, text, text_digest(text), "utf-8") for number, (text, *_) in documents],
    )
    # As in a project that is older than the digests of its indexes.
    database.execute("UPDATE project SET takes_unknown_indexes = true")
    database.execute(
        "UPDATE document SET metadata = jsonb_build_object('source', 'mail/' || id, 'id', id)"
    )
    return project


def test_the_most_similar_documents_are_listed(
    cli: Run, project: SmallProject, database: Database
) -> None:
    first, second, third, _ = project.document_ids

    outcome = cli("similar", project.project_id, first, "--json")

    assert outcome.status == 0
    assert [row["document"] for row in outcome.json] == [second, third]
    assert outcome.json[0] == {
        "rank": 1,
        "document": second,
        "similarity": 1.0,
        "source_id": str(second),
        "source": f"mail/{second}",
        "excerpt": TEXTS[1][0],
    }
    assert cli("similar", project.project_id, first, "-k", 1, "--json").json == outcome.json[:1]
    database.execute("UPDATE document SET external_id = 'doc-1' WHERE id = :id", id=first)
    assert cli("similar", "small", "doc-1", "--json").json == outcome.json
    request = cli("predict", "small", "topic", "--document", "doc-1", "--json").json["request"]
    assert request["document_ids"] == [first]
    assert "has no document 'doc-2'" in cli("similar", "small", "doc-2").err
    table = cli("similar", project.project_id, first)
    assert table.status == 0
    assert "similarity" in table.out
    assert f"mail/{second}" in table.out
    assert "red apple" in table.out


def test_a_text_or_a_file_can_be_asked_about(
    cli: Run, project: SmallProject, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("Trains leave at NOON, the station", encoding="utf-16")

    by_text = cli("similar", project.project_id, "--text", TEXTS[0][0], "--json").json
    by_file = cli("similar", project.project_id, "--file", "text.txt", "--json").json

    assert [row["similarity"] for row in by_text[:2]] == [1.0, 1.0]
    assert (by_file[0]["document"], by_file[0]["similarity"]) == (project.document_ids[3], 1.0)
    nothing = cli("similar", project.project_id, "--text", "unheard")
    assert nothing.status == 0
    assert "No document shares a word" in nothing.out


def test_documents_that_were_deleted_since_are_no_results(
    cli: Run, project: SmallProject, database: Database
) -> None:
    first, second, third, _ = project.document_ids
    database.execute("DELETE FROM document WHERE id = :id", id=second)

    found = cli("similar", project.project_id, first, "-k", 1, "--json").json
    (group,) = cli("duplicates", project.project_id, "--threshold", 0.6, "--json").json["groups"]

    assert [row["document"] for row in found] == [third]
    assert [document["id"] for document in group["documents"]] == [first, third]


def test_near_duplicates_are_grouped_and_their_labels_compared(
    cli: Run, project: SmallProject
) -> None:
    first, second, third, _ = project.document_ids

    report = cli("duplicates", project.project_id, "--threshold", 0.6, "--json").json

    assert (report["num_groups"], report["num_documents"]) == (1, 3)
    (group,) = report["groups"]
    assert (group["conflicts"], group["crossings"]) == (["topic"], ["topic"])
    assert [
        (document["id"], document["is_identical"], document["labels"])
        for document in group["documents"]
    ] == [
        (first, True, [{"field": "topic", "class_name": "animals", "is_training_data": True}]),
        (second, True, [{"field": "topic", "class_name": "vehicles", "is_training_data": False}]),
        (third, False, [{"field": "topic", "class_name": "animals", "is_training_data": True}]),
    ]
    assert [(document["source"], document["excerpt"]) for document in group["documents"]] == [
        (f"mail/{number}", text)
        for number, (text, *_) in zip((first, second, third), TEXTS, strict=False)
    ]
    table = cli("duplicates", project.project_id)
    assert table.status == 0
    assert f"mail/{second}" in table.out
    assert "topic: vehicles (test)" in table.out
    assert "2 documents, groups: 1; with different classes in one field: 1" in table.out


def test_a_project_without_duplicates_says_so(
    cli: Run, project: SmallProject, database: Database
) -> None:
    for document_id in project.document_ids[1:]:
        database.execute("DELETE FROM document WHERE id = :id", id=document_id)
    outcome = cli("duplicates", project.project_id)
    assert outcome.status == 0
    assert "No two documents have a cosine of 0.9 or more" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("similar", 4711, 1), "project 4711 does not exist"),
        (("similar", "P", 4711), "has no document 4711"),
        (("similar", "P", "D", "--locale", "de"), "lexiclass-worker index P --tokenizer icu"),
        (("similar", "P", "D", "--tokenizer", "../x"), "There is no tokenizer named"),
        (("duplicates", "P", "--threshold", "0"), "above 0 and at most 1"),
        (("duplicates", 4711), "project 4711 does not exist"),
        (("duplicates", "P", "--tokenizer", "spacy"), "has no index 'spacy-en'"),
        (("similar", "P", "D", "--features", "bow"), "learns from the training documents"),
        (("similar", "P", "--file", "B"), "binary"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_what_can_not_be_done_says_why(
    cli: Run, project: SmallProject, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    (tmp_path / "binary").write_bytes(b"PK\x00\x00")
    names = {"P": project.project_id, "D": project.document_ids[0], "B": tmp_path / "binary"}

    outcome = cli(*(names.get(str(argument), argument) for argument in arguments))

    assert outcome.status == 1
    assert outcome.out == ""
    assert message.replace(" P ", f" {project.project_id} ") in outcome.err
    assert "Traceback" not in outcome.err


def test_an_index_with_parameters_of_its_tokenizer_is_named_by_them(
    cli: Run, project: SmallProject, storage_path: Path
) -> None:
    params = {"lowercase": False}
    options = (project.project_id, "--tokenizer-params", json.dumps(params), "--json")
    missing = cli("duplicates", *options)
    assert missing.status == 1
    assert (
        """--tokenizer icu --locale en --tokenizer-params '{"lowercase": false}'""" in missing.err
    )

    directory = storage_path / str(project.project_id) / "indexes"
    name = token_index_name("icu", "en", params)
    ids = project.document_ids[:2]
    texts = [
        Document(i, text, text_digest(text), "utf-8") for i, text in zip(ids, "aA", strict=True)
    ]
    build_index(directory / name, texts, params=params)
    assert cli("duplicates", *options).json["num_groups"] == 0
    found = cli("similar", *options, "--text", "A").json
    assert [row["document"] for row in found] == [ids[1]]


@pytest.mark.parametrize("arguments", [(), ("1", "--text", "x"), ("1", "--features-params", "[]")])
def test_a_question_that_is_none_is_wrong_usage(
    cli: Run, project: SmallProject, arguments: tuple[str, ...]
) -> None:
    assert cli("similar", project.project_id, *arguments).status == 2


def test_a_document_that_is_not_indexed_yet_is_named(
    cli: Run, project: SmallProject, database: Database, storage_path: Path
) -> None:
    async def add(session: AsyncSession) -> int:
        return await add_document(session, storage_path, project.project_id, "new")

    document_id = database.run(add)

    outcome = cli("similar", project.project_id, document_id)

    assert outcome.status == 1
    assert f"The index has no document {document_id}; index it first" in outcome.err


def test_a_damaged_index_says_so(cli: Run, project: SmallProject, storage_path: Path) -> None:
    (shard,) = storage_path.glob("*/indexes/icu-en/shard-*[0-9a-f].safetensors")
    data = bytearray(shard.read_bytes())
    data[-3] ^= 1
    shard.write_bytes(data)
    for arguments in (("similar", project.document_ids[0]), ("duplicates",)):
        command, *rest = arguments
        outcome = cli(command, project.project_id, *rest)
        assert outcome.status == 1
        assert "the content was changed" in outcome.err
