"""A project in an object store: what is asked of it, and that its indexes are used."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lexiclass import DocumentIndex
from lexiclass.index.tokens.manifest import IndexManifest
from lexiclass_core.file_systems import read_times_quickly
from lexiclass_worker.admin.similarity import IndexChoice, find_similar, report_duplicates
from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.errors import StorageUnavailable
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.ml import index_files
from lexiclass_worker.services.known_indexes import KnownIndexes
from tests.support.corpora import SmallProject, make_text
from tests.support.object_store import ObjectStore
from tests.support.services import Workshop


@dataclass(slots=True)
class Remote:
    """A workshop whose storage is an object store."""

    workshop: Workshop
    store: ObjectStore
    url: str

    def on_another_machine(self) -> None:
        """Go on where nothing was copied to yet."""
        used = self.workshop.settings.storage
        assert used.cache_directory is not None
        other = used.cache_directory.with_name(f"{used.cache_directory.name}-other")
        storage = used.model_copy(update={"cache_directory": other})
        self.workshop.settings = self.workshop.settings.model_copy(update={"storage": storage})
        self.workshop.storage = ObjectStorage(self.url, KeptCopies(storage))

    async def project(self, **arguments: Any) -> SmallProject:
        project = await self.workshop.project(**arguments)
        self.upload(project.project_id)
        return project

    def upload(self, project_id: int) -> None:
        """Bring a project's documents to the store."""
        files = fsspec.filesystem("s3")
        files.put(
            f"{self.workshop.path}/{project_id}/", f"{self.url}/{project_id}/", recursive=True
        )

    def write(self, project: SmallProject, document_id: int, content: bytes) -> None:
        files = fsspec.filesystem("s3")
        files.pipe_file(f"{self.url}/{project.project_id}/documents/{document_id}.txt", content)

    def index_names(self, project: SmallProject) -> set[str]:
        found = fsspec.filesystem("s3", use_listings_cache=False).ls(
            f"{self.url}/{project.project_id}/indexes/icu-en", detail=False
        )
        return {name.rpartition("/")[2] for name in found}


@pytest.fixture
def remote(workshop: Workshop, object_store: ObjectStore, tmp_path: Path) -> Remote:
    url = f"{object_store.url}/{tmp_path.name}"
    workshop.storage = ObjectStorage(url, KeptCopies(workshop.settings.storage))
    return Remote(workshop, object_store, url)


def named(*ids: int) -> list[str]:
    return sorted(f"{number}.txt" for number in ids)


@pytest.mark.slow
@pytest.mark.parametrize(
    "training",
    [
        pytest.param(8, id="few documents"),
        pytest.param(40, id="many documents", marks=pytest.mark.slow),
    ],
)
async def test_only_what_has_changed_is_downloaded_and_uploaded(
    remote: Remote, training: int
) -> None:
    """Few objects are asked for one by one, many are listed."""
    project = await remote.project(training=training, test=0)
    ids = project.document_ids
    remote.store.forget()
    await remote.workshop.index(project)
    first = remote.index_names(project)
    assert remote.store.asked("GET", "documents/") == named(*ids)
    # A manifest is copied from beside its place, and removed there.
    (staged,) = remote.store.asked("DELETE")
    assert remote.store.asked("PUT") == sorted({*first, staged})

    remote.store.forget()
    again = await remote.workshop.index(project)
    assert (again.unchanged, again.changed) == (len(ids), 0)
    assert remote.store.asked("GET", "documents/") == []
    assert set(remote.store.asked("GET", "indexes/")) == {"index.json"}
    assert remote.store.asked("PUT") == remote.store.asked("DELETE") == []

    remote.write(project, ids[0], b"something else altogether")
    remote.store.forget()
    changed = await remote.workshop.index(project)
    second = remote.index_names(project)
    assert (changed.unchanged, changed.changed) == (len(ids) - 1, 1)
    assert remote.store.asked("GET", "documents/") == named(ids[0])
    assert set(remote.store.asked("GET", "indexes/")) == {"index.json"}
    (staged,) = set(remote.store.asked("DELETE")) - first
    assert staged.endswith(".staged")
    assert remote.store.asked("PUT") == sorted((second - first) | {"index.json", staged})
    assert remote.store.asked("DELETE") == sorted((first - second) | {staged})
    assert first & second > {"index.json"}

    remote.on_another_machine()
    remote.store.forget()
    elsewhere = await remote.workshop.index(project)
    assert elsewhere.unchanged == len(ids)
    assert set(remote.store.asked("GET", "indexes/")) == second
    assert remote.store.asked("GET", "documents/") == remote.store.asked("PUT") == []


