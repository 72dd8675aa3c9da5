"""Indexing a project's documents."""

from pathlib import PurePosixPath
from typing import Any

from lexiclass_core import layout
from lexiclass_core.keys import Keys
from lexiclass_core.models import IndexStatus, ProjectIndexStatus
from lexiclass_core.schemas import (
    IndexDocuments,
    IndexedEmbeddings,
    IndexResult,
    SkippedDocument,
)
from lexiclass_worker.errors import InvalidRequest, NoDocuments
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.outcome import FanOut
from lexiclass_worker.jobs.indexing import EmbedJob, FindEncoderJob, IndexJob
from lexiclass_worker.repositories import documents, projects
from lexiclass_worker.repositories.documents import ListedDocuments
from lexiclass_worker.repositories.locks import index_lock
from lexiclass_worker.services import bulk_indexing
from lexiclass_worker.services.inputs import (
    documents_folder,
    documents_of,
    locale_of,
    num_processes,
    pretrained_directory,
)
from lexiclass_worker.services.known_indexes import KnownIndexes
from lexiclass_worker.services.room import working_folder
from lexiclass_worker.services.signatures import claim_keys
from lexiclass_worker.services.stages import observe

_LISTED_SKIPPED = 100

# Rows of documents that are written at a time, a second or two: others may want to write them.
_ROWS_TOGETHER = 20_000


async def index_documents(task: TaskContext, request: IndexDocuments) -> IndexResult:
    """Bring a project's index up to date and record which documents it holds.

    Two of these on one project run one after the other; readers of the index do not wait. Nothing
    is published by a worker that has lost the task, or the index' lock, to another. More new
    documents than a chunk are left to other tasks, whose shards are an index once all have ended.

    Raises:
        NotFound: If the project, or the folder ``documents_path`` names, does not exist.
        PathOutsideProjectError: If ``documents_path`` leaves the project's storage.
        InvalidRequest: If it does so by a symbolic link.
        NoDocuments: If the project has no documents, or none can be read.
        ChunksFailed: If some of the chunks failed for good.
        WorkerError: What the library failed with.
    """
    await bulk_indexing.wait_for_another(task, request)
    folder = await documents_folder(task, request)
    encoder_key = await _find_encoder(task, request)
    silence_s = task.settings.dramatiq.heartbeat_timeout_ms / 1000
    async with index_lock(task.sessions, request.project_id, silence_s=silence_s) as lock:
        indexes = KnownIndexes(task, request.project_id, confirm=lock.confirm)
        listed, keys = await _begin(task, request.project_id)
        embed = {} if encoder_key is None else {"embed": 900}
        task.progress.plan(
            {"open": 2, "index": 93, "write": 5, **embed}, units={"index": "documents"}
        )
        try:
            if task.num_chunks is not None:
                await bulk_indexing.require_chunks(task)
            # Nothing is put there: it finds out whether there is room on its disk.
            with working_folder(task):
                outcome, directory = await _build(task, request, folder, listed, indexes, keys)
                if "shards" in outcome:
                    await bulk_indexing.fan_out(task, request, outcome["name"], outcome["shards"])
                embeddings = await _embed(task, request, folder, listed, encoder_key, indexes)
            failed: dict[int, str] = {int(key): reason for key, reason in outcome["failed"]}
            await _record(task, request.project_id, listed, failed)
        except FanOut:
            # It goes on, in its chunks.
            raise
        except BaseException:
            async with task.commit() as session:
                await projects.end_indexing(session, request.project_id)
            raise
    observe("index", outcome["seconds"], documents=len(listed.documents), refused=len(failed))
    skipped = [
        SkippedDocument(document_id=key, reason=reason) for key, reason in sorted(failed.items())
    ]
    if len(failed) == len(listed.documents):
        raise NoDocuments(
            f"none of the {len(failed)} documents of project {request.project_id} could be read, "
            f"the first because: {skipped[0].reason}",
            details={
                "project_id": request.project_id,
                "num_skipped": len(failed),
                "skipped": [document.model_dump() for document in skipped[:_LISTED_SKIPPED]],
            },
        )
    return IndexResult(
        project_id=request.project_id,
        index_path=task.storage.locate(directory),
        is_incremental=request.is_incremental,
        num_skipped=len(failed),
        skipped=skipped[:_LISTED_SKIPPED],
        embeddings=embeddings,
        **outcome["counts"],
    )


