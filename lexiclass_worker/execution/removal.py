"""Removing the files of versions and of deleted projects, once nobody reads them.

What cannot be removed does not keep the rest: its failure is raised when that is done.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lexiclass_core import layout
from lexiclass_core.db import SessionFactory
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.repositories import project_removal, pruning
from lexiclass_worker.repositories.model_versions import VersionRow


class FirstFailure:
    """Keeps the first failure of the storage while other steps go on.

    ::

        failure = FirstFailure()
        for step in steps:
            with failure.kept():
                step()
        failure.raise_it()
    """

    def __init__(self) -> None:
        self._error: OSError | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the OSError of what happens inside, unless there was one before."""
        try:
            yield
        except OSError as error:
            self._error = self._error or error

    def raise_it(self) -> None:
        """Raise what was kept, if anything was."""
        if self._error is not None:
            raise self._error


@dataclass(frozen=True, slots=True)
class Removal:
    """What came of the files of one version.

    Attributes:
        path: Where they are, or were.
        readers: Tasks that may be reading them: as long as there are any, the files stay.
    """

    version: VersionRow
    path: str
    readers: Sequence[int]


async def remove_pruned(
    sessions: SessionFactory,
    storage: Storage,
    *,
    field_id: int | None = None,
    is_dry_run: bool = False,
) -> list[Removal]:
    """Remove the files of pruned versions, of one field or of all.

    Killed at any point, it is finished by the next call.

    Raises:
        OSError: If the storage fails; of the others the files are removed.
    """
    async with sessions() as session:
        versions = await pruning.with_files(session, field_id)
    removals = []
    failure = FirstFailure()
    for version in versions:
        path = layout.model_directory(version.project_id, version.field_id, version.version)
        reports = layout.reports_directory(version.project_id, version.field_id, version.version)
        with failure.kept():
            async with sessions.begin() as session:
                if not await pruning.claim(session, version.id):
                    continue
                readers = await pruning.readers(session, version.id)
                if not readers and not is_dry_run:
                    for each in (path, reports):
                        await asyncio.to_thread(storage.remove, each)
                    await pruning.mark_removed(session, version.id)
            removals.append(Removal(version, storage.locate(path), readers))
    failure.raise_it()
    return removals


async def remove_deleted_projects(
    sessions: SessionFactory, storage: Storage, *, is_dry_run: bool = False
) -> list[str]:
    """Remove the files and the ended tasks of projects whose rows somebody has deleted.

    Only of those of which this database has a note. Killed at any point, it is finished by the next
    call.

    Where the files were, or are, is returned.

    Raises:
        OSError: If the storage fails; of the others the files are removed.
    """
    async with sessions() as session:
        projects = await project_removal.removable_projects(session)
    removed = []
    failure = FirstFailure()
    for project_id in projects:
        root = layout.project_root(project_id)
        with failure.kept():
            is_there = await asyncio.to_thread(storage.is_directory, root)
            if not is_dry_run:
                await asyncio.to_thread(storage.remove, root)
                async with sessions.begin() as session:
                    await project_removal.forget_project(session, project_id)
                    await project_removal.end_removal(session, project_id)
            if is_there:
                removed.append(storage.locate(root))
    failure.raise_it()
    return removed