@pytest.mark.slow
async def test_the_index_serves_training_evaluating_and_predicting(
    remote: Remote, origins: list[dict[str, int]]
) -> None:
    project = await remote.project(training=8, test=4)
    await remote.workshop.index(project)
    remote.on_another_machine()
    remote.store.forget()

    await remote.workshop.train(project)
    evaluated = await remote.workshop.evaluate(project)
    await remote.workshop.predict(project)

    assert origins == [{"indexed": 24}, {"indexed": 12}, {"indexed": 36}]
    assert remote.store.asked("GET", "documents/") == []
    downloads = remote.store.asked("GET", "indexes/")
    assert set(downloads) == remote.index_names(project)
    data = [name for name in downloads if name != "index.json"]
    assert len(data) == len(set(data))
    duplicates = evaluated.metrics.duplicates_in_training
    assert duplicates is not None
    assert duplicates.num_compared == 12

    remote.write(project, project.test_ids[0], make_text("kitchen", 1).encode())
    origins.clear()
    await remote.workshop.predict(project)
    assert origins == [{"indexed": 35, "changed": 1}]
    assert remote.store.asked("GET", "documents/") == named(project.test_ids[0])


@pytest.mark.slow
async def test_an_index_too_large_to_copy_is_left_alone(
    remote: Remote, origins: list[dict[str, int]]
) -> None:
    project = await remote.project(training=4, test=2)
    storage = remote.workshop.settings.storage.model_copy(update={"cache_bytes": 1000})
    remote.workshop.settings = remote.workshop.settings.model_copy(update={"storage": storage})
    await remote.workshop.index(project)

    await remote.workshop.train(project)

    assert origins == [{"missing": 12}]
    assert storage.cache_directory is not None
    assert list(storage.cache_directory.glob("*/*/")) == []


@pytest.mark.slow
async def test_a_model_is_downloaded_once(remote: Remote) -> None:
    project = await remote.project(training=4, test=2)
    workshop = remote.workshop
    await workshop.index(project)
    await workshop.train(project)
    files = remote.store.asked
    remote.store.forget()
    await workshop.predict(project)
    downloaded = files("GET", f"models/{project.field_id}/v1/")
    assert set(downloaded) > {"manifest.json"}

    remote.store.forget()
    await workshop.evaluate(project)
    assert files("GET", f"models/{project.field_id}/") == ["manifest.json"]

    await workshop.train(project)
    remote.store.forget()
    await workshop.predict(project)
    assert files("GET", f"models/{project.field_id}/v2/") == downloaded

    remote.on_another_machine()
    remote.store.forget()
    await workshop.predict(project, model_version=1)
    assert files("GET", f"models/{project.field_id}/v1/") == downloaded


@pytest.mark.slow
async def test_a_damaged_copy_of_a_model_is_used_no_second_time(remote: Remote) -> None:
    project = await remote.project(training=4, test=2)
    workshop = remote.workshop
    await workshop.train(project)
    await workshop.predict(project)
    cache = workshop.settings.storage.cache_directory
    assert cache is not None
    array = max(cache.glob("*/v1-*/**/*.safetensors"), key=lambda path: path.stat().st_size)
    data = bytearray(array.read_bytes())
    data[-3] ^= 1
    array.write_bytes(data)

    with pytest.raises(StorageUnavailable, match="the content was changed"):
        await workshop.predict(project)
    await workshop.predict(project)


@pytest.mark.slow
async def test_a_model_too_large_to_keep_is_downloaded_for_each_task(remote: Remote) -> None:
    project = await remote.project(training=4, test=2)
    workshop = remote.workshop
    await workshop.train(project)
    tiny = workshop.settings.storage.model_copy(update={"cache_bytes": 10})
    workshop.storage = ObjectStorage(remote.url, KeptCopies(tiny))
    for _ in range(2):
        remote.store.forget()
        await workshop.predict(project)
        assert len(remote.store.asked("GET", f"models/{project.field_id}/v1/")) > 2


