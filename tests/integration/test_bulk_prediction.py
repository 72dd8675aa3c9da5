"""Large predictions, divided into chunks: every message delivered by hand, or lost by hand."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text

from lexiclass_core.client import AsyncTaskClient
from lexiclass_core.envelope import Envelope
from lexiclass_core.models import TaskStatus
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_core.schemas import PredictFieldDocuments
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed
from lexiclass_worker.execution.reconciler import Reconciler
from lexiclass_worker.services.prediction import predict_document_chunk, predict_field_documents
from lexiclass_worker.setting_groups import PredictionSettings, ReconcilerSettings
from tests.support.corpora import SmallProject
from tests.support.deliveries import Post, come_due, deliver, delivery, with_limits
from tests.support.services import Workshop

PREDICTIONS = "SELECT * FROM prediction ORDER BY document_id"
PREDICTED = "SELECT document_id, class_id, confidence FROM prediction ORDER BY document_id"
CHUNKS = "SELECT * FROM task WHERE parent_id IS NOT NULL ORDER BY id"
SERVICES: dict[str, Any] = {
    "predict_field_documents": predict_field_documents,
    "predict_document_chunk": predict_document_chunk,
}


class PredictionPost(Post):
    """Hands over large predictions."""

    async def divide(
        self,
        project: SmallProject,
        ids: list[int] | None = None,
        message_id: str = "bulk",
        **asked: Any,
    ) -> Envelope:
        """Deliver a prediction that is too large for one task. Returns it; its chunks wait."""
        kwargs = {"project_id": project.project_id, "field_id": project.field_id}
        envelope = Envelope(
            message_id=message_id,
            actor_name="predict_field_documents",
            queue="prediction",
            kwargs={**kwargs, "document_ids": ids, **asked},
            correlation_id="c",
        )
        with pytest.raises(Snooze, match="waits for its"):
            await self.hand_over(envelope)
        return envelope

    async def hand_over_all(self) -> dict[str, Any]:
        """Deliver everything, and what comes of it. Returns the result of the last."""
        result: dict[str, Any] = {}
        while envelopes := self.collect():
            for envelope in envelopes:
                result = await self.hand_over(envelope)
        return result


@pytest.fixture
async def post(workshop: Workshop) -> PredictionPost:
    workshop.settings = workshop.settings.model_copy(
        update={"prediction": PredictionSettings(chunk_size=10)}
    )
    return PredictionPost(workshop, SERVICES)


@pytest.fixture
async def project(workshop: Workshop) -> SmallProject:
    """48 documents, and a model."""
    project = await workshop.project()
    await workshop.train(project)
    return project


async def row(workshop: Workshop, message_id: str = "bulk") -> dict[str, Any]:
    return await workshop.row("SELECT * FROM task WHERE message_id = :id", id=message_id)


async def test_chunks_come_to_what_one_task_would(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await workshop.predict(project, message_id="whole")
    whole = await workshop.rows(PREDICTED)
    await workshop.execute("DELETE FROM prediction")

    await post.divide(project)

    waiting = await row(workshop)
    assert (waiting["status"], waiting["attempts"], waiting["num_chunks"]) == ("started", 0, 5)
    assert (waiting["lease_owner"], waiting["lease_expires_at"]) == (None, None)
    chunks = await workshop.rows(CHUNKS)
    assert {chunk["status"] for chunk in chunks} == {"pending"}
    assert [chunk["message_id"] for chunk in chunks] == [f"bulk.{n:04}" for n in range(5)]
    assert {chunk["correlation_id"] for chunk in chunks} == {waiting["correlation_id"]}
    assert [(sent.message_id, sent.queue) for sent in post.sent] == [
        (chunk["message_id"], "bulk") for chunk in chunks
    ]

    result = await post.hand_over_all()

    assert result == (await row(workshop))["result"] == {
        "status": "completed", "project_id": project.project_id, "field_id": project.field_id,
        "model_version": 1, "predictions_created": 48, "total_documents": 48, "num_missing": 0,
        "missing_document_ids": [], "num_empty": 0, "empty_document_ids": [], "replaced": {},
        "accept_from": None, "num_accepted": None, "num_to_review": None,
    }  # fmt: skip
    assert await workshop.rows(PREDICTED) == whole
    histories = [workshop.history(project, f"bulk.{n:04}").read_text() for n in range(5)]
    assert "".join(histories) == workshop.history(project, "whole").read_text()
    ended = await row(workshop)
    assert (ended["status"], ended["attempts"], ended["progress"]) == ("succeeded", 1, 100)


@pytest.mark.slow
async def test_progress_is_that_of_the_chunks_and_the_last_sends_for_the_task(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project)
    seen = []
    for envelope in post.collect():
        await post.hand_over(envelope)
        seen.append((await row(workshop))["progress"])
    assert seen == [20, 40, 60, 80, 99]
    (reminder,) = post.collect()
    assert (reminder.message_id, reminder.is_reminder) == ("bulk", True)


@pytest.mark.slow
async def test_a_task_that_waits_is_left_alone_until_its_chunks_are_final(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    parent = await post.divide(project)
    *most, last = post.collect()
    for envelope in most:
        await post.hand_over(envelope)
    before = await row(workshop)

    with pytest.raises(Snooze, match="waits for its 5 chunks") as waits:
        await post.hand_over(parent)

    assert await row(workshop) == before
    assert waits.value.delay_s > 5
    await post.hand_over(last)
    # Its own message comes back, and the reminder is lost.
    assert (await post.hand_over(parent))["predictions_created"] == 48
    assert (await row(workshop))["crashes"] == 0


@pytest.mark.slow
async def test_missing_documents_of_all_chunks_are_counted_and_the_first_are_named(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    gone = project.document_ids[3]
    workshop.document(project, gone).unlink()
    unknown = range(900_000, 900_130)
    # In no order, and some of them twice.
    asked = [*unknown, *reversed(project.document_ids), *project.document_ids[:5]]

    await post.divide(project, asked)
    result = await post.hand_over_all()

    assert (await row(workshop))["num_chunks"] == 18
    assert (result["predictions_created"], result["total_documents"]) == (47, 178)
    assert result["num_missing"] == 131
    assert result["missing_document_ids"] == [gone, *unknown[:99]]


@pytest.mark.slow
async def test_documents_that_are_all_missing_are_an_error(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project, list(range(900_000, 900_025)))

    with pytest.raises(TaskFailed, match="NO_DOCUMENTS"):
        await post.hand_over_all()

    assert (await row(workshop))["error"]["details"]["missing_document_ids"][0] == 900_000
    assert not workshop.history(project, "bulk.0000").exists()


@pytest.mark.slow
async def test_a_chunk_that_is_delivered_again_changes_nothing(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project)
    first, *others = post.collect()
    done = await post.hand_over(first)
    rows, task = await workshop.rows(PREDICTIONS), await row(workshop, first.message_id)
    file = workshop.history(project, first.message_id).stat()

    assert await post.hand_over(first) == done

    assert await workshop.rows(PREDICTIONS) == rows
    assert await row(workshop, first.message_id) == task
    assert workshop.history(project, first.message_id).stat() == file
    assert post.collect() == []
    for envelope in (*others, *others):
        await post.hand_over(envelope)
    # Each that finds all of them final sends for the task: a reminder too many does no harm.
    assert (await post.hand_over_all())["predictions_created"] == 48


async def test_what_was_lost_on_the_way_is_sent_again(
    workshop: Workshop, post: PredictionPost, project: SmallProject, broker_url: str
) -> None:
    """Redis loses every message, those of the chunks and that of the task, more than once."""
    with Redis.from_url(broker_url) as client:
        reconciler = Reconciler(
            sessions=workshop.sessions,
            messages=MessageStore(client, "dramatiq"),
            send=lambda envelope: post.take([envelope]),
            storage=workshop.storage,
            settings=ReconcilerSettings(interval_s=1e-6, orphan_age_s=0),
        )
        await post.divide(project)
        post.collect()

        assert len((await reconciler.run()).sent) == 6
        parent, *chunks = post.collect()
        assert (parent.message_id, parent.is_reminder) == ("bulk", False)
        with pytest.raises(Snooze, match="waits for its"):
            await post.hand_over(parent)
        for envelope in chunks:
            await post.hand_over(envelope)
        post.collect()

        assert len((await reconciler.run()).sent) == 1
    assert (await post.hand_over_all())["predictions_created"] == 48
    assert (await row(workshop))["attempts"] == 1


async def test_a_chunk_that_fails_for_good_fails_the_task_with_its_reason_and_what_was_done(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    workshop.settings = with_limits(workshop.settings, max_attempts=1)
    await post.divide(project)
    # Where the history of one chunk should be there is something else.
    workshop.history(project, "bulk.0002").mkdir(parents=True)
    (workshop.history(project, "bulk.0002") / "file").touch()
    *_, reminder = await _hand_over_despite_failures(post)

    with pytest.raises(TaskFailed):
        await post.hand_over(reminder)

    task = await row(workshop)
    assert (task["status"], task["error"]["code"]) == ("failed", "STORAGE_ERROR")
    assert task["error"]["retryable"]
    failed = (await row(workshop, "bulk.0002"))["id"]
    assert task["error"]["message"].startswith(
        f"1 of 5 chunks failed, the first of them (task {failed})"
    )
    details = task["error"]["details"]
    assert (details["num_chunks"], details["num_failed"], details["predictions_created"]) == (
        5,
        1,
        38,
    )
    assert [chunk["task_id"] for chunk in details["failed_chunks"]] == [failed]
    assert len(await workshop.rows(PREDICTIONS)) == 38


async def _hand_over_despite_failures(post: PredictionPost) -> list[Envelope]:
    for envelope in post.collect():
        with suppress(TaskFailed):
            await post.hand_over(envelope)
    return post.collect()


@pytest.mark.slow
async def test_all_chunks_use_the_version_that_was_the_newest_when_the_task_began(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project)
    await workshop.train(project, feature_extractor="tfidf")

    assert (await post.hand_over_all())["model_version"] == 1

    assert {row["model_version"] for row in await workshop.rows(PREDICTIONS)} == {1}


@pytest.mark.slow
async def test_of_two_that_overlap_the_one_that_began_later_counts(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project, message_id="earlier")
    earlier = post.collect()
    await workshop.train(project, feature_extractor="tfidf")
    await post.divide(project, message_id="later")
    later = post.collect()
    for old, new in zip(earlier, later, strict=True):
        await post.hand_over(new)
        await post.hand_over(old)
    assert {row["model_version"] for row in await workshop.rows(PREDICTIONS)} == {2}
    results = [await post.hand_over(reminder) for reminder in post.collect()]
    assert [result["predictions_created"] for result in results] == [48, 48]
    # Every prediction that was made is in the history.
    assert workshop.history(project, "earlier.0000", 1).is_file()
    assert workshop.history(project, "later.0000", 2).is_file()


@pytest.mark.slow
async def test_two_that_write_the_same_rows_at_the_same_time_both_succeed(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    ids = project.document_ids
    await post.divide(project, ids, message_id="a")
    await post.divide(project, list(reversed(ids)), message_id="b")
    await asyncio.gather(*map(post.hand_over, post.collect()))
    for reminder in post.collect():
        assert (await post.hand_over(reminder))["predictions_created"] == 48


@pytest.mark.slow
async def test_a_document_deleted_before_its_chunk_is_no_matter(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project)
    await workshop.execute("DELETE FROM document WHERE id = :id", id=project.document_ids[-1])

    result = await post.hand_over_all()

    assert (result["predictions_created"], result["total_documents"]) == (47, 47)


@pytest.mark.slow
async def test_a_document_deleted_while_its_row_is_written_is_missing_at_the_next_attempt(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project, project.document_ids[:20])
    first, *_ = post.collect()
    async with workshop.sessions.begin() as session:
        await session.execute(
            text("DELETE FROM document WHERE id = :id"), {"id": project.document_ids[0]}
        )
        attempt = asyncio.create_task(post.hand_over(first))
        # The key of the row refers to the document, and waits to hear what becomes of that.
        await workshop.until_there_is(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) "
            "OR NOT granted AND locktype = 'transactionid'"
        )
    with pytest.raises(RetryLater, match="DATABASE_ERROR"):
        await attempt

    await come_due(workshop, first.message_id)
    result = await post.hand_over(first)

    assert (result["predictions_created"], result["num_missing"]) == (9, 1)


# Cancelling


async def test_cancelling_the_task_cancels_its_chunks_and_keeps_what_they_did(
    workshop: Workshop, post: PredictionPost, project: SmallProject, client: AsyncTaskClient
) -> None:
    parent = await post.divide(project)
    first, second, *_ = post.collect()
    await post.hand_over(first)
    # Takes a while.
    workshop.document(project, project.document_ids[10]).write_text("cat truck oven " * 2_000_000)
    running = asyncio.create_task(post.hand_over(second))
    await workshop.until_there_is(
        "SELECT 1 FROM task WHERE message_id = :id AND status = 'started'", id=second.message_id
    )

    cancelled = await client.cancel("bulk")

    assert cancelled.status is TaskStatus.CANCELLED
    assert cancelled.error is not None
    assert "what its chunks have done is kept" in cancelled.error.message
    with pytest.raises(TaskFailed, match="CANCELLED"):
        await running
    states = [chunk["status"] for chunk in await workshop.rows(CHUNKS)]
    assert states == ["succeeded", "cancelled", "cancelled", "cancelled", "cancelled"]
    assert len(await workshop.rows(PREDICTIONS)) == 10
    assert post.collect() == []
    with pytest.raises(TaskFailed, match="CANCELLED"):
        await post.hand_over(parent)


@pytest.mark.slow
async def test_a_task_that_is_cancelled_while_it_is_divided_has_no_chunks(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    async def cancel_then_divide(task: Any, request: PredictFieldDocuments) -> Any:
        await workshop.execute("UPDATE task SET cancel_requested_at = now()")
        return await predict_field_documents(task, request)

    message = delivery(project_id=project.project_id, field_id=project.field_id, document_ids=None)
    with pytest.raises(TaskFailed, match="CANCELLED"):
        await deliver(workshop, cancel_then_divide, message, schema=PredictFieldDocuments)
    assert await workshop.rows(CHUNKS) == []


# Leases


async def test_a_worker_that_dies_while_it_collects_is_replaced(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project)
    for envelope in post.collect():
        await post.hand_over(envelope)
    await workshop.execute(
        "UPDATE task SET lease_owner = 'gone', lease_token = lease_token + 1, attempts = 1, "
        "lease_expires_at = now() - interval '1 second' WHERE message_id = 'bulk'"
    )

    assert (await post.hand_over_all())["predictions_created"] == 48

    task = await row(workshop)
    assert (task["attempts"], task["crashes"]) == (2, 1)


@pytest.mark.slow
async def test_chunks_whose_rows_were_deleted_are_not_passed_over(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    await post.divide(project)
    for envelope in post.collect():
        await post.hand_over(envelope)
    await workshop.execute("DELETE FROM task WHERE message_id = 'bulk.0003'")

    with pytest.raises(TaskFailed, match="the rows of 4 are left"):
        await post.hand_over_all()


# What is not divided


async def test_a_prediction_no_larger_than_a_chunk_is_one_task(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    kwargs = {"project_id": project.project_id, "field_id": project.field_id}
    message = delivery(message_id="m", document_ids=project.document_ids[:10], **kwargs)
    await deliver(workshop, predict_field_documents, message, schema=PredictFieldDocuments)

    assert await workshop.rows(CHUNKS) == []
    assert len(workshop.history(project, "m").read_text().splitlines()) == 10


@pytest.mark.slow
async def test_any_message_id_that_names_a_file_can_be_divided(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    long = "m" * 200
    await post.divide(project, message_id=long)
    await post.divide(project, message_id=long[:-1])

    result = await post.hand_over_all()

    assert result["predictions_created"] == 48
    chunks = await workshop.rows(CHUNKS)
    names = {chunk["message_id"] for chunk in chunks}
    assert len(names) == len(chunks) == 10
    assert max(map(len, names)) <= 200
    written = [len(workshop.history(project, name).read_text().splitlines()) for name in names]
    assert sum(written) == 2 * 48


@pytest.mark.slow
async def test_a_message_id_that_names_no_file_is_refused_divided_or_not(
    workshop: Workshop, post: PredictionPost, project: SmallProject
) -> None:
    kwargs = {"project_id": project.project_id, "field_id": project.field_id}
    for ids in (None, project.document_ids[:1]):
        message = delivery(message_id=f"{'m' * 200}{len(ids or ())}", document_ids=ids, **kwargs)
        with pytest.raises(TaskFailed, match="cannot name a file"):
            await deliver(workshop, predict_field_documents, message, schema=PredictFieldDocuments)
    assert await workshop.rows(CHUNKS) == []


# What others see


@pytest.mark.slow
async def test_chunks_are_listed_only_when_they_are_asked_for(
    workshop: Workshop, post: PredictionPost, project: SmallProject, client: AsyncTaskClient
) -> None:
    await post.divide(project)

    assert [task.message_id for task in (await client.list()).tasks] == ["bulk"]
    parent = await client.status("bulk")
    assert (parent.num_chunks, parent.parent_id) == (5, None)
    chunks = (await client.list(parent=parent.id)).tasks
    assert [chunk.message_id for chunk in reversed(chunks)] == [f"bulk.{n:04}" for n in range(5)]
    assert (await client.list(type="predict_document_chunk")).tasks == chunks
    assert json.loads(json.dumps(chunks[-1].request["documents"])) == {
        "first": project.document_ids[0], "last": project.document_ids[9],  # 48 in 5 parts
    }  # fmt: skip
