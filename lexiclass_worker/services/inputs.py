"""What every service tells the sandbox about a project's documents and a request's defaults."""

import asyncio
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lexiclass_core import layout
from lexiclass_core.db import single_statements
from lexiclass_core.schemas import IndexDocumentChunk, IndexDocuments, TrainFieldModel
from lexiclass_worker.artifacts.copies import project_cache
from lexiclass_worker.artifacts.kept_copies import cache_directory
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import Settings
from lexiclass_worker.errors import InvalidRequest, NotFound
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.inputs import ProjectDocuments, ProjectIndexes
from lexiclass_worker.repositories import documents
from lexiclass_worker.repositories.indexes import KeptIndexes
from lexiclass_worker.sandbox.native_threads import available_cores
from lexiclass_worker.services.signatures import known_digests


async def documents_of(
    task: TaskContext, project_id: int, folder: PurePosixPath | None = None
) -> ProjectDocuments:
    """Where a project's documents lie; in one folder, when one is given."""
    source = project_documents(task.storage, task.settings, project_id, folder)
    if not source.is_remote:
        return source
    async with single_statements(task.sessions) as session:
        return replace(source, largest_id=await documents.largest_id(session, project_id))


def project_documents(
    storage: Storage, settings: Settings, project_id: int, folder: PurePosixPath | None = None
) -> ProjectDocuments:
    """See :func:`documents_of`; without what the database says."""
    return ProjectDocuments(
        root=storage.root,
        project_id=project_id,
        folder=None if folder is None else str(folder),
        max_bytes=settings.limits.document_bytes,
    )


def pretrained_directory(task: TaskContext) -> Path:
    """The only folder that pretrained models may be read from by path."""
    return task.settings.lexiclass_pretrained_directory.absolute()


def project_indexes(
    storage: Storage, settings: Settings, project_id: int, kept: KeptIndexes
) -> ProjectIndexes:
    """Where the project's indexes lie, this machine's copies of them, and which are its own.

    Raises:
        StorageUnavailable: If the temporary folder for copies belongs to somebody else.
    """
    keys = settings.storage.keys
    known = ProjectIndexes(
        root=storage.root,
        project_id=project_id,
        digests=known_digests(project_id, kept, keys),
        takes_unknown=kept.takes_unknown and keys is None,
    )
    if not known.is_remote:
        return known
    cache = cache_directory(settings.storage)
    # A child is given access to what is there when it starts.
    project_cache(cache, project_id).mkdir(mode=0o700, exist_ok=True)
    return replace(
        known,
        cache_directory=cache,
        cache_bytes=settings.storage.cache_bytes,
    )


def num_processes(task: TaskContext) -> int:
    """How many processes indexing and training may use."""
    return task.settings.sandbox.processes or available_cores()


def locale_of(task: TaskContext, request: IndexDocuments | TrainFieldModel) -> str:
    """The locale a request names, or else LEXICLASS_LOCALE."""
    if "locale" in request.model_fields_set:
        return request.locale
    return task.settings.lexiclass_locale


async def documents_folder(
    task: TaskContext, request: IndexDocuments | IndexDocumentChunk
) -> PurePosixPath | None:
    """The folder that replaces the usual places of a project's documents; None if none does.

    Raises:
        NotFound: If it does not exist.
        PathOutsideProjectError: If it leaves the project's storage.
        InvalidRequest: If it does so by a symbolic link.
    """
    if request.documents_path is None:
        return None
    folder = layout.inside_project(
        request.project_id, request.documents_path, base_path=task.storage.root
    )
    if not await asyncio.to_thread(task.storage.is_directory, folder):
        raise NotFound(
            f"documents_path {request.documents_path!r} is no folder of "
            f"project {request.project_id}'s storage",
            details={"documents_path": request.documents_path},
        )
    root = layout.project_root(request.project_id)
    if await asyncio.to_thread(task.storage.resolve, folder, root) is None:
        raise InvalidRequest(
            f"documents_path {request.documents_path!r} leaves the storage of project "
            f"{request.project_id} by a symbolic link",
            details={"documents_path": request.documents_path},
        )
    return folder