async def test_similar_documents_and_duplicates_are_found_in_a_copy(remote: Remote) -> None:
    project = await remote.project(training=3, test=0)
    first, other = project.document_ids[0], project.document_ids[4]
    text = make_text(project.true_class[first], 0)
    remote.write(project, other, text.encode())
    await remote.workshop.index(project)
    remote.on_another_machine()
    here = remote.workshop.admin()
    choice = IndexChoice(project_id=project.project_id)

    found = await find_similar(here, choice, first, limit=3)
    (group,) = await report_duplicates(here, choice, threshold=0.99)

    assert found[0].id == other
    assert {document.id for document in group.documents} == {first, other}


async def test_an_empty_document_is_the_same_on_a_disk_and_in_a_store(
    workshop: Workshop, object_store: ObjectStore, tmp_path: Path
) -> None:
    project = await workshop.project(training=2, test=0)
    empty = project.document_ids[0]
    workshop.document(project, empty).write_bytes(b"")
    on_disk = await workshop.index(project)
    remote = Remote(workshop, object_store, f"{object_store.url}/{tmp_path.name}")
    workshop.storage = ObjectStorage(remote.url)
    remote.upload(project.project_id)
    fsspec.filesystem("s3").rm(f"{remote.url}/{project.project_id}/indexes", recursive=True)

    in_store = await workshop.index(project)

    assert on_disk.num_skipped == in_store.num_skipped == 0
    assert on_disk.num_documents == in_store.num_documents == 6
    assert in_store.added == 6


@pytest.mark.slow
async def test_a_worker_that_has_lost_its_place_uploads_no_manifest(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await remote.project(training=4, test=0)
    await remote.workshop.index(project)
    key = f"{remote.url}/{project.project_id}/indexes/icu-en/index.json"
    files = fsspec.filesystem("s3", use_listings_cache=False)
    before = files.cat_file(key)
    remote.write(project, project.document_ids[0], b"another")
    asked = []

    may_publish = KnownIndexes.may_publish

    async def refuse_late(known: KnownIndexes, publication: Publication | None) -> None:
        asked.append(1)
        if len(asked) == 4:
            raise asyncio.CancelledError
        await may_publish(known, publication)

    monkeypatch.setattr(KnownIndexes, "may_publish", refuse_late)
    with pytest.raises(asyncio.CancelledError):
        await remote.workshop.index(project)
    assert files.cat_file(key) == before
    named_then = set(remote.index_names(project))

    monkeypatch.setattr(KnownIndexes, "may_publish", may_publish)
    result = await remote.workshop.index(project)

    assert result.num_documents == 12
    assert files.cat_file(key) != before
    assert not remote.index_names(project) >= named_then


@pytest.mark.slow
async def test_an_index_of_another_project_is_not_taken_and_made_anew(
    remote: Remote, origins: list[dict[str, int]]
) -> None:
    project, neighbour = [await remote.project(training=4, test=0) for _ in range(2)]
    for each in (project, neighbour):
        await remote.workshop.index(each)
    files = fsspec.filesystem("s3", use_listings_cache=False)
    ours, theirs = (
        f"{remote.url}/{each.project_id}/indexes/icu-en" for each in (project, neighbour)
    )
    files.rm(ours, recursive=True)
    files.copy(f"{theirs}/", f"{ours}/", recursive=True)

    await remote.workshop.train(project)
    made_anew = await remote.workshop.index(project)
    await remote.workshop.train(project)

    assert origins == [{"missing": 12}, {"indexed": 12}]
    assert (made_anew.added, made_anew.unchanged) == (12, 0)


@pytest.mark.slow
async def test_readers_see_whole_generations_while_builds_go_on(remote: Remote) -> None:
    project = await remote.project(training=4, test=0)
    await remote.workshop.index(project)
    remote_settings = remote.workshop.settings
    remote.on_another_machine()
    indexes = await KnownIndexes(remote.workshop.context(), project.project_id).at_hand()
    remote.workshop.settings = remote_settings
    is_over = False

    def read_often() -> set[int]:
        sizes = set()
        while not is_over:
            with index_files.reading(indexes, "icu-en", IndexManifest.read) as directory:
                assert directory is not None
                index = DocumentIndex.open(directory)
            index.verify()
            sizes.add(len(index.tokens()))
            time.sleep(0.02)
        return sizes

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read_often)
        try:
            for number in range(3):
                remote.write(project, project.document_ids[number], b"another one")
                await remote.workshop.index(project)
        finally:
            is_over = True
    assert reader.result() == {12}


