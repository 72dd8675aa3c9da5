"""A large indexing: how new documents are spread over chunks, and what makes a chunk's shards.

The chunks write shards, which know nothing of each other, and sign them as those of the build that
their task is. Its last attempt goes on from them as from those of a build that was interrupted.
"""

import math
import stat
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final, NoReturn

from pydantic import TypeAdapter

from lexiclass_core import layout
from lexiclass_core.db import single_statements
from lexiclass_core.schemas import (
    DocumentRange,
    IndexChunkResult,
    IndexDocumentChunk,
    IndexDocuments,
)
from lexiclass_core.tasks import chunks
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.document_refs import DocumentRefs
from lexiclass_worker.jobs.indexing import ShardJob
from lexiclass_worker.repositories import documents, projects
from lexiclass_worker.repositories.locks import index_lock
from lexiclass_worker.services.chunk_outcomes import Results, results_of_chunks
from lexiclass_worker.services.inputs import (
    documents_folder,
    documents_of,
    locale_of,
    num_processes,
    pretrained_directory,
)
from lexiclass_worker.services.known_indexes import KnownIndexes
from lexiclass_worker.services.publication import publishing, staging_files
from lexiclass_worker.services.room import working_folder
from lexiclass_worker.services.signatures import claim_keys

_PUT_OFF_S: Final = 5.0

ShardDocuments = list[int] | DocumentRange

_PLAN: Final = TypeAdapter(list[tuple[int, ShardDocuments]])


def most_new(task: TaskContext) -> int | None:
    """How many new documents a task indexes by itself; None for any number.

    That of a script, whose task has no row, is never spread; what was spread is not spread again.
    """
    if task.lease is None or task.num_chunks is not None:
        return None
    return task.settings.indexing.chunk_size


async def wait_for_another(task: TaskContext, request: IndexDocuments) -> None:
    """Put a task off while another of its project waits for chunks: it would do the same again.

    Raises:
        Snooze: If there is another.
    """
    if task.lease is None or task.num_chunks is not None:
        return
    async with task.sessions() as session:
        other = await chunks.another_waits(session, task.lease.task_id)
    if other is not None:
        await task.snooze(
            f"task {other} indexes project {request.project_id} in chunks", delay_s=_PUT_OFF_S
        )


async def fan_out(task: TaskContext, request: IndexDocuments, index: str, plan: Any) -> NoReturn:
    """Leave some shards each to other tasks.

    ``plan`` is how many documents each shard has, and which, as a child tells it.

    Raises:
        FanOut: Always, if nothing else.
        ValidationError: If a child tells what is none.
    """
    parts: dict[int, list[ShardDocuments]] = {}
    shards = _PLAN.validate_python(plan)
    total, begin = sum(count for count, _ in shards), 0
    number = math.ceil(total / task.settings.indexing.chunk_size)
    for count, shard in shards:
        parts.setdefault(int((begin + count / 2) * number / total), []).append(shard)
        begin += count
    await task.fan_out(
        [
            IndexDocumentChunk(
                project_id=request.project_id,
                build=task.message_id,
                index=index,
                shards=part,
                documents_path=request.documents_path,
                tokenizer=request.tokenizer,
                locale=locale_of(task, request),
                tokenizer_params=request.tokenizer_params,
            )
            for part in parts.values()
        ]
    )


async def require_chunks(task: TaskContext) -> None:
    """Check that the chunks of a task have made their shards.

    Raises:
        ChunksFailed: If one failed or was cancelled; the others' shards stay.
        InternalError: If rows of chunks are gone.
    """
    await results_of_chunks(task, _kept)


async def index_document_chunk(task: TaskContext, request: IndexDocumentChunk) -> IndexChunkResult:
    """Make the shards of one chunk of a large indexing.

    Any number of chunks of a project run at a time, but none beside what changes its index: no
    shard is put there by a worker from which the task or the lock was taken.

    Raises:
        NotFound: If the project or the folder of the documents does not exist any more.
        WorkerError: What the library failed with.
    """
    project_id = request.project_id
    folder = await documents_folder(task, request)
    silence_s = task.settings.dramatiq.heartbeat_timeout_ms / 1000
    task.progress.plan({"index": 95, "write": 5}, units={"index": "documents"})
    async with index_lock(task.sessions, project_id, silence_s=silence_s, is_shared=True) as lock:
        async with single_statements(task.sessions) as session:
            project = await projects.require_project(session, project_id)
            keys = claim_keys(task.settings.storage.keys, project_id, project.build_key)
            rows = [
                await documents.documents_asked_for(session, project_id, each)
                for each in request.shards
            ]
        names = [_shard_name(task.message_id, number) for number in range(len(rows))]
        all_rows = [row for part in rows for row in part]
        with working_folder(task) as scratch:
            directory = scratch / "shards"
            directory.mkdir()
            outcome = await task.sandbox.run(
                ShardJob(
                    source=await documents_of(task, project_id, folder),
                    pretrained_directory=pretrained_directory(task),
                    documents=DocumentRefs(all_rows),
                    shards=[(name, len(part)) for name, part in zip(names, rows, strict=True)],
                    directory=directory,
                    num_processes=num_processes(task),
                    claim_keys=keys,
                    build=request.build,
                    tokenizer=request.tokenizer,
                    locale=request.locale,
                    tokenizer_params=request.tokenizer_params,
                ),
                on_progress=task.progress.report,
                supervisor=KnownIndexes(task, project_id),
            )
            made = [name for name in names if name in outcome["shards"]]
            result = IndexChunkResult(
                project_id=project_id,
                num_documents=len(all_rows),
                num_unreadable=outcome["num_unreadable"],
                num_shards=len(made),
            )
            task.progress.report("write", 0, 1)
            target = layout.indexes_directory(project_id) / request.index
            async with staging_files(task, _files(directory, made, target)) as staged:
                await lock.confirm()
                async with publishing(task, staged, result):
                    pass
    return result


def _shard_name(message_id: str, number: int) -> str:
    """The same for each attempt: what one has put in its place the next one replaces."""
    return f"shard-{sha256(f'{message_id} {number}'.encode()).hexdigest()[:32]}"


def _files(
    directory: Path, names: Sequence[str], target: PurePosixPath
) -> dict[Path, PurePosixPath]:
    """Where the files of some shards go: what says that a shard is whole comes after all shards.

    Raises:
        ValueError: If a child has put something else than a file there.
    """
    files = [f"{name}{suffix}" for suffix in (".safetensors", ".json") for name in names]
    for name in files:
        if not stat.S_ISREG((directory / name).lstat().st_mode):
            raise ValueError("a child of the sandbox leaves something else than a file of a shard")
    return {directory / name: target / name for name in files}


def _kept(results: Results) -> tuple[str, dict[str, Any]]:
    read = sum(each["num_documents"] - each["num_unreadable"] for each in results)
    words = f"the others have read {read} documents, from which the next indexing goes on"
    return words, {"documents_read": read}
