"""Erasing documents: after it nothing of them is left, but in models unless these go as well."""

import asyncio
import math
import re
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

from lexiclass_core import layout, versions
from lexiclass_core.documents import wait_for_additions
from lexiclass_core.documents.notes import parse_json
from lexiclass_core.documents.texts import path_of
from lexiclass_core.models import ModelStatus, ProjectIndexStatus
from lexiclass_core.numbers import number_of
from lexiclass_core.schemas import EraseDocuments, EraseResult, ModelVersionRef
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.removal import remove_pruned
from lexiclass_worker.jobs.indexing import EraseJob
from lexiclass_worker.repositories import documents, erasure, projects
from lexiclass_worker.repositories.erasure import Erased
from lexiclass_worker.repositories.locks import AdvisoryLock, index_lock
from lexiclass_worker.repositories.model_versions import VersionOfField
from lexiclass_worker.services import erasure_notes
from lexiclass_worker.services.erasure_notes import Unreadable
from lexiclass_worker.services.known_indexes import KnownIndexes
from lexiclass_worker.services.report_erasure import erase_from_reports

_LOOK_AGAIN_S: Final = 0.5
# A prediction ends by then; a training would keep the thread for hours.
_WAITS_HERE_S: Final = 2.0
_PUT_OFF_S: Final = 5.0
# Rows that are deleted by one statement, each with its labels and predictions.
_TOGETHER: Final = 1_000
_FIRST_KEY: Final = re.compile(rb'\{"document_id": ?([0-9]{1,19})[,}]')


async def erase_documents(task: TaskContext, request: EraseDocuments) -> EraseResult:
    """Delete documents, and every trace of them in the project's storage and rows.

    Killed at any point, it can be run again and does the rest. Tasks that had begun before are
    waited for, since they may still write of the documents: not on a thread, if they take long.

    Raises:
        NotFound: If the project does not exist.
        Snooze: If other tasks have to end first.
        WorkerError: What the storage failed with.
    """
    project_id, ids = request.project_id, set(request.document_ids)
    task.progress.plan({"erase": 50, "wait": 10, "histories": 30, "write": 10})
    unreadable = await _make_unreadable(task, project_id, sorted(ids))
    came = await asyncio.to_thread(erasure_notes.noted, task.storage, project_id, ids)
    await _wait_for_tasks(task, project_id, until=unreadable.since)
    num_predictions = await _erase_from_histories(task, project_id, ids)
    await erase_from_reports(task, project_id, ids)
    trained = await _trained_since(task, project_id, came)
    if request.remove_models:
        await _remove_models(task, trained)
    result = EraseResult(
        project_id=project_id,
        num_documents=len(came),
        num_indexes=unreadable.num_indexes,
        num_predictions=num_predictions,
        model_versions=[ModelVersionRef(**version._asdict()) for version in trained],
        models_removed=request.remove_models,
    )
    task.progress.report("write", 0, 1)
    async with task.commit(result) as session:
        await erasure.forget_documents(session, project_id, ids)
    await asyncio.to_thread(erasure_notes.dismiss, task.storage, project_id, task.message_id, ids)
    return result


async def _make_unreadable(task: TaskContext, project_id: int, ids: list[int]) -> Unreadable:
    """Remove texts, rows and what indexes hold: once, however often the task is put off."""
    noted = await asyncio.to_thread(
        erasure_notes.unreadable, task.storage, project_id, task.message_id
    )
    if noted is not None:
        return noted
    silence_s = task.settings.dramatiq.heartbeat_timeout_ms / 1000
    async with index_lock(task.sessions, project_id, silence_s=silence_s) as lock:
        await _remove_documents(task, project_id, ids)
        num_indexes = await _erase_from_indexes(task, project_id, lock)
    async with task.sessions() as session:
        unreadable = Unreadable(await erasure.now(session), num_indexes)
    await asyncio.to_thread(
        erasure_notes.note_unreadable, task.storage, project_id, task.message_id, unreadable
    )
    return unreadable


async def _remove_documents(task: TaskContext, project_id: int, ids: list[int]) -> None:
    """Remove texts, then rows: only these say where a text lies that is not at its usual place."""
    async with task.sessions.begin() as session:
        await wait_for_additions(session, project_id)
    async with task.commit() as session:
        await projects.require_project(session, project_id)
        erased = await erasure.find(session, project_id, ids)
    if erased.came:
        await asyncio.to_thread(erasure_notes.note, task.storage, project_id, erased.came)
    await asyncio.to_thread(_remove_texts, task.storage, project_id, ids, erased)
    for start in range(0, len(ids), _TOGETHER):
        async with task.commit() as session:
            await erasure.delete_documents(session, project_id, ids[start : start + _TOGETHER])
    async with task.commit() as session:
        if not await documents.count(session, project_id):
            await projects.set_index_status(session, project_id, ProjectIndexStatus.PENDING)