async def _begin(task: TaskContext, project_id: int) -> tuple[ListedDocuments, Keys]:
    async with task.commit() as session:
        project = await projects.require_project(session, project_id)
        listed = await documents.list_documents(session, project_id)
        if not len(listed.documents):
            raise NoDocuments(
                f"project {project_id} has no documents", details={"project_id": project_id}
            )
        await projects.set_index_status(session, project_id, ProjectIndexStatus.INDEXING)
    return listed, claim_keys(task.settings.storage.keys, project_id, project.build_key)


async def _record(
    task: TaskContext, project_id: int, listed: ListedDocuments, failed: dict[int, str]
) -> None:
    """Say of each document whether it is indexed, and of the project whether any is.

    What a row has said since before this began is not said again: if it says something else by now,
    somebody knows better.
    """
    indexed = [document_id for document_id in listed.unindexed if document_id not in failed]
    is_any = len(failed) < len(listed.documents)
    status = ProjectIndexStatus.INDEXED if is_any else ProjectIndexStatus.FAILED
    for start in range(0, len(indexed), _ROWS_TOGETHER):
        async with task.commit() as session:
            some = indexed[start : start + _ROWS_TOGETHER]
            await documents.set_index_status(session, some, IndexStatus.INDEXED)
    async with task.commit() as session:
        await documents.set_index_status(session, list(failed), IndexStatus.FAILED)
        await projects.set_index_status(session, project_id, status)


async def _build(
    task: TaskContext,
    request: IndexDocuments,
    folder: PurePosixPath | None,
    listed: ListedDocuments,
    indexes: KnownIndexes,
    keys: Keys,
) -> tuple[dict[str, Any], PurePosixPath]:
    known = await indexes.at_hand()
    outcome = await task.sandbox.run(
        IndexJob(
            source=await documents_of(task, request.project_id, folder),
            pretrained_directory=pretrained_directory(task),
            num_processes=num_processes(task),
            documents=listed.documents,
            indexes=known,
            claim_keys=keys,
            build=task.message_id,
            most_new=bulk_indexing.most_new(task),
            tokenizer=request.tokenizer,
            locale=locale_of(task, request),
            tokenizer_params=request.tokenizer_params,
            is_incremental=request.is_incremental,
        ),
        on_progress=task.progress.report,
        supervisor=indexes,
    )
    if "digests" in outcome:
        await indexes.settle(outcome["digests"], are_all=known.takes_unknown)
    return outcome, layout.indexes_directory(request.project_id) / outcome["name"]


async def _find_encoder(task: TaskContext, request: IndexDocuments) -> str | None:
    """The key of the index of embeddings; None where no feature extractor is asked for."""
    if request.feature_extractor is None:
        if request.feature_extractor_params:
            raise InvalidRequest(
                "feature_extractor_params are given without a feature_extractor: name it, or leave "
                "them out"
            )
        return None
    found = await task.sandbox.run(
        FindEncoderJob(
            pretrained_directory=pretrained_directory(task),
            feature_extractor=request.feature_extractor,
            parameters=request.feature_extractor_params,
        )
    )
    return str(found["key"])


async def _embed(
    task: TaskContext,
    request: IndexDocuments,
    folder: PurePosixPath | None,
    listed: ListedDocuments,
    key: str | None,
    indexes: KnownIndexes,
) -> IndexedEmbeddings | None:
    if request.feature_extractor is None or key is None:
        return None
    directory = layout.embeddings_directory(request.project_id, key)
    outcome = await task.sandbox.run(
        EmbedJob(
            source=await documents_of(task, request.project_id, folder),
            pretrained_directory=pretrained_directory(task),
            num_processes=num_processes(task),
            documents=listed.documents,
            indexes=await indexes.at_hand(),
            feature_extractor=request.feature_extractor,
            parameters=request.feature_extractor_params,
            key=key,
            is_incremental=request.is_incremental,
        ),
        on_progress=task.progress.report,
        supervisor=indexes,
    )
    await indexes.settle(outcome["digests"])
    observe("embed", outcome["seconds"], documents=len(listed.documents))
    return IndexedEmbeddings(
        feature_extractor=request.feature_extractor,
        index_path=task.storage.locate(directory),
        **outcome["counts"],
    )
