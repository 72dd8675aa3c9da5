"""A project's documents and indexes in an object store, for a job.

A child of the sandbox asks its worker for them; elsewhere the store itself is asked.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexiclass_worker.artifacts.asking_project import AskingProject
from lexiclass_worker.artifacts.project_objects import ProjectObjects
from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.jobs.inputs import ProjectDocuments, ProjectIndexes

# Of the job that this child does.
_worker: socket.socket | None = None


def share(descriptor: int | None) -> None:
    """Ask the worker by this socket from now on; None for a job that has no object store."""
    global _worker  # noqa: PLW0603 - see above
    if _worker is not None:
        _worker.close()
    _worker = None if descriptor is None else socket.socket(fileno=descriptor)


@contextmanager
def objects_of(project: ProjectDocuments | ProjectIndexes) -> Iterator[ProjectObjects]:
    """What a job may have of a project in an object store, for the time of a ``with`` block."""
    if _worker is not None:
        yield AskingProject(_worker)
        return
    cache, cache_bytes, document_bytes = Path(), 0, 0
    if isinstance(project, ProjectDocuments):
        document_bytes = project.max_bytes
    else:
        if project.cache_directory is None:
            raise ValueError("indexes in an object store need a cache_directory")
        cache, cache_bytes = project.cache_directory, project.cache_bytes
    with StoredProject(
        project.root,
        project.project_id,
        cache_directory=cache,
        cache_bytes=cache_bytes,
        document_bytes=document_bytes,
        is_writer=True,
    ) as stored:
        yield stored
