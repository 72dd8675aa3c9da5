"""The files of a project's indexes, where a reader maps them and a build writes them.

On a disk they are used where they lie, in a folder that is held open: what is put in its place
meanwhile leads nowhere else. Of an index in an object store this machine keeps a copy; see
:mod:`lexiclass_worker.artifacts.index_copies`. Whoever looks at one has it alone.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePath
from stat import S_ISDIR
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, Protocol

from lexiclass import LexiClassError, ModelCorrupt
from lexiclass.index.store.manifest import (
    INDEX_FILE,
    Announce,
    GenerationManifest,
    is_staged_manifest,
    manifest_digest,
    tell_nobody,
)
from lexiclass_core.folders import Folder
from lexiclass_worker.artifacts.generations import Checksum, Files
from lexiclass_worker.artifacts.project_objects import ProjectObjects
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.ml.objects import objects_of
from lexiclass_worker.ml.opened_folders import path_of

_log: Final = logging.getLogger(__name__)

_MADE_ANEW: Final = (
    "the index %s in %s is not the one that was published: it is removed, and made anew"
)


ReadManifest = Callable[[Path], GenerationManifest]
"""Reads the manifest in a folder; raises LexiClassError if it is not understood."""


class AskToPublish(Protocol):
    """Called before each step that others could notice; what it raises ends the build."""

    def __call__(self, publication: Publication | None = None, /) -> None:
        """Ask with what is published, before a manifest is replaced by another."""
        ...


@contextmanager
def reading(indexes: ProjectIndexes, name: str, read: ReadManifest) -> Iterator[Path | None]:
    """The folder of an index, for as long as it takes to open it; None if there is no index.

    Files that are mapped once the block ends stay as they are, whatever becomes of the folder.

    Raises:
        OSError: If the storage fails, or the index takes more than copies may.
    """
    if not indexes.is_remote:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(_opened(indexes, name))
            except (FileNotFoundError, NotADirectoryError):
                yield None
            else:
                yield stack.enter_context(path_of(folder))
        return
    with objects_of(indexes) as store:
        try:
            is_there = _fetch(store, name, read, is_bounded=True) is not None
            yield store.index_directory(name) if is_there else None
        finally:
            store.release_index(name)


def _fetch(
    store: ProjectObjects, name: str, read: ReadManifest, *, is_bounded: bool
) -> bytes | None:
    """Bring the copy of an index to the current generation, and keep others from changing it.

    Its manifest is returned; None if there is no index.
    """
    manifest = store.index_manifest(name)
    while manifest is not None:
        files = _files_of(manifest, read)
        is_whole = store.fetch_index(name, files, is_bounded=is_bounded)
        # A build that has ended meanwhile has removed what it replaced.
        newest = manifest if is_whole else store.index_manifest(name)
        if newest == manifest:
            store.drop_old_files(name, files)
            break
        manifest = newest
    return manifest


def _files_of(manifest: bytes, read: ReadManifest) -> Files:
    """What a manifest names; nothing if it is not understood, which whoever opens it says again."""
    with TemporaryDirectory() as folder:
        Path(folder, INDEX_FILE).write_bytes(manifest)
        try:
            return _checksums(read(Path(folder)))
        except LexiClassError:
            return {}


def _checksums(manifest: GenerationManifest) -> Files:
    return {name: Checksum(record.size, record.sha256) for name, record in manifest.files.items()}


class Building(NamedTuple):
    """Where an index is built.

    Attributes:
        announce: To be told of each manifest before it replaces another there.
    """

    directory: Path
    announce: Announce


FindClaimed = Callable[[Path], Files]
"""Finds in a folder what is noted there of shards that were made for builds, and may be used."""


@contextmanager
def building(
    indexes: ProjectIndexes,
    name: str,
    read: ReadManifest,
    confirm: AskToPublish,
    find_claimed: FindClaimed | None = None,
) -> Iterator[Building]:
    """A folder to build an index in, with the files of its current generation.

    An index that is not the one which was published is removed first. Earlier builds that were
    allowed to publish and have stalled since publish nothing any more.

    That of an index on a disk is its own. In an object store the new generation is published at
    the end of the block. A build that is killed leaves its folder; the next one on this machine
    goes on from it, unless there is another generation by then.

    ``confirm`` is asked before each step that others could notice. ``find_claimed`` finds the
    shards of an object store that the build may go on from; where it goes on from none, it is None.
    """
    if not indexes.is_remote:
        with _opened(indexes, name, makes=True) as folder, path_of(folder) as directory:
            _revoke_publications(folder, confirm)
            found = digest_in(directory)
            if found is not None and not indexes.knows(name, found):
                _log.warning(_MADE_ANEW, name, indexes.location)
                confirm()
                for path in sorted(folder.names(), key=lambda entry: entry != INDEX_FILE):
                    folder.remove(path)

            def announce(digest: str) -> None:
                current = digest_in(directory)
                confirm(Publication(name=name, current=current, next=digest))

            yield Building(directory, announce)
        return
    with objects_of(indexes) as store:
        if store.has_staged_manifests(name):
            confirm()
            store.revoke_staged_manifests(name)
        found = _digest(store.index_manifest(name))
        if found is not None and not indexes.knows(name, found):
            _log.warning(_MADE_ANEW, name, indexes.location)
            confirm()
            store.remove_index(name)
        try:
            _fetch(store, name, read, is_bounded=False)
            working = store.begin_build(name)
            if find_claimed is not None:
                store.fetch_claims(name)
                store.fetch_shards(name, find_claimed(working))
        finally:
            store.release_index(name)
        # Others see what is uploaded in the end, and nothing of this folder.
        yield Building(working, tell_nobody)
        _publish(store, name, working, read, confirm)


def _revoke_publications(folder: Folder, confirm: AskToPublish) -> None:
    """Take from earlier builds what they would put in the manifest's place."""
    staged = [name for name in folder.names() if is_staged_manifest(name)]
    if staged:
        confirm()
    for name in staged:
        folder.remove(name)


