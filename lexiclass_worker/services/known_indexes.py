"""Which indexes of a project are the ones that were published.

Before a build replaces a manifest, the SHA-256 of the new one is kept beside that of the one which
is there: both are valid until the build has ended. So whenever its worker dies, the index that lies
there is known, and what is not known was put there by somebody else.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_worker.artifacts.kept_copies import cache_directory
from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import Publication, is_digest
from lexiclass_worker.repositories import indexes
from lexiclass_worker.repositories.indexes import KeptIndexes, Manifests
from lexiclass_worker.services.inputs import project_indexes
from lexiclass_worker.services.signatures import index_content, signed

# Beside those that are kept: one that is built, and those of a project from before any was kept.
_MOST_NEW: Final = 100

Confirm = Callable[[], Awaitable[None]]


class KnownIndexes:
    """The indexes of a task's project, for the children that read or write them.

    Args:
        confirm: Raises if another writes the project's indexes by now; of a task that writes them.
    """

    def __init__(
        self, task: TaskContext, project_id: int, *, confirm: Confirm | None = None
    ) -> None:
        self._task = task
        self._project_id = project_id
        self._confirm = confirm
        self._keys = task.settings.storage.keys
        self._new: set[str] = set()

    def stored_project(self) -> StoredProject | None:
        """What children may have of an object store; None where the storage is a directory.

        Raises:
            StorageUnavailable: If the temporary folder for copies belongs to somebody else.
        """
        root, settings = self._task.storage.root, self._task.settings.storage
        if "://" not in root:
            return None
        return StoredProject(
            root,
            self._project_id,
            cache_directory=cache_directory(settings),
            cache_bytes=settings.cache_bytes,
            document_bytes=self._task.settings.limits.document_bytes,
            is_writer=self._confirm is not None,
            redact=self._task.settings.redact,
        )

    async def at_hand(self) -> ProjectIndexes:
        """Where they lie, and what is known of them now."""
        async with self._task.sessions() as session:
            return self.as_kept(await indexes.kept(session, self._project_id))

    def as_kept(self, kept: KeptIndexes) -> ProjectIndexes:
        """Where they lie, with what the rows say of them."""
        return project_indexes(self._task.storage, self._task.settings, self._project_id, kept)

    async def digests_of(self, name: str) -> Sequence[str] | None:
        """The manifests that an index may have; None if any will do."""
        found = await self.at_hand()
        known = found.digests.get(name)
        return () if known is None and not found.takes_unknown else known

    async def may_publish(self, publication: Publication | None) -> None:
        """Raise if the task may publish nothing any more; keep the digest of what it publishes.

        Raises:
            ValueError: If the task only reads indexes: no child of it has a generation to publish.
        """
        if self._confirm is None:
            raise ValueError("a child of the sandbox asks to publish, and its task writes no index")
        await self._confirm()
        async with self._task.commit() as session:
            if publication is not None:
                await self._announce(session, publication)

    async def settle(self, digests: Mapping[str, str | None], *, are_all: bool = False) -> None:
        """Keep what a build or an erasure has left.

        ``digests`` are those of the manifests, None where there is no index any more. As a child
        says them: names that are none of ours, and new ones without end, are left out. ``are_all``
        if these are all indexes of the project that are not known yet.

        Raises:
            ValueError: If one is no digest.
        """
        async with self._task.commit() as session:
            kept = (await indexes.kept(session, self._project_id)).manifests
            for name, digest in digests.items():
                if digest is None and name in kept:
                    await indexes.forget(session, self._project_id, name)
                elif digest is not None and _is_plain(name) and self._may_name(name, kept):
                    if not is_digest(digest):
                        raise ValueError("a child of the sandbox gives no digest of an index")
                    await self._keep(session, name, digest)
            if are_all:
                await indexes.take_no_unknown(session, self._project_id)

    async def _announce(self, session: AsyncSession, publication: Publication) -> None:
        name, current = publication.name, publication.current
        kept = await indexes.kept(session, self._project_id)
        if not self._may_name(name, kept.manifests):
            raise ValueError("a child of the sandbox names more indexes than a task has")
        known = self.as_kept(kept)
        before = () if current is None or not known.knows(name, current) else (current,)
        await self._keep(session, name, *before, publication.next)

    def _may_name(self, name: str, kept: Collection[str]) -> bool:
        """Whether a row may be kept of an index: there are few that are new to a task."""
        if name not in kept and len(self._new) < _MOST_NEW:
            self._new.add(name)
        return name in kept or name in self._new

    async def _keep(self, session: AsyncSession, name: str, *digests: str) -> None:
        manifests: Manifests = {
            digest: signed(self._keys, index_content(self._project_id, name, digest))
            for digest in digests
        }
        await indexes.keep(session, self._project_id, name, manifests)


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable()
