"""Large indexings, spread over chunks: every message delivered by hand, or lost by hand."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from lexiclass import DocumentIndex
from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.client.messages import Sender
from lexiclass_core.envelope import Envelope
from lexiclass_core.models import TaskStatus
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queueing.envelopes import LONGEST_ID
from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed
from lexiclass_worker.execution.reconciler import Reconciler
from lexiclass_worker.repositories.locks import index_lock
from lexiclass_worker.services.bulk_indexing import index_document_chunk
from lexiclass_worker.services.indexing import index_documents
from lexiclass_worker.setting_groups import IndexingSettings
from tests.support.corpora import SmallProject, add_document
from tests.support.deliveries import Post, come_due, deliver, delivery, with_limits
from tests.support.index_content import index_content
from tests.support.object_store import ObjectStore
from tests.support.services import Workshop, content_below
from tests.support.workers import RawSender

CHUNKS = "SELECT * FROM task WHERE parent_id IS NOT NULL ORDER BY id"
SERVICES: dict[str, Any] = {
    "index_documents": index_documents,
    "index_document_chunk": index_document_chunk,
}


class IndexingPost(Post):
    """Hands over large indexings."""

    async def submit(
        self, project: SmallProject, message_id: str = "large", **asked: Any
    ) -> Envelope:
        """Deliver an indexing. Returns it."""
        envelope = Envelope(
            message_id=message_id,
            actor_name="index_documents",
            queue="indexing",
            kwargs={"project_id": project.project_id, **asked},
            correlation_id="c",
        )
        await self.hand_over(envelope)
        return envelope

    async def divide(
        self, project: SmallProject, message_id: str = "large", **asked: Any
    ) -> list[Envelope]:
        """Deliver an indexing that is too large for one task. Returns its chunks."""
        with pytest.raises(Snooze, match="waits for its"):
            await self.submit(project, message_id, **asked)
        return self.collect()

    async def finish(self, chunks: Sequence[Envelope]) -> dict[str, Any]:
        """Deliver chunks, and what comes of them. Returns the result of the task."""
        for chunk in chunks:
            await self.hand_over(chunk)
        (reminder,) = self.collect()
        assert reminder.is_reminder
        return await self.hand_over(reminder)


@dataclass
class Place:
    """Where a project's index lies, on a disk or in an object store."""

    workshop: Workshop
    url: str | None = None

    async def project(self, **options: Any) -> SmallProject:
        project = await self.workshop.project(**options)
        if self.url is not None:
            folder = f"{self.workshop.path}/{project.project_id}/"
            fsspec.filesystem("s3").put(folder, f"{self.url}/{project.project_id}/", recursive=True)
        return project

    def on_another_machine(self, name: str) -> None:
        """Go on where nothing was copied to yet; a disk is shared."""
        if self.url is None:
            return
        used = self.workshop.settings.storage
        assert used.cache_directory is not None
        other = used.cache_directory.with_name(f"cache-{name}")
        storage = used.model_copy(update={"cache_directory": other})
        self.workshop.settings = self.workshop.settings.model_copy(update={"storage": storage})
        self.workshop.storage = ObjectStorage(self.url, KeptCopies(storage))

    def index(self, project: SmallProject, name: str = "icu-en") -> Path:
        """A folder with the files of the index."""
        if self.url is None:
            return self.workshop.path / str(project.project_id) / "indexes" / name
        target = self.workshop.path / "fetched" / str(len(list(self.workshop.path.iterdir())))
        fetched = target / name
        fetched.mkdir(parents=True, exist_ok=True)
        for old in fetched.iterdir():
            old.unlink()
        fsspec.filesystem("s3", use_listings_cache=False).get(
            f"{self.url}/{project.project_id}/indexes/{name}/", f"{fetched}/", recursive=True
        )
        return fetched

    def content(self, project: SmallProject) -> list[str]:
        """What is the same for the same documents: in a store, all files to the byte."""
        return index_content(self.index(project), with_stamps=self.url is not None)

    def leftovers(self, project: SmallProject) -> set[str]:
        """Files of the index' folder that its manifest does not name."""
        folder = self.index(project)
        named = {"index.json", *DocumentIndex.open(folder).manifest.files}
        return {path.name for path in folder.iterdir()} - named