def _remove_texts(storage: Storage, project_id: int, ids: list[int], erased: Erased) -> None:
    root = layout.project_root(project_id)
    incoming = layout.incoming_directory(project_id)
    replacing = {
        number: incoming / path
        for path in storage.file_sizes(incoming)
        if (number := number_of(path.rpartition("/")[2].removesuffix(".txt")))
    }
    for document_id in ids:
        paths = {
            layout.document_path(project_id, document_id),
            path_of(storage, project_id, document_id, erased.paths.get(document_id)),
            replacing.get(document_id),
        }
        for path in filter(None, paths):
            # A link may lead anywhere, and what is there is not this project's.
            if (folder := storage.resolve(path.parent, root)) is not None:
                storage.remove(folder / path.name)


async def _erase_from_indexes(task: TaskContext, project_id: int, lock: AdvisoryLock) -> int:
    indexes = KnownIndexes(task, project_id, confirm=lock.confirm)
    async with task.sessions() as session:
        left = await documents.list_documents(session, project_id)
    outcome = await task.sandbox.run(
        EraseJob(documents=left.documents, indexes=await indexes.at_hand()),
        on_progress=task.progress.report,
        supervisor=indexes,
    )
    await indexes.settle(outcome["digests"], are_all=True)
    return int(outcome["num_indexes"])


async def _wait_for_tasks(task: TaskContext, project_id: int, *, until: datetime) -> None:
    """Wait until all have ended that may have read the documents while they were there."""
    patience_s = math.inf if task.lease is None else _WAITS_HERE_S
    if not await wait_until_idle(task, project_id, until=until, patience_s=patience_s):
        await task.snooze(
            f"tasks of project {project_id} that began before have to end first",
            delay_s=_PUT_OFF_S,
        )


async def wait_until_idle(
    task: TaskContext,
    project_id: int,
    *,
    until: datetime | None = None,
    patience_s: float = math.inf,
) -> bool:
    """Wait until no other task of a project runs, or none that had begun before a moment.

    False if that takes longer than ``patience_s``.
    """
    waited_for = 0
    deadline = time.monotonic() + patience_s
    while True:
        async with task.sessions() as session:
            running = await erasure.running(
                session, project_id, message_id=task.message_id, until=until
            )
        waited_for = max(waited_for, len(running))
        task.progress.report("wait", waited_for - len(running), max(1, waited_for))
        if not running or time.monotonic() >= deadline:
            return not running
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _erase_from_histories(task: TaskContext, project_id: int, ids: Collection[int]) -> int:
    """Take the lines of documents out of all histories, those of pruned versions too."""
    folder = layout.project_root(project_id) / "predictions"
    names = await asyncio.to_thread(task.storage.file_sizes, folder)
    removed = 0
    for done, name in enumerate(names):
        task.progress.report("histories", done, len(names))
        removed += await asyncio.to_thread(
            task.storage.filter_lines, folder / name, _is_of_others(ids)
        )
    task.progress.report("histories", len(names), len(names))
    return removed


def _is_of_others(ids: Collection[int]) -> Callable[[bytes], bool]:
    def is_of_another(line: bytes) -> bool:
        # As they are written here the document comes first, and parsing takes ten times as long.
        if found := _FIRST_KEY.match(line):
            return int(found[1]) not in ids
        try:
            prediction = parse_json(line)
        except ValueError:
            return True
        return not (isinstance(prediction, dict) and prediction.get("document_id") in ids)

    return is_of_another


async def _trained_since(
    task: TaskContext, project_id: int, came: Mapping[int, datetime]
) -> list[VersionOfField]:
    """The versions that may hold words of documents; none if none of these was ever there."""
    if not came:
        return []
    async with task.sessions() as session:
        return await erasure.versions_since(session, project_id, min(came.values()))


async def _remove_models(task: TaskContext, trained: list[VersionOfField]) -> None:
    """Retire and prune versions, whatever serves then."""
    author = versions.Author("erase_documents", "trained on documents that were erased")
    for field_id in dict.fromkeys(version.field_id for version in trained):
        numbers = {version.version for version in trained if version.field_id == field_id}
        async with task.commit() as session:
            for model in await versions.lock_versions(session, field_id):
                if model.version in numbers and model.status == ModelStatus.READY:
                    await versions.retire(session, field_id, model.version, author, force=True)
            await versions.mark_pruned(session, field_id, numbers, author)
        while True:
            removals = await remove_pruned(task.sessions, task.storage, field_id=field_id)
            if not any(removal.readers for removal in removals):
                break
            # Files that tasks read go when these have ended.
            await asyncio.sleep(_LOOK_AGAIN_S)
