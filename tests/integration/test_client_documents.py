"""The client adds, corrects and finds documents, on a disk and in an object store."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from lexiclass_core.client import (
    AsyncTaskClient,
    DocumentError,
    Label,
    NameNotFound,
    NewDocument,
    StorageNotGiven,
    TaskClient,
    open_texts,
)
from lexiclass_core.documents import unsettled
from lexiclass_worker.artifacts.opening import open_storage
from tests.support.corpora import SmallProject
from tests.support.object_store import ObjectStore
from tests.support.services import Workshop

LABELS = """
    SELECT d.external_id, c.name, l.is_training_data FROM document_label l
    JOIN document d ON d.id = l.document_id JOIN field_class c ON c.id = l.class_id ORDER BY d.id
"""


@pytest.fixture(params=["disk", "object store"])
def storage(request: pytest.FixtureRequest, storage_path: Path, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(storage_path)
    store: ObjectStore = request.getfixturevalue("object_store")
    return f"{store.url}/{tmp_path.name}"


@pytest.fixture
def client(database_uri: str, broker_url: str, storage: str) -> Iterator[TaskClient]:
    with TaskClient(database_uri=database_uri, broker_url=broker_url, storage=storage) as client:
        yield client


def files(storage: str) -> dict[str, bytes]:
    fs, base = fsspec.core.url_to_fs(storage, use_listings_cache=False)
    found = fs.find(base) if fs.isdir(base) else []
    return {name.removeprefix(base).strip("/"): fs.cat_file(name) for name in found}


def documents(*texts: str) -> list[NewDocument]:
    return [
        NewDocument(
            external_id=f"d{number}",
            text=text,
            labels={"topic": Label(class_name=("farm", "law")[number % 2])},
            metadata={"id": f"d{number}"},
        )
        for number, text in enumerate(texts)
    ]


@pytest.mark.slow_variants
async def test_documents_are_added_replaced_and_found(
    client: TaskClient, storage: str, workshop: Workshop
) -> None:
    project_id = client.documents.create_project("shop")
    added = client.documents.add(project_id, documents("one", "two", "three"))
    assert (added.counts.added, added.counts.labels_added) == (3, 3)
    again = client.documents.add(project_id, documents("one", "two", "three"))
    assert (again.document_ids, again.counts.unchanged) == (added.document_ids, 3)

    changed = client.documents.add(project_id, documents("one", "another"))

    assert (changed.counts.changed, changed.counts.unchanged) == (1, 1)
    first, second, third = added.document_ids
    assert client.documents.find(project_id, ["d2", first]) == [third, first]
    folder = f"{project_id}/documents"
    assert files(storage) == {
        f"{folder}/{first}.txt": b"one",
        f"{folder}/{second}.txt": b"another",
        f"{folder}/{third}.txt": b"three",
    }
    # A worker reads what the client has written.
    workshop.storage = open_storage(storage)
    field = await workshop.row("SELECT id FROM field")
    project = SmallProject(project_id, field["id"], {})
    assert (await workshop.index(project)).num_documents == 3


async def test_an_addition_that_fails_leaves_nothing(
    client: TaskClient, storage: str, workshop: Workshop
) -> None:
    project_id = client.documents.create_project("shop")
    client.documents.add(project_id, documents("one"))
    before = files(storage)

    twice = documents("another", "two", "three")
    with pytest.raises(DocumentError, match="given twice"):
        client.documents.add(project_id, [*twice, twice[0]])
    with pytest.raises(DocumentError, match="project 99 does not exist"):
        client.documents.add(99, twice)

    assert files(storage) == before
    assert len(await workshop.rows("SELECT id FROM document")) == 1
    assert unsettled(open_texts(storage)) == []


async def test_labels_are_corrected_by_names(
    database_uri: str, broker_url: str, tmp_path: Path, workshop: Workshop
) -> None:
    async with AsyncTaskClient(
        database_uri=database_uri, broker_url=broker_url, storage=str(tmp_path / "s")
    ) as client:
        project_id = await client.documents.create_project("shop", "with a description")
        field_id = await client.documents.create_field(project_id, "topic", ["farm", "law"])
        assert await client.documents.create_field(project_id, "topic", ["law"]) == field_id
        await client.documents.add(project_id, documents("one", "two"))

        set_label = client.documents.set_label
        assert await set_label(project_id, "topic", "d0", "law", is_training_data=False)
        assert not await set_label(project_id, field_id, "d0", "law")
        with pytest.raises(NameNotFound, match="no class of field"):
            await set_label(project_id, "topic", "d0", "lwa")
        with pytest.raises(NameNotFound, match="no field of project"):
            await set_label(project_id, "tpoic", "d0", "law")
        with pytest.raises(DocumentError, match="has no document 'd9'"):
            await set_label(project_id, "topic", "d9", "law")
        assert await client.documents.remove_label(project_id, "topic", "d1")
        assert not await client.documents.remove_label(project_id, "topic", "d1")

    assert [tuple(row.values()) for row in await workshop.rows(LABELS)] == [("d0", "law", False)]


def test_a_client_that_knows_no_storage_adds_nothing(database_uri: str, broker_url: str) -> None:
    with TaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        project_id = client.documents.create_project("shop")
        with pytest.raises(StorageNotGiven, match="STORAGE__BASE_PATH"):
            client.documents.add(project_id, documents("one"))


def test_deletions_are_submitted(database_uri: str, broker_url: str) -> None:
    with TaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        erasure = client.delete_documents(7, [1, 2], remove_models=True, priority=-5)
        deletion = client.delete_project(7, correlation_id="because")

    assert (erasure.type, erasure.request) == (
        "erase_documents",
        {"project_id": 7, "document_ids": [1, 2], "remove_models": True},
    )
    assert (deletion.type, deletion.request) == ("delete_project", {"project_id": 7})