@pytest.fixture(params=["disk", pytest.param("store", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, workshop: Workshop, tmp_path: Path) -> Place:
    workshop.settings = workshop.settings.model_copy(
        update={"indexing": IndexingSettings(chunk_size=10)}
    )
    if request.param == "disk":
        return Place(workshop)
    store: ObjectStore = request.getfixturevalue("object_store")
    url = f"{store.url}/{tmp_path.name}"
    workshop.storage = ObjectStorage(url, KeptCopies(workshop.settings.storage))
    return Place(workshop, url)


@pytest.fixture
def post(workshop: Workshop) -> IndexingPost:
    return IndexingPost(workshop, SERVICES)


async def row(workshop: Workshop, message_id: str = "large") -> dict[str, Any]:
    return await workshop.row("SELECT * FROM task WHERE message_id = :id", id=message_id)


async def index_status(workshop: Workshop, project: SmallProject) -> str:
    found = await workshop.row("SELECT * FROM project WHERE id = :id", id=project.project_id)
    return str(found["index_status"])


@pytest.mark.slow
async def test_chunks_in_any_order_and_place_come_to_one_index(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    chunks = await post.divide(project)
    assert len(chunks) == 5
    assert await index_status(workshop, project) == "indexing"
    result = await post.finish(chunks)
    assert (result["num_documents"], result["added"], result["num_skipped"]) == (48, 48, 0)
    assert {each["status"] for each in await workshop.rows(CHUNKS)} == {"succeeded"}
    assert await index_status(workshop, project) == "indexed"
    statuses = await workshop.rows("SELECT DISTINCT index_status FROM document")
    assert statuses == [{"index_status": "indexed"}]
    content = place.content(project)
    assert place.leftovers(project) == set()
    task = await row(workshop)
    assert (task["attempts"], task["num_chunks"], task["progress"]) == (1, 5, 100)

    again = await post.divide(project, "again", is_incremental=False)
    for number, chunk in enumerate(reversed(again)):
        place.on_another_machine(f"{number}")
        await post.hand_over(chunk)
    place.on_another_machine("another")
    (reminder,) = post.collect()
    assert (await post.hand_over(reminder))["num_documents"] == 48
    assert place.content(project) == content
    assert place.leftovers(project) == set()

    # A chunk that is sent once more changes nothing.
    for chunk in (*chunks, *again):
        await post.hand_over(chunk)
    assert place.content(project) == content


async def test_a_large_index_is_the_one_that_a_task_makes_by_itself(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    await post.finish(await post.divide(project))
    spread = DocumentIndex.open(place.index(project))
    await workshop.index(project, is_incremental=False)
    whole = DocumentIndex.open(place.index(project))
    assert spread.ids.tolist() == whole.ids.tolist()
    assert spread.tokens().to_lists() == whole.tokens().to_lists()


@pytest.mark.slow
async def test_an_indexing_with_the_longest_message_id_is_spread_too(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    result = await post.finish(await post.divide(project, "\N{SNOWMAN}" * LONGEST_ID))
    assert result["num_documents"] == 48
    ids = {chunk["message_id"] for chunk in await workshop.rows(CHUNKS)}
    assert (len(ids), max(map(len, ids)) <= LONGEST_ID) == (5, True)


@pytest.mark.slow
async def test_only_what_is_new_is_spread(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project(training=2, test=0)
    await post.submit(project, "small")
    assert await workshop.rows(CHUNKS) == []
    async with workshop.sessions.begin() as session:
        for number in range(25):
            await add_document(session, workshop.path, project.project_id, f"new cat {number}")
    if place.url is not None:
        fsspec.filesystem("s3").put(
            f"{workshop.path}/{project.project_id}/",
            f"{place.url}/{project.project_id}/",
            recursive=True,
        )
    place.on_another_machine("another")
    chunks = await post.divide(project)
    assert len(chunks) == 3
    result = await post.finish(chunks)
    assert (result["added"], result["num_documents"]) == (25, 31)
    assert result["unchanged"] + result["changed"] == 6
    assert place.leftovers(project) == set()
    await post.submit(project, "nothing new")
    assert len(await workshop.rows(CHUNKS)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("place", ["disk"], indirect=True)
async def test_chunks_that_redis_did_not_take_are_sent_by_the_reconciler(
    workshop: Workshop, post: IndexingPost, place: Place, reconciler: Reconciler, sender: RawSender
) -> None:
    project = await place.project()
    away = Sender(f"redis://127.0.0.1:{free_port()}/0", "dramatiq")
    message = delivery(message_id="large", project_id=project.project_id)

    def send(envelopes: Sequence[Envelope]) -> None:
        for each in envelopes:
            away.send(each)

    with pytest.raises(Snooze, match="waits for its"):
        await deliver(workshop, index_documents, message, send=send)
    away.close()
    assert (await row(workshop))["num_chunks"] == 5
    assert await index_status(workshop, project) == "indexing"
    assert sender.size("indexing") == 0

    assert await reconciler.run()
    assert sender.size("indexing") == 6  # its own with them
    waiting = await workshop.rows(CHUNKS)
    chunks = [
        Envelope(
            message_id=each["message_id"],
            actor_name=each["type"],
            queue=each["queue"],
            kwargs=each["request"],
            correlation_id=each["correlation_id"],
        )
        for each in waiting
    ]
    assert (await post.finish(chunks))["num_documents"] == 48
    assert await index_status(workshop, project) == "indexed"


@pytest.mark.slow
@pytest.mark.parametrize("place", ["disk"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    ["INSERT ON task WHEN (new.parent_id IS NOT NULL)", "UPDATE OF index_status ON document"],
    ids=["no chunk can be written", "what is indexed cannot be written"],
)
async def test_an_indexing_that_the_database_refuses_at_last_leaves_no_project_indexing(
    workshop: Workshop, post: IndexingPost, place: Place, statement: str
) -> None:
    where, _, condition = statement.partition(" WHEN ")
    project = await place.project(**({} if condition else {"training": 2, "test": 0}))
    await workshop.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RAISE SQLSTATE ''53100'' USING MESSAGE = ''no room''; END'"
    )
    await workshop.execute(
        f"CREATE TRIGGER refuse BEFORE {where} FOR EACH ROW "
        f"{f'WHEN {condition}' if condition else ''} EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(RetryLater, match="DATABASE_ERROR"):
        await post.submit(project)

    task = await row(workshop)
    assert (task["status"], task["num_chunks"]) == ("retrying", None)
    assert await index_status(workshop, project) == "failed"
    assert await workshop.rows(CHUNKS) == []

    await workshop.execute("DROP FUNCTION refuse CASCADE")
    await come_due(workshop, "large")
    if condition:
        await post.finish(await post.divide(project))
    else:
        await post.submit(project)
    assert await index_status(workshop, project) == "indexed"


@pytest.mark.slow
async def test_a_chunk_whose_worker_died_is_made_again_and_the_index_is_the_same(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    await post.finish(await post.divide(project))
    content = place.content(project)

    first, *others = await post.divide(project, "again", is_incremental=False)
    await workshop.execute(
        "UPDATE task SET status = 'started', lease_owner = 'gone', lease_token = 1, attempts = 1, "
        "started_at = now(), lease_expires_at = now() - interval '1 second' "
        "WHERE message_id = :id",
        id=first.message_id,
    )
    place.on_another_machine("another")
    await post.finish([first, *others])

    assert place.content(project) == content
    attempts = [(each["attempts"], each["crashes"]) for each in await workshop.rows(CHUNKS)]
    assert attempts[5:] == [(2, 1), (1, 0), (1, 0), (1, 0), (1, 0)]


@pytest.mark.slow
async def test_a_worker_that_dies_while_it_collects_is_replaced(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    for chunk in await post.divide(project):
        await post.hand_over(chunk)
    await workshop.execute(
        "UPDATE task SET lease_owner = 'gone', lease_token = lease_token + 1, attempts = 1, "
        "lease_expires_at = now() - interval '1 second' WHERE message_id = 'large'"
    )
    place.on_another_machine("another")
    (reminder,) = post.collect()
    assert (await post.hand_over(reminder))["num_documents"] == 48
    task = await row(workshop)
    assert (task["attempts"], task["crashes"]) == (2, 1)
    assert place.leftovers(project) == set()


async def test_what_is_cancelled_leaves_the_index_and_the_next_one_goes_on(
    workshop: Workshop, post: IndexingPost, place: Place, client: AsyncTaskClient
) -> None:
    project = await place.project()
    first, second, *_ = await post.divide(project)
    await post.hand_over(first)
    cancelled = await client.cancel("large")
    assert cancelled.status is TaskStatus.CANCELLED
    with pytest.raises(TaskFailed, match="CANCELLED"):
        await post.hand_over(second)
    assert not (place.index(project) / "index.json").exists()

    place.on_another_machine("another")
    chunks = await post.divide(project, "next")
    assert len(chunks) == 4  # the documents of the first are at hand
    assert (await post.finish(chunks))["num_documents"] == 48
    assert place.leftovers(project) == set()


@pytest.mark.slow
async def test_a_chunk_that_fails_for_good_fails_the_task_and_leaves_the_index(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    await post.finish(await post.divide(project))
    content = place.content(project)
    workshop.settings = with_limits(workshop.settings, max_attempts=1)
    first, *others = await post.divide(project, "again", is_incremental=False)
    await workshop.execute(
        "UPDATE task SET request = jsonb_set(request, '{tokenizer}', '\"none\"') "
        "WHERE message_id = :id",
        id=first.message_id,
    )
    first.kwargs["tokenizer"] = "none"
    with pytest.raises(TaskFailed, match="PLUGIN_NOT_FOUND"):
        await post.hand_over(first)
    for chunk in others:
        await post.hand_over(chunk)
    (reminder,) = post.collect()
    with pytest.raises(TaskFailed):
        await post.hand_over(reminder)
    task = await row(workshop, "again")
    assert (task["status"], task["error"]["code"]) == ("failed", "PLUGIN_NOT_FOUND")
    assert task["error"]["message"].startswith("1 of 5 chunks failed, the first of them")
    assert task["error"]["details"]["documents_read"] == 38
    assert await index_status(workshop, project) == "indexed"
    assert place.content(project) == content


@pytest.mark.slow
async def test_another_indexing_of_the_project_waits_without_a_thread(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project, other = await place.project(), await place.project(training=2, test=0)
    chunks = await post.divide(project)
    with pytest.raises(Snooze, match="in chunks"):
        await post.submit(project, "second")
    assert (await row(workshop, "second"))["lease_owner"] is None
    await post.submit(other, "other project")
    await post.finish(chunks)
    await come_due(workshop, "second")
    await post.submit(project, "second")
    assert (await row(workshop, "second"))["status"] == "succeeded"
    assert len(await workshop.rows(CHUNKS)) == 5


@pytest.mark.slow
async def test_documents_erased_in_the_middle_leave_no_trace(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    erased = project.document_ids[0]
    text = b"xylophonist plays"
    if place.url is None:
        workshop.document(project, erased).write_bytes(text)
    else:
        fsspec.filesystem("s3").pipe_file(
            f"{place.url}/{project.project_id}/documents/{erased}.txt", text
        )
    first, *others = await post.divide(project)
    await post.hand_over(first)
    assert b"xylophonist" in content_below(place.index(project))
    await workshop.erase(project, erased)
    if place.url is None:
        assert b"xylophonist" not in content_below(place.index(project))
    result = await post.finish(others)
    assert result["num_documents"] == 47
    assert b"xylophonist" not in content_below(place.index(project))
    assert place.leftovers(project) == set()


@pytest.mark.slow
async def test_a_chunk_waits_for_who_changes_the_index_and_not_for_other_chunks(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    first, second, *others = await post.divide(project)
    async with index_lock(workshop.sessions, project.project_id, silence_s=15, is_shared=True):
        await post.hand_over(first)
    async with index_lock(workshop.sessions, project.project_id, silence_s=15):
        waiting = asyncio.create_task(post.hand_over(second))
        await workshop.until_there_is(
            "SELECT 1 FROM task WHERE message_id = :id AND status = 'started'",
            id=second.message_id,
        )
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    for chunk in others:
        await post.hand_over(chunk)
    (reminder,) = post.collect()
    assert (await post.hand_over(reminder))["num_documents"] == 48


async def test_a_worker_from_which_a_chunk_was_taken_puts_no_shard_there(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    (first, *_) = await post.divide(project)

    async def taken_over(task: Any, request: Any) -> Any:
        await workshop.execute(
            "UPDATE task SET lease_owner = 'another', lease_token = lease_token + 1 "
            "WHERE message_id = :id",
            id=first.message_id,
        )
        return await index_document_chunk(task, request)

    message = delivery(message_id=first.message_id, **first.kwargs)
    schema = OPERATIONS[first.actor_name].request
    with suppress(Snooze, RetryLater):
        await deliver(workshop, taken_over, message, schema=schema)
    if place.url is None:
        assert not place.index(project).exists() or list(place.index(project).iterdir()) == []
    else:
        files = fsspec.filesystem("s3", use_listings_cache=False)
        assert files.find(f"{place.url}/{project.project_id}/indexes") == []


@pytest.mark.slow
async def test_rows_of_a_deleted_project_end_what_is_left_of_its_indexing(
    workshop: Workshop, post: IndexingPost, place: Place
) -> None:
    project = await place.project()
    first, second, *_ = await post.divide(project)
    await post.hand_over(first)
    await workshop.delete(project)
    with pytest.raises((TaskFailed, Snooze, RetryLater)):
        await post.hand_over(second)
    root = workshop.path / str(project.project_id)
    if place.url is None:
        assert not root.exists()
    else:
        files = fsspec.filesystem("s3", use_listings_cache=False)
        assert files.find(f"{place.url}/{project.project_id}") == []
