"""Removing the files of pruned versions and of deleted projects, once nobody reads them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from lexiclass_core import layout
from lexiclass_core.db import SessionFactory
from lexiclass_worker.artifacts import Storage
from lexiclass_worker.repositories import erasure, pruning
from lexiclass_worker.repositories.pruning import PrunedVersion


@dataclass(frozen=True, slots=True)
class Removal:
    """What came of the files of one version.

    Attributes:
        version: Which one.
        path: Where they are, or were.
        readers: Tasks that may be reading them: as long as there are any, the files stay.
    """

    version: PrunedVersion
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
        OSError: If the storage fails.
    """
    async with sessions() as session:
        versions = await pruning.with_files(session, field_id)
    removals = []
    for version in versions:
        path = layout.model_directory(version.project_id, version.field_id, version.version)
        async with sessions.begin() as session:
            if not await pruning.claim(session, version.id):
                continue
            readers = await pruning.readers(session, version.id)
            if not readers and not is_dry_run:
                await asyncio.to_thread(storage.remove, path)
                await pruning.mark_removed(session, version.id)
        removals.append(Removal(version, storage.locate(path), readers))
    return removals


async def remove_deleted_projects(
    sessions: SessionFactory, storage: Storage, *, is_dry_run: bool = False
) -> list[str]:
    """Remove the files and the ended tasks of projects whose rows somebody has deleted.

    Only of those of which this database has a note. Killed at any point, it is finished by the next
    call.

    Returns:
        Where the files were, or are.

    Raises:
        OSError: If the storage fails.
    """
    async with sessions() as session:
        projects = await erasure.removable_projects(session)
    removed = []
    for project_id in projects:
        root = layout.project_root(project_id)
        if await asyncio.to_thread(storage.is_directory, root):
            removed.append(storage.locate(root))
        if is_dry_run:
            continue
        await asyncio.to_thread(storage.remove, root)
        async with sessions.begin() as session:
            await erasure.forget_project(session, project_id)
            await erasure.end_removal(session, project_id)
    return removed