def _publish(
    store: ProjectObjects, name: str, working: Path, read: ReadManifest, confirm: AskToPublish
) -> None:
    """Make what was built the current generation: what is new, then its manifest."""
    files = _checksums(read(working))
    store.upload_build(name, files)
    before, after = _digest(store.index_manifest(name)), manifest_digest(working)
    if after != before:
        store.stage_manifest(name)
        confirm(Publication(name=name, current=before, next=after))
        store.replace_manifest(name)
    confirm()
    store.conclude_build(name, files)


def _digest(manifest: bytes | None) -> str | None:
    return None if manifest is None else hashlib.sha256(manifest).hexdigest()


def digest_in(directory: Path) -> str | None:
    """SHA-256 of the manifest in a folder; None if there is none that can be read."""
    try:
        return manifest_digest(directory)
    except ModelCorrupt:
        return None


def stored_digest(indexes: ProjectIndexes, name: str) -> str | None:
    """SHA-256 of the manifest of an index, where it is stored; None if there is none.

    Raises:
        OSError: If the storage fails.
    """
    if indexes.is_remote:
        with objects_of(indexes) as store:
            return _digest(store.index_manifest(name))
    try:
        with _opened(indexes, name) as folder, path_of(folder) as directory:
            return digest_in(directory)
    except (FileNotFoundError, NotADirectoryError):
        return None


def names_of(indexes: ProjectIndexes) -> list[str]:
    """The names of a project's indexes, whole or not.

    Raises:
        OSError: If the storage fails.
    """
    if indexes.is_remote:
        with objects_of(indexes) as store:
            return store.index_names()
    try:
        folder = _opened(indexes)
    except FileNotFoundError:
        return []
    with folder:
        return sorted(name for name in folder.names() if S_ISDIR(folder.status(name).st_mode))


def remove(indexes: ProjectIndexes, name: str, confirm: Callable[[], None]) -> None:
    """Remove an index, and this machine's copy of it. Its readers see no index then.

    ``confirm`` is called before; what it raises keeps the index.
    """
    confirm()
    if indexes.is_remote:
        with objects_of(indexes) as store:
            store.remove_index(name)
        return
    with _opened(indexes) as folder:
        folder.remove(name)


def _opened(indexes: ProjectIndexes, name: str = "", *, makes: bool = False) -> Folder:
    """The folder of an index on a disk, or of all of them."""
    with Folder.open(Path(indexes.root)) as root:
        return root.folder(PurePath(indexes.folder, name), makes=makes)