@pytest.mark.slow
async def test_erased_documents_leave_nothing_in_the_store_nor_in_this_machines_copies(
    remote: Remote,
) -> None:
    word = b"quuxzanzib"
    project = await remote.project(training=6, test=1)
    secret = project.training_ids[0]
    remote.write(project, secret, f"{make_text('animals', 99)} quuxzanzib".encode())
    workshop = remote.workshop
    await workshop.index(project)
    await workshop.train(project)
    await workshop.predict(project)
    store = fsspec.filesystem("s3", use_listings_cache=False)

    def with_word() -> set[str]:
        root = f"{remote.url.removeprefix('s3://')}/{project.project_id}"
        return {
            name.removeprefix(root).split("/")[1]
            for name in store.find(root)
            if word in store.cat_file(name)
        }

    assert with_word() == {"documents", "indexes", "models"}

    result = await workshop.erase(project, secret, remove_models=True)

    assert (result.num_documents, result.num_indexes, result.num_predictions) == (1, 1, 1)
    assert with_word() == set()
    cache = workshop.settings.storage.cache_directory
    assert cache is not None
    indexes = [path for path in cache.rglob("*") if "icu-en" in str(path) and path.is_file()]
    assert indexes
    assert not any(word in path.read_bytes() for path in indexes)
    # Another machine has the new generation as soon as it reads, and the rest is as it was.
    remote.on_another_machine()
    indexed = await workshop.index(project)
    assert (indexed.num_documents, indexed.unchanged) == (20, 20)

    await workshop.erase(project, *project.document_ids)
    await workshop.delete(project)

    assert store.find(f"{remote.url}/{project.project_id}") == []


@pytest.fixture
def numbered(object_store: ObjectStore, tmp_path: Path) -> StoredProject:
    """A project in an object store, with documents 1000, 1010 to 1290 and what lies below them."""
    url = f"{object_store.url}/{tmp_path.name}"
    texts = {f"{number}.txt": b"text" for number in range(1_000, 1_300, 10)}
    below = {
        "12/1201.txt": b"of a folder",
        "12/7/documents/125.txt": b"of a folder that is called so too",
        "1200.txt/more.txt": b"below a name",
    }
    beside = {f"../other/{name}": b"of another folder" for name in texts}
    fsspec.filesystem("s3").pipe(
        {
            f"{url}/7/documents/{name}".replace("documents/../", ""): text
            for name, text in {**texts, **below, **beside}.items()
        }
    )
    return StoredProject(
        url, 7, cache_directory=tmp_path, cache_bytes=0, document_bytes=100, is_writer=False
    )


def test_documents_are_listed_by_the_beginning_of_their_names(numbered: StoredProject) -> None:
    assert numbered.lists_by_prefix()
    whole = numbered.listed("7/documents")
    assert set(whole) == set(named(*range(1_000, 1_300, 10)))
    part = numbered.listed("7/documents", ["11", "129", "13"])
    assert part == {name: look for name, look in whole.items() if name.startswith(("11", "129"))}
    assert part["1100.txt"] == numbered.looked_at("7/documents", ["1100.txt"])["1100.txt"]
    assert numbered.listed("7/documents", ["12"]) == {
        name: look for name, look in whole.items() if name.startswith("12")
    }
    assert numbered.listed("7/none", ["1"]) == {}


@pytest.mark.slow_variants
@pytest.mark.parametrize("prefix", ["../other/1", "12/", ".."])
def test_no_listing_leads_out_of_its_folder(numbered: StoredProject, prefix: str) -> None:
    with pytest.raises(PermissionError):
        numbered.listed("7/documents", [prefix])


@pytest.mark.slow
def test_times_of_listings_are_what_botocore_takes_them_for(
    numbered: StoredProject, object_store: ObjectStore, tmp_path: Path
) -> None:
    files = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    folder = f"{object_store.url}/{tmp_path.name}/7/documents"
    before = files.find(folder, detail=True)
    read_times_quickly(files)
    assert files.find(folder, detail=True) == before
    first, listed = next(iter(before.items()))
    assert files.info(first)["LastModified"] == listed["LastModified"]
